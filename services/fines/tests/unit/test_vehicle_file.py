"""The embedded register: asked for a date; a wrong record affects only its own plate."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fines.clients.vehicles import VehicleFile
from fines.model.ownership import Registration
from fines.model.refusals import RegisterAway, RegisterRecordWrong

PLATE, OTHER = "453DXA12", "454DXA12"
AT = datetime(2026, 6, 3, 6, tzinfo=UTC)
OWNER = {"iin": "900101300017", "name": "A", "address": "B", "phone": "C"}
CAR: dict[str, Any] = {"make": "D", "model": "E", "since": "2020-01-01", "owner": OWNER}


def a_car(**changes: Any) -> dict[str, Any]:
    return CAR | changes


async def asked(tmp_path: Path, content: object, plate: str = PLATE, at: datetime = AT) -> Any:
    path = tmp_path / "vehicles.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return await VehicleFile(path).registrations(plate, at)


async def test_every_field_arrives_in_its_place(tmp_path: Path) -> None:
    sold = {"since": "2020-01-01", "until": "2026-07-01T12:00:00+06:00"}
    (found,) = await asked(tmp_path, {PLATE: a_car(**sold)})
    assert isinstance(found, Registration)
    assert asdict(found) == {
        "make": "D",
        "model": "E",
        "owner": {"number": "900101300017", "name": "A", "address": "B", "phone": "C"},
        "since": datetime(2019, 12, 31, 18, tzinfo=UTC),  # a day begins in Almaty, then UTC+6
        "until": datetime(2026, 7, 1, 6, tzinfo=UTC),
    }


async def test_the_register_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "vehicles.json"
    path.write_text(json.dumps({PLATE: CAR}))
    register = VehicleFile(path)
    assert await register.registrations(OTHER, AT) == ()
    path.write_text(json.dumps({PLATE: CAR, OTHER: [CAR, CAR]}))
    assert len(await register.registrations(OTHER, AT)) == 2


async def test_the_owner_is_whose_it_was_at_the_moment_that_is_asked_for(tmp_path: Path) -> None:
    sale = datetime(2026, 3, 10, 7, 30, tzinfo=UTC)
    seller = a_car(until=sale.isoformat())
    buyer = a_car(since=sale.isoformat(), owner=OWNER | {"name": "Buyer"})
    content = {PLATE: [buyer, seller]}
    before, after = sale - timedelta(seconds=1), sale
    assert [found.owner.name for found in await asked(tmp_path, content, at=before)] == ["A"]
    assert [found.owner.name for found in await asked(tmp_path, content, at=after)] == ["Buyer"]


@pytest.mark.parametrize(
    ("moment", "found"),
    [
        (datetime(2026, 3, 9, 18, 59, 59, tzinfo=UTC), 0),
        (datetime(2026, 3, 9, 19, 0, tzinfo=UTC), 1),
        (datetime(2026, 3, 19, 18, 59, 59, tzinfo=UTC), 1),
        (datetime(2026, 3, 19, 19, 0, tzinfo=UTC), 0),
    ],
)
async def test_a_day_stands_for_its_beginning_in_almaty(
    tmp_path: Path, moment: datetime, found: int
) -> None:
    record = a_car(since="2026-03-10", until="2026-03-20")
    assert len(await asked(tmp_path, {PLATE: record}, at=moment)) == found


@pytest.mark.parametrize("second", ["453 dxa 12", "KZ453DXA12", PLATE])
async def test_a_plate_that_stands_twice_has_the_owners_of_both(
    tmp_path: Path, second: str
) -> None:
    car = json.dumps(CAR)
    assert len(await asked(tmp_path, f'{{"{PLATE}": {car}, "{second}": {car}}}')) == 2


@pytest.mark.parametrize(
    "record",
    [
        5,
        None,
        "car",
        {},
        [CAR, 5],
        {key: value for key, value in CAR.items() if key != "since"},
        a_car(since="yesterday"),
        a_car(since=None),
        a_car(since=20200101),
        a_car(since="2020-01-01T00:00:00"),  # where?
        a_car(since="0001-01-01"),
        a_car(until="2020-01-01"),
        a_car(until="2019-01-01"),
        a_car(until=""),
        a_car(owner=[]),
        a_car(owner={}),
        a_car(owner=OWNER | {"bin": "100140000003"}),
        a_car(owner=OWNER | {"iin": 900101300017}),
        a_car(owner=OWNER | {"name": ["A"]}),
    ],
)
async def test_a_record_that_is_none_harms_its_own_plate_alone(
    tmp_path: Path, record: object
) -> None:
    content = {PLATE: record, OTHER: CAR}
    with pytest.raises(RegisterRecordWrong):
        await asked(tmp_path, content)
    assert len(await asked(tmp_path, content, plate=OTHER)) == 1


async def test_a_record_that_names_a_field_twice_is_none(tmp_path: Path) -> None:
    twice = json.dumps(CAR).replace('"since"', '"since": "2010-01-01", "since"')
    with pytest.raises(RegisterRecordWrong):
        await asked(tmp_path, f'{{"{PLATE}": {twice}}}')


@pytest.mark.parametrize("content", ["{", "[]", "5", "", "[" * 100_000])
async def test_a_register_that_is_none_is_away(tmp_path: Path, content: str) -> None:
    with pytest.raises(RegisterAway):
        await asked(tmp_path, content)
    with pytest.raises(RegisterAway):
        await VehicleFile(tmp_path / "none").registrations(PLATE, AT)
