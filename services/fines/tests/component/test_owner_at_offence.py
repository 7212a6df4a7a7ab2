"""The owner is who owned the vehicle when the offence happened, or nobody is fined yet."""

from datetime import timedelta
from typing import Any

import pytest
from host.scheduler import WaitUntilDue

from .bench import Bench
from .facts import FIRM, Vehicles, ownership

SELLER, BUYER, CHILD = "900101300017", "890101300012", "200101500013"


async def held(bench: Bench, number: str) -> str:
    """The hold of a fine that is tried again."""
    with pytest.raises(WaitUntilDue):
        await bench.issuing.issue(number)
    return str((await bench.fine(number)).hold_reason)


async def test_a_buyer_of_yesterday_is_not_fined_for_what_the_seller_did(
    bench: Bench, plate: str, vehicles: Vehicles
) -> None:
    sale = bench.clock.now - timedelta(days=1)
    vehicles.put(
        plate,
        named(BUYER, "Buyer", since=sale.isoformat()),
        named(SELLER, "Seller", until=sale.isoformat()),
    )
    before, after = sale - timedelta(seconds=1), sale
    letters = []
    for moment in (before, after):
        number = await bench.confirmed(bench.violation(plate, at=moment))
        await bench.issuing.issue(number)
        await bench.issuing.deliver(number)
        letters.append((bench.letters / f"{number}.html").read_text())
        await bench.annul((await bench.fine(number)).violation_id)
    seller, buyer = letters
    assert "Seller" in seller and SELLER in seller and BUYER not in seller
    assert "Buyer" in buyer and BUYER in buyer and SELLER not in buyer


async def test_no_owner_at_the_moment_holds_the_fine_until_the_register_names_one(
    bench: Bench, plate: str, vehicles: Vehicles
) -> None:
    tomorrow = (bench.clock.now + timedelta(days=1)).isoformat()
    vehicles.put(plate, ownership(since=tomorrow))
    number = await bench.confirmed(bench.violation(plate))
    assert await held(bench, number) == "OWNER_NOT_FOUND"
    vehicles.put(plate, ownership(until=tomorrow), ownership(since=tomorrow))
    await bench.issuing.issue(number)
    assert await bench.state(number) == "issued"


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([ownership(), ownership(BUYER)], "OWNER_NOT_UNIQUE"),
        ([ownership(FIRM)], "OWNER_KIND_DIFFERS"),
        ([ownership(CHILD)], "OWNER_TOO_YOUNG"),
        ([{"make": "no record"}], "REGISTER_RECORD_WRONG"),
        ([ownership(since=None)], "REGISTER_RECORD_WRONG"),
    ],
)
async def test_an_owner_whom_a_person_must_look_at_holds_the_fine(
    bench: Bench, plate: str, vehicles: Vehicles, records: list[Any], reason: str
) -> None:
    vehicles.put(plate, *records)
    number = await bench.confirmed(bench.violation(plate))
    assert await held(bench, number) == reason


async def test_one_wrong_record_in_the_register_holds_its_own_plate_alone(
    bench: Bench, plate: str, vehicles: Vehicles
) -> None:
    vehicles.put("995BAD02", 5)
    number = await bench.confirmed(bench.violation(plate))
    await bench.issuing.issue(number)
    assert await bench.state(number) == "issued"


def named(number: str, name: str, **changes: Any) -> dict[str, Any]:
    record = ownership(number, **changes)
    record["owner"]["name"] = name
    return record
