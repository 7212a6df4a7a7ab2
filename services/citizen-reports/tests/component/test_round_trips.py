"""What a report costs: round trips to PostgreSQL, and how long others of the partner wait."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest_asyncio
from chassis.clock import system_clock
from chassis.db import Database
from chassis.transaction import SYSTEM
from sqlalchemy import text
from tartip_testing.mesh import RunningTestMesh
from vault.keyring import Keyring

from .inside import (
    EURASIAN,
    intake_on,
    new_person,
    opened,
    until_a_lock_is_waited_for,
)
from .round_trips import RoundTrips

SUBMIT_TRIPS_MAX = 7
# Of these after the counter of the partner is locked: the rows that are added, and COMMIT.
TRIPS_UNDER_LOCK_MAX = 2
OPEN_TRIPS_MAX = 2


@pytest_asyncio.fixture
async def trips(engines: RunningTestMesh, service: str) -> AsyncIterator[RoundTrips]:
    url = urlsplit(engines.environment("citizen-reports")["TARTIP_DATABASE_URL"])
    counted = RoundTrips(url.hostname or "", url.port or 0)
    yield counted


@pytest_asyncio.fixture
async def counted(engines: RunningTestMesh, trips: RoundTrips) -> AsyncIterator[Database]:
    """A database of one connection, whose round trips are counted."""
    environment = engines.environment("citizen-reports")
    url = urlsplit(environment["TARTIP_DATABASE_URL"])
    async with trips.listening() as port:
        netloc = f"{url.netloc.rpartition('@')[0]}@127.0.0.1:{port}"
        database = Database(
            urlunsplit(url._replace(netloc=netloc)),
            service="test",
            keyring=Keyring(Path(environment["TARTIP_KEYS_DIR"])),
            clock=system_clock,
            pool_size=1,
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


async def test_others_of_the_partner_wait_for_two_round_trips_of_a_submit(
    counted: Database, trips: RoundTrips, db: Database
) -> None:
    """The counter is held by somebody else: until he ends, a submit has done all but the last."""
    intake = await intake_on(counted)
    for _ in range(2):
        await intake.submit(await opened(intake), EURASIAN)
    report_id = await opened(intake)
    async with db.begin(SYSTEM) as tx:
        lock = text("SELECT last FROM partner_sequences WHERE partner = :p FOR UPDATE")
        last = await tx.scalar(lock.bindparams(p=EURASIAN.name))
        submit = asyncio.ensure_future(intake.submit(report_id, EURASIAN))
        await until_a_lock_is_waited_for(db)
        before = trips.count
    receipt = await submit
    assert trips.count - before <= 1 + TRIPS_UNDER_LOCK_MAX  # 1: what waited is answered
    async with db.begin(SYSTEM) as tx:
        query = text("SELECT sequence FROM changes WHERE number = :n ORDER BY sequence")
        rows = (await tx.execute(query.bindparams(n=receipt.number))).scalars().all()
    assert rows == [last + 1, last + 2]


async def test_thirty_submits_at_once_are_numbered_in_the_order_of_their_commits(
    db: Database, engines: RunningTestMesh
) -> None:
    """Whoever looks meanwhile sees the sequence without a gap, to its end."""
    intake = await intake_on(db)
    made = [await opened(intake) for _ in range(30)]
    looker = await asyncpg.connect(engines.database.url)

    async def look() -> list[int]:
        sequences = "SELECT sequence FROM citizen_reports.changes WHERE partner = $1 ORDER BY 1"
        return [row[0] for row in await looker.fetch(sequences, EURASIAN.name)]

    before = len(await look())
    submits = asyncio.gather(*(intake.submit(report_id, EURASIAN) for report_id in made))
    while not submits.done():
        seen = await look()
        assert seen == list(range(1, len(seen) + 1))
    await submits
    assert await look() == list(range(1, before + 61))
    await looker.close()
    async with db.begin(EURASIAN.scope) as tx:
        query = text("SELECT report_id, status FROM changes WHERE sequence > :s ORDER BY sequence")
        told = (await tx.execute(query.bindparams(s=before))).all()
    assert {row.report_id for row in told} == set(made)
    for registered, routed in zip(told[::2], told[1::2], strict=True):
        assert registered.report_id == routed.report_id
        assert (registered.status, routed.status) == ("registered", "routed")
