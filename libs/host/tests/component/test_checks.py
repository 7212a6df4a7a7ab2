"""What a process looks at, on real parts: the database and its clock, the broker, the outbox."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from chassis.clock import clock_offset, move_clock
from chassis.db import Database
from chassis.event import Event
from chassis.transaction import SYSTEM
from google.protobuf.wrappers_pb2 import StringValue
from host.broker import Broker
from host.checks import DATABASE_SECONDS, broker_check, database_check, outbox_check
from host.health import CHECK_SECONDS, DEGRADED, HELD_UP_SECONDS, Health
from host.leases import hold
from host.outbox import Relay, oldest_waiting
from tartip_testing.pauses import standing_still

from .health_clients import NOT_SERVING, OFTEN_SECONDS, SERVING, answering

# Promised: one look late, and the next one.
PROMISED_SECONDS = CHECK_SECONDS + DATABASE_SECONDS + HELD_UP_SECONDS


async def test_a_database_that_stands_still_ends_readiness_until_it_goes_on(
    db: Database, postgres: Any
) -> None:
    async with answering(postgres, Health((database_check(db),))) as asked:
        await asked.until(SERVING)
        with standing_still(postgres, "postgres"):
            await asked.until(NOT_SERVING, seconds=3 * PROMISED_SECONDS)
            assert list((await asked.check())[1]) == ["database"]
        await asked.until(SERVING)


async def test_a_clock_that_differs_from_the_databases_ends_readiness(
    db: Database, postgres: Any
) -> None:
    before = clock_offset()
    async with answering(postgres, Health((database_check(db),))) as asked:
        await asked.until(SERVING)
        move_clock(before + timedelta(seconds=5))
        try:
            await asked.until(NOT_SERVING)
            assert list((await asked.check())[1]) == ["clock"]
        finally:
            move_clock(before)
        await asked.until(SERVING)


async def test_a_broker_that_is_away_degrades_and_closes_nothing(
    db: Database, nats: Any, producer: Broker
) -> None:
    checks = (database_check(db), broker_check(producer), outbox_check(db, waiting_seconds=1.0))
    async with answering(nats, Health(checks, every_seconds=OFTEN_SECONDS)) as asked:
        await asked.until(SERVING)
        await asked.until(SERVING, DEGRADED)
        nats.kill("nats")
        await asked.until(NOT_SERVING, DEGRADED)
        assert await asked.check() == (SERVING, {"broker": "is not connected"})
        await emit(db, "taken while the broker is away")
        assert await oldest_waiting(db) is not None
        async with publishing(db, producer):
            await asked.until(SERVING, DEGRADED)
            assert await asked.check() == (SERVING, {})


async def test_an_event_that_the_broker_refuses_degrades(
    db: Database, nats: Any, producer: Broker
) -> None:
    """It is connected, and publishes others; this one waits."""
    check = outbox_check(db, waiting_seconds=1.0)
    async with answering(nats, Health((check,), every_seconds=OFTEN_SECONDS)) as asked:
        async with publishing(db, producer):
            await emit(db, "published")
            await emit(db, "refused", subject="elsewhere.v1.refused")
            await asked.until(NOT_SERVING, DEGRADED)
            status, reasons = await asked.check()
        assert status == SERVING
        assert reasons["outbox"].startswith("has an event that could not be published for ")


async def test_events_that_are_published_one_after_another_wait_for_nobody(
    db: Database, nats: Any, producer: Broker
) -> None:
    """The oldest is another one each time, however many wait behind it."""
    health = Health((outbox_check(db, waiting_seconds=1.0),), every_seconds=OFTEN_SECONDS)
    relay = Relay(db, producer, source="scratch", streams=())
    async with answering(nats, health) as asked, hold(db, "relay") as lease:
        for _ in range(8):
            await emit(db, "another")
            await asyncio.sleep(0.25)
            assert await asked.check() == (SERVING, {})
            await relay.publish_batch(lease)


async def emit(db: Database, name: str, *, subject: str = "cameras.v1.registered") -> None:
    async with db.begin(SYSTEM) as tx:
        tx.emit(Event(subject, f"test:{name}", 1, "KZ-75", StringValue(value=name)))


@asynccontextmanager
async def publishing(db: Database, producer: Broker) -> AsyncIterator[None]:
    """Run the relay during the block."""
    relay = Relay(db, producer, source="scratch", streams=("CAMERAS",))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(relay.run())
        try:
            yield
        finally:
            running.cancel()
