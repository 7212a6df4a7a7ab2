"""The same edit of many cameras: what it sets, what it leaves, and what is refused at once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2
from tartip_cli.clients.camera_edits import FIELDS, ChangedRows, Edits
from tartip_cli.clients.camera_files import COLUMNS
from tartip_cli.failures import Failure


def description() -> pb.CameraDescription:
    return pb.CameraDescription(
        name="A",
        serial="SN-1",
        place=common_pb2.Place(latitude=43.2, longitude=76.9, region="KZ-75", address="Abai 1"),
        functions=[pb.AI_FUNCTION_PLATE, pb.AI_FUNCTION_FACE],
        bases=[
            pb.FunctionBasis(function=pb.AI_FUNCTION_FACE, basis="Law"),
            pb.FunctionBasis(function=pb.AI_FUNCTION_PLATE, basis="Act"),
        ],
        verifications=[pb.Verification(number="V-1"), pb.Verification(number="V-2")],
        site="Mall",
        device_key=bytes(32),
    )


def edited(*edits: str) -> pb.CameraDescription:
    given = description()
    Edits(edits).apply(given)
    return given


def test_what_is_set_is_set_and_everything_else_stays() -> None:
    expected = description()
    expected.connected, expected.model, expected.site = True, "S = 2", ""
    expected.place.address, expected.retention_days = "Dostyk", 30
    given = ("connected=иә", "model=S = 2", "site=", "address=Dostyk", "retention_days= 30 ")
    assert edited(*given) == expected


def test_functions_are_replaced_and_take_their_bases_along() -> None:
    expected = description()
    expected.functions[:] = [pb.AI_FUNCTION_PLATE, pb.AI_FUNCTION_ZONE]
    del expected.bases[0]
    assert edited("functions=plate|zone") == expected
    for name in ("functions", "bases"):
        expected.ClearField(name)
    assert edited("functions=") == expected


def test_the_basis_of_faces_is_replaced_and_the_others_stay() -> None:
    bases = edited("face_basis=Law 2").bases
    assert {basis.function: basis.basis for basis in bases} == {
        pb.AI_FUNCTION_PLATE: "Act",
        pb.AI_FUNCTION_FACE: "Law 2",
    }


@pytest.mark.parametrize(("number", "numbers"), [("V-3", "V-1 V-2 V-3"), ("V-1", "V-2 V-1")])
def test_a_verification_is_added_or_replaced(number: str, numbers: str) -> None:
    days = ("verified_from=2026-01-01", "verified_until=2027-01-01")
    papers = edited(f"verification_number={number}", *days).verifications
    assert " ".join(paper.number for paper in papers) == numbers
    assert papers[-1].valid_from.seconds == 1767207600
    assert not papers[0].HasField("valid_from")


def test_every_wrong_edit_is_named_at_once() -> None:
    with pytest.raises(Failure) as caught:
        Edits(("colour=red", "connected=perhaps", "site=A", "site=B", "verified_from=2026-01-01"))
    for said in ("colour=red", "connected: yes or no", "site is set twice", "verified_until"):
        assert said in caught.value.message
    for none in ((), ("serial=1",), ("camera_id=1",), ("latitude=1",), ("connected",)):
        with pytest.raises(Failure):
            Edits(none)


def test_every_column_but_those_of_one_camera_alone_may_be_set() -> None:
    own = {"camera_id", "serial", "latitude", "longitude", "region"}
    secret = {"owner_iin", "owner_is_person", *(name for name in COLUMNS if "stream_" in name)}
    assert len(secret) == 8
    assert set(COLUMNS) - set(FIELDS) == own | secret


def test_every_field_that_may_be_set_can_be_set_and_cleared() -> None:
    values = {
        "yes or no": "yes",
        "text": "text",
        "a number": "1",
        "a whole number": "1",
        "letters of profiles, such as S|T": "S|T",
        "names of AI functions, such as plate|vehicle": "plate",
        "a date, such as 2028-01-31": "2028-01-31",
    }
    for name in FIELDS:
        if name in ("kind", "site_category") or name.startswith("verif"):
            continue
        before = description()
        changed = edited(f"{name}={values[COLUMNS[name].expected]}")
        assert changed != before, name
        Edits((f"{name}=",)).apply(changed)
        assert changed != edited(f"{name}={values[COLUMNS[name].expected]}"), name


def test_a_firm_that_becomes_the_owner_takes_the_place_of_a_person() -> None:
    given = description()
    given.owner_is_person = True
    Edits(("owner_bin=100140000003",)).apply(given)
    assert given.owner_bin == "100140000003" and not given.owner_is_person


async def test_only_cameras_that_change_are_sent_in_their_versions() -> None:
    async def cameras() -> AsyncIterator[pb.Camera]:
        for number in range(5):
            camera = pb.Camera(camera_id=str(number), version=7 + number, description=description())
            camera.description.connected = number % 2 == 0
            yield camera

    counts: list[int] = []
    with ChangedRows() as changed:
        await changed.read(cameras(), Edits(("connected=yes",)), counts.append)
        found = [(each.row, each.camera_id, each.version) for each in changed.rows()]
        assert (
            found
            == [(1, "1", 8), (2, "3", 10)]
            == [(each.row, each.camera_id, each.version) for each in changed.rows()]
        )
        assert all(each.description.connected for each in changed.rows())
    assert (changed.matched, changed.changed, counts) == (5, 2, [1, 2, 3, 4, 5])
