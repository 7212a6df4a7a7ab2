"""What a report costs: round trips to PostgreSQL, and nobody who waits for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
import pytest_asyncio
from chassis.clock import system_clock
from chassis.db import Database
from chassis.transaction import SYSTEM
from citizen_reports.model.draft import Reporter
from citizen_reports.model.statuses import Status
from citizen_reports.storage.changes import number_new
from sqlalchemy import text
from tartip_testing.mesh import RunningTestMesh

from .inside import (
    EURASIAN,
    handed_in,
    intake_on,
    new_person,
    opened,
    until_a_lock_is_waited_for,
)
from .round_trips import RoundTrips

SUBMIT_TRIPS_MAX = 2
OPEN_TRIPS_MAX = 2
HAND_IN_TRIPS_MAX = 2


@pytest.fixture
def trips(engines: RunningTestMesh, service: str) -> RoundTrips:
    return RoundTrips(engines.environment("citizen-reports")["TARTIP_DATABASE_URL"])


@pytest_asyncio.fixture
async def counted(trips: RoundTrips, db: Database) -> AsyncIterator[Database]:
    """A database of one connection, whose round trips are counted."""
    async with trips.listening() as url:
        database = Database(
            url, service="test", keyring=db.keyring, clock=system_clock, pool_size=1
        )
        yield database
        await database.close()


async def _taken(trips: RoundTrips, call: Awaitable[Any]) -> tuple[int, Any]:
    """How many round trips a call took, and what it gave."""
    before = trips.count
    result = await call
    return trips.count - before, result


async def test_a_report_in_two_calls_takes_few_round_trips(
    counted: Database, trips: RoundTrips
) -> None:
    intake, reporter = await intake_on(counted), new_person()
    for _ in range(2):  # each statement is prepared once
        await intake.submit(await opened(intake, reporter=reporter), EURASIAN)
    known, report_id = await _taken(trips, opened(intake, reporter=reporter))
    submit, _ = await _taken(trips, intake.submit(report_id, EURASIAN))
    new, _ = await _taken(trips, opened(intake))
    assert 0 < known <= OPEN_TRIPS_MAX and 0 < new <= OPEN_TRIPS_MAX
    assert 0 < submit <= SUBMIT_TRIPS_MAX


async def test_a_report_in_one_call_takes_two_round_trips_and_an_anonymous_one_a_single(
    counted: Database, trips: RoundTrips
) -> None:
    """The key of the person is looked up; then all is written at once."""
    intake, reporter = await intake_on(counted), new_person()
    for _ in range(2):  # each statement is prepared once
        await handed_in(intake, reporter=reporter)
        await handed_in(intake, reporter=Reporter())
    known, view = await _taken(trips, handed_in(intake, reporter=reporter))
    new, _ = await _taken(trips, handed_in(intake))
    anonymous, _ = await _taken(trips, handed_in(intake, reporter=Reporter()))
    assert (known, anonymous) == (2, 1)
    assert 0 < new <= HAND_IN_TRIPS_MAX
    assert view.report.status is Status.ROUTED and view.report.number


async def test_a_report_is_read_in_one_round_trip(counted: Database, trips: RoundTrips) -> None:
    intake = await intake_on(counted)
    number = (await intake.submit(await opened(intake), EURASIAN)).number
    await intake.by_number(number, EURASIAN)
    taken, view = await _taken(trips, intake.by_number(number, EURASIAN))
    assert (taken, view.report.receipt.number) == (1, number)


async def test_no_report_waits_for_the_number_of_a_change(db: Database) -> None:
    """The partner's counter is held by somebody else, and reports of it are submitted."""
    intake = await intake_on(db)
    await intake.submit(await opened(intake), EURASIAN)
    await number_new(db)
    async with db.begin(SYSTEM) as tx:
        lock = text("SELECT last FROM partner_sequences WHERE partner = :p FOR UPDATE")
        last = await tx.scalar(lock.bindparams(p=EURASIAN.name))
        async with asyncio.timeout(60):
            receipt = await intake.submit(await opened(intake), EURASIAN)
        numbering = asyncio.ensure_future(number_new(db))
        await until_a_lock_is_waited_for(db)
    await numbering
    async with db.begin(SYSTEM) as tx:
        query = text("SELECT sequence FROM changes WHERE number = :n ORDER BY sequence")
        rows = (await tx.execute(query.bindparams(n=receipt.number))).scalars().all()
    assert rows == [last + 1, last + 2]
