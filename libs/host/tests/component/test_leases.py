"""Of all processes one holds a lease; whoever lost it writes nothing under it."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from chassis.db import Database
from chassis.event import Event
from chassis.tables import outbox
from chassis.transaction import SYSTEM
from google.protobuf.wrappers_pb2 import StringValue
from host.leases import Lease, LeaseLost, hold
from host.outbox import Relay
from nats.js.api import PubAck
from sqlalchemy import func, select, text

TAKEN_OVER_SECONDS = 10.0


async def write(lease: Lease, name: str) -> None:
    async with lease.begin(SYSTEM) as tx:
        await tx.execute(text("INSERT INTO effects VALUES (:name)"), {"name": name})


async def written(db: Database) -> list[str]:
    async with db.begin(SYSTEM) as tx:
        return list((await tx.execute(text("SELECT name FROM effects"))).scalars())


async def expire(db: Database, by_clock: str = "-infinity") -> None:
    """As if the holder had not renewed its lease, or the database's clock had jumped."""
    async with db.begin(SYSTEM) as tx:
        await tx.execute(text(f"UPDATE leases SET expires_at = {by_clock!r}::timestamptz"))


async def take_over(db: Database) -> None:
    """As another process does that finds all leases expired."""
    async with db.begin(SYSTEM) as tx:
        await tx.execute(text("UPDATE leases SET generation = generation + 1"))


@asynccontextmanager
async def holding(db: Database, keys: Path, *, seconds_within: float) -> AsyncIterator[Process]:
    """Another process that holds the lease and writes; see `lease_holder.py`."""
    url = db.engine.url.render_as_string(hide_password=False)
    program = Path(__file__).with_name("lease_holder.py")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, program, url, keys, str(seconds_within)), stdout=PIPE
    )
    try:
        async with asyncio.timeout(30):
            assert process.stdout is not None
            assert await process.stdout.readline() == b"writes\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("seconds_within", [0.0, 3.0], ids=["between", "within"])
async def test_when_a_holder_is_stopped_another_goes_on_and_the_first_is_refused(
    db: Database, tmp_path: Path, seconds_within: float
) -> None:
    """Stopped between its transactions, and within one that then holds the row."""
    async with (
        holding(db, tmp_path / "other", seconds_within=seconds_within) as first,
        AsyncExitStack() as stack,
    ):
        first.send_signal(signal.SIGSTOP)
        async with asyncio.timeout(TAKEN_OVER_SECONDS):
            lease = await stack.enter_async_context(hold(db, "work"))
            await write(lease, "second")
        before = await written(db)
        first.send_signal(signal.SIGCONT)
        async with asyncio.timeout(30):
            said, _ = await first.communicate()
        assert said.splitlines()[-1] == b"refused: LeaseLost"
        assert await written(db) == before
        await write(lease, "second")


async def test_one_at_a_time_holds_a_lease_and_hands_it_over_at_once(db: Database) -> None:
    order: list[str] = []
    generations: list[int] = []

    async def work(name: str) -> None:
        async with hold(db, "work") as lease:
            generations.append(lease.generation)
            order.append(f"{name} in")
            await asyncio.sleep(0.2)
            order.append(f"{name} out")

    async with asyncio.timeout(5):  # less than a lease takes to expire
        await asyncio.gather(work("a"), work("b"))
        async with hold(db, "other work"):
            await work("c")
    assert [step.split()[1] for step in order] == ["in", "out"] * 3
    assert generations == [1, 2, 3]


async def test_a_lease_that_was_released_is_no_lease(db: Database) -> None:
    async with hold(db, "work") as lease:
        await write(lease, "held")
    with pytest.raises(LeaseLost):
        await write(lease, "released")
    assert await written(db) == ["held"]


@pytest.mark.parametrize("expires_at", ["2000-01-01", "3000-01-01"])
async def test_a_jump_of_the_databases_clock_neither_blocks_work_nor_doubles_it(
    db: Database, expires_at: str
) -> None:
    with pytest.raises(LeaseLost):
        async with hold(db, "work") as first:
            await expire(db, expires_at)
            async with hold(db, "work") as second:
                with pytest.raises(LeaseLost):
                    await write(first, "first")
                await write(second, "second")
                await asyncio.sleep(30)  # ended by the first's heartbeat
    assert await written(db) == ["second"]


async def test_a_take_over_waits_for_the_transaction_that_is_open(db: Database) -> None:
    async def take() -> list[str]:
        async with hold(db, "work"):
            return await written(db)

    async with hold(db, "work") as first, first.begin(SYSTEM) as tx:
        await tx.execute(text("INSERT INTO effects VALUES ('first')"))
        await expire(db)
        taking = asyncio.ensure_future(take())
        await asyncio.sleep(1.5)
        assert not taking.done()
    async with asyncio.timeout(10):
        assert await taking == ["first"]


async def test_an_error_of_the_work_is_raised_as_it_is_and_ends_the_lease(db: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with hold(db, "work"):
            raise ZeroDivisionError
    async with asyncio.timeout(1), hold(db, "work") as lease:
        assert lease.generation == 2


class TakenOverMeanwhile:
    """A broker that stores every event, while another process takes the relay's lease over."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.jetstream = self
        self.published = 0

    async def publish(self, *event: Any, **told: Any) -> PubAck:
        self.published += 1
        await take_over(self.db)
        return PubAck(stream="CAMERAS", seq=self.published)


async def test_a_relay_that_lost_its_lease_publishes_and_marks_nothing(db: Database) -> None:
    broker: Any = TakenOverMeanwhile(db)
    relay = Relay(db, broker, source="scratch", streams=())
    async with db.begin(SYSTEM) as tx:
        tx.emit(Event("cameras.v1.registered", "camera:1", 1, "KZ-75", StringValue(value="x")))
    with pytest.raises(LeaseLost):
        async with asyncio.timeout(10):
            await relay.run()
    async with db.begin(SYSTEM) as tx:
        unpublished = select(func.count()).where(outbox.c.published_at.is_(None))
        assert await tx.scalar(unpublished) == 1
    assert broker.published == 1
    await expire(db)
    async with hold(db, "relay") as lease:
        await take_over(db)
        for step in (relay.publish_batch, relay.forget_old):
            with pytest.raises(LeaseLost):
                await step(lease)
    assert broker.published == 1
