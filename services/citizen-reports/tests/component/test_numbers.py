"""The number of a report tells neither its kind nor how many there were before it."""

import asyncio
import random
import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest
from chassis.clock import system_clock
from chassis.db import Database
from chassis.transaction import SYSTEM
from citizen_reports.model.numbers import DRAWS_MAX, SERIALS, number_of
from citizen_reports.model.receipt import Receipt
from citizen_reports.storage.tables import report_numbers
from law.zone import almaty_day
from sqlalchemy import insert, text
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import reports_pb2 as pb

from .conftest import Register, complaint, draft
from .inside import EURASIAN, KARAZHAL, intake_on, opened, until_a_lock_is_waited_for

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


def test_draws_spread_over_all_seven_digits() -> None:
    draw = random.Random(7).randrange
    numbers = [number_of("KZ-10", 2999, draw(SERIALS)) for _ in range(2000)]
    assert len(set(numbers)) > 1990
    assert {len(number) for number in numbers} == {len("KZ10-2999-0000000")}
    first_digits = Counter(number.rpartition("-")[2][0] for number in numbers)
    assert len(first_digits) == 10 and min(first_digits.values()) > 140


def drawing(*serials: int) -> Callable[[int], int]:
    """Draws these, one after the other."""
    drawn = iter(serials)
    return lambda _: next(drawn)


async def submitted(db: Database, *serials: int) -> Receipt:
    """A report that is submitted while these are drawn."""
    intake = await intake_on(db, drawing(*serials))
    return await intake.submit(await opened(intake), EURASIAN)


async def test_a_number_that_is_taken_is_drawn_again_and_leaves_nothing(db: Database) -> None:
    first = await submitted(db, 5)
    before = await last_of(db)
    second = await submitted(db, 5, 6)
    assert (first.number[-8:], second.number[-8:]) == ("-0000005", "-0000006")
    queries = {
        "steps": "SELECT count(*) FROM steps JOIN reports USING (report_id) WHERE number = :n",
        "changes": "SELECT count(*) FROM changes WHERE number = :n AND position > :s",
        "reports": "SELECT count(*) FROM reports WHERE number = :n AND version = 3",
        "audit": "SELECT count(*) FROM audit"
        " WHERE position(convert_to(:n, 'UTF8') in canonical) > 0",
        "events": "SELECT count(*) FROM outbox JOIN reports ON aggregate = 'report:' || report_id"
        " WHERE number = :n",
    }
    found = {}
    async with db.begin(SYSTEM) as tx:
        for name, query in queries.items():
            values = {"n": second.number} | ({"s": before} if ":s" in query else {})
            found[name] = await tx.scalar(text(query).bindparams(**values))
    assert found == {"steps": 2, "changes": 2, "reports": 1, "audit": 1, "events": 2}


async def test_two_that_draw_the_same_at_once_get_two(db: Database) -> None:
    both = await asyncio.gather(submitted(db, 7, 8), submitted(db, 7, 9))
    assert len({receipt.number for receipt in both} & {name_of(7), name_of(8), name_of(9)}) == 2


@pytest.mark.parametrize(("serial", "is_taken"), [(10, True), (12, False)])
async def test_a_number_that_is_being_taken_is_waited_for(
    db: Database, serial: int, is_taken: bool
) -> None:
    """A registration that fails leaves its number free."""
    with suppress(LookupError):
        async with db.begin(SYSTEM) as tx:
            await tx.execute(insert(report_numbers).values(number=name_of(serial)))
            submit = asyncio.ensure_future(submitted(db, serial, serial + 1))
            await until_a_lock_is_waited_for(db)
            if not is_taken:
                raise LookupError
    assert (await submit).number == name_of(serial + 1 if is_taken else serial)


async def test_drawing_ends_and_the_report_stays_open(db: Database) -> None:
    draws = 0

    def draw(_: int) -> int:
        nonlocal draws
        draws += 1
        return 4

    await submitted(db, 4)
    intake = await intake_on(db, draw)
    report_id = await opened(intake)
    with pytest.raises(RuntimeError):
        await intake.submit(report_id, EURASIAN)
    assert draws == DRAWS_MAX
    another = await intake_on(db, drawing(14))
    assert (await another.submit(report_id, EURASIAN)).number == name_of(14)


def name_of(serial: int) -> str:
    return number_of(KARAZHAL.region, almaty_day(system_clock()).year, serial)


async def last_of(db: Database) -> int:
    async with db.begin(SYSTEM) as tx:
        query = text("SELECT coalesce(max(position), 0) FROM changes WHERE partner = :p")
        return int(await tx.scalar(query.bindparams(p=EURASIAN.name)))
