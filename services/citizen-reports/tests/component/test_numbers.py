"""The number of a report tells neither its kind nor how many there were before it."""

import asyncio
import random
import re
from collections import Counter

import pytest
from chassis.db import Database
from chassis.transaction import SYSTEM
from citizen_reports.usecases.intake import DRAWS_MAX, drawn_number
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import reports_pb2 as pb

from .conftest import Register, complaint, draft

ASTANA = common_pb2.Place(latitude=51.17, longitude=71.45, region="KZ-71")
KINDS = (
    pb.CATEGORY_TRAFFIC_VIOLATION,
    pb.CATEGORY_DOMESTIC_VIOLENCE,
    pb.CATEGORY_INCIDENT_WITH_CHILD,
)


def serial(receipt: pb.Receipt) -> int:
    assert re.fullmatch(r"KZ71-[0-9]{4}-[0-9]{7}", receipt.number)
    return int(receipt.number.rpartition("-")[2])


async def test_numbers_of_all_kinds_are_drawn_alike_and_none_comes_twice(
    register: Register,
) -> None:
    given = [draft(place=ASTANA, category=KINDS[place % 3]) for place in range(12)]
    given += [complaint(place=ASTANA) for _ in range(12)]
    made = await asyncio.gather(*(register(one) for one in given))
    serials = [serial(receipt) for _, receipt in made]
    assert len(set(serials)) == 24
    for kind in (serials[:12], serials[12:]):
        # By chance each of these would come once in a thousand million runs at most.
        assert not all(one > 9_000_000 for one in kind), "a range of its own"
        assert not all(one < 100_000 for one in kind), "a count"
        assert max(kind) - min(kind) > 1000, "one after another"


async def test_draws_spread_over_all_seven_digits(db: Database) -> None:
    draw = random.Random(7).randrange
    async with db.begin(SYSTEM) as tx:
        numbers = [await drawn_number(tx, "KZ-10", 2999, draw) for _ in range(2000)]
    assert len(set(numbers)) == 2000
    first_digits = Counter(number.rpartition("-")[2][0] for number in numbers)
    assert len(first_digits) == 10 and min(first_digits.values()) > 140


async def test_a_number_that_is_taken_is_drawn_again(db: Database) -> None:
    drawn = iter([5, 5, 6])
    async with db.begin(SYSTEM) as tx:
        first = await drawn_number(tx, "KZ-11", 2999, lambda _: next(drawn))
    async with db.begin(SYSTEM) as tx:
        second = await drawn_number(tx, "KZ-11", 2999, lambda _: next(drawn))
    assert (first, second) == ("KZ11-2999-0000005", "KZ11-2999-0000006")


async def test_two_that_draw_the_same_at_once_get_two(db: Database) -> None:
    async def register(draws: list[int]) -> str:
        drawn = iter(draws)
        async with db.begin(SYSTEM) as tx:
            number = await drawn_number(tx, "KZ-15", 2999, lambda _: next(drawn))
            await asyncio.sleep(0.2)  # the other one waits for this commit meanwhile
        return number

    both = await asyncio.gather(register([7, 8]), register([7, 9]))
    assert len(set(both)) == 2


async def test_a_number_whose_registration_failed_is_free_again(db: Database) -> None:
    with pytest.raises(LookupError):
        async with db.begin(SYSTEM) as tx:
            await drawn_number(tx, "KZ-19", 2999, lambda _: 3)
            raise LookupError
    async with db.begin(SYSTEM) as tx:
        assert await drawn_number(tx, "KZ-19", 2999, lambda _: 3) == "KZ19-2999-0000003"


async def test_drawing_ends(db: Database) -> None:
    draws = 0

    def draw(_: int) -> int:
        nonlocal draws
        draws += 1
        return 4

    async with db.begin(SYSTEM) as tx:
        await drawn_number(tx, "KZ-23", 2999, draw)
    with pytest.raises(RuntimeError):
        async with db.begin(SYSTEM) as tx:
            await drawn_number(tx, "KZ-23", 2999, draw)
    assert draws == 1 + DRAWS_MAX
