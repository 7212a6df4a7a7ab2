"""The database's time that the services read moves with their clock, whatever asks for it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from chassis.clock import clock_offset, move_clock, new_id, system_clock
from chassis.db import Database
from chassis.event import Event
from chassis.refusals import ClockUnsure
from chassis.tables import inbox, outbox, requests, work
from chassis.transaction import SYSTEM
from google.protobuf.wrappers_pb2 import StringValue
from host.leases import hold
from host.outbox import KEEP_DAYS, Relay
from host.scheduler import Scheduler
from sqlalchemy import insert, select
from vault.keyring import Keyring

MOVED = timedelta(days=400)
SOON = timedelta(seconds=30)


@pytest.fixture
async def moved(db: Database, tmp_path: Path) -> AsyncIterator[Database]:
    """A process of another year on the same schema."""
    before = clock_offset()
    move_clock(before + MOVED)
    url = db.engine.url.render_as_string(hide_password=False)
    database = Database(url, service="moved", keyring=Keyring(tmp_path), clock=system_clock)
    yield database
    await database.close()
    move_clock(before)


async def test_the_databases_moment_is_ours(moved: Database) -> None:
    await moved.ping()
    async with moved.begin(SYSTEM) as tx:
        assert abs(await tx.now() - system_clock()) < SOON
    assert abs(system_clock() - datetime.now(UTC)) > MOVED - timedelta(days=1)


async def test_every_default_of_the_chassis_moves(moved: Database) -> None:
    async with moved.begin(SYSTEM) as tx:
        tx.emit(Event("cameras.v1.registered", "camera:1", 1, "KZ-75", StringValue(value="x")))
        await tx.once("partner/kaspi", new_id(), b"content")
        await tx.execute(insert(inbox).values(event_id=new_id(), subject="x"))
    async with moved.begin(SYSTEM) as tx:
        for column in (outbox.c.created_at, requests.c.made_at, inbox.c.consumed_at):
            assert abs(await tx.scalar(select(column)) - system_clock()) < SOON, column


async def test_a_database_that_does_not_move_along_is_told_from_ours(db: Database) -> None:
    """As if one statement read the database's own clock: nothing is decided."""
    before = clock_offset()
    move_clock(before + MOVED)
    try:
        with pytest.raises(ClockUnsure):
            await db.ping()
    finally:
        move_clock(before)


async def test_work_is_done_at_the_moved_time(moved: Database) -> None:
    scheduler = Scheduler(moved, system_clock, {"look": _done})
    async with moved.begin(SYSTEM) as tx:
        await tx.schedule("look", "x", system_clock() - timedelta(seconds=1))
    for row in await scheduler._lease():
        await scheduler._do(row)
    async with moved.begin(SYSTEM) as tx:
        assert abs(await tx.scalar(select(work.c.done_at)) - system_clock()) < SOON


async def _done(key: str) -> None:
    """Nothing to do."""


async def test_the_outbox_forgets_by_the_moved_time(
    db: Database, moved: Database, producer: Any
) -> None:
    """What was published in the time before is 400 days old here; what is new is kept."""
    async with moved.begin(SYSTEM) as tx:
        for days in (KEEP_DAYS + 1, KEEP_DAYS - 1):
            row = dict(_published, event_id=new_id(), version=days)
            moment = system_clock() - timedelta(days=days)
            await tx.execute(insert(outbox).values(row | {"created_at": moment}))
    relay = Relay(moved, producer, source="scratch", streams=())
    async with hold(moved, "relay") as lease:
        await relay.forget_old(lease)
    async with moved.begin(SYSTEM) as tx:
        assert list((await tx.execute(select(outbox.c.version))).scalars()) == [KEEP_DAYS - 1]


_published = {
    "subject": "cameras.v1.registered",
    "aggregate": "camera:1",
    "region": "KZ-75",
    "story": "",
    "traceparent": "",
    "payload": b"",
    "published_at": datetime(2026, 1, 1, tzinfo=UTC),
}
