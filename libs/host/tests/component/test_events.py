"""A fact written with its effect arrives, and its effect is had once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from chassis.clock import system_clock
from chassis.db import Database
from chassis.event import Event
from chassis.refusals import ClockUnsure
from chassis.tables import dead_letters
from chassis.transaction import SYSTEM, Tx
from google.protobuf.wrappers_pb2 import StringValue
from host.broker import Broker
from host.consumer import DELIVERIES_MAX, Consumer, Meta, Poison, Subscription
from host.outbox import Relay
from sqlalchemy import func, insert, select, text
from tartip_cli.failures import Failure
from tartip_cli.provision.dead_letters import dead_letters as listed
from tartip_cli.provision.dead_letters import drive_again

SCHEMA = "chassis_scratch"
SUBJECT = "cameras.v1.registered"


async def emit(db: Database, *names: str) -> None:
    async with db.begin(SYSTEM) as tx:
        for name in names:
            tx.emit(Event(SUBJECT, f"test:{name}", 1, "KZ-75", StringValue(value=name)))


async def write(tx: Tx, event: StringValue, meta: Meta) -> None:
    await tx.execute(text("INSERT INTO effects VALUES (:name)"), {"name": event.value})


def of_tests_alone(handler: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """A service that another test started may publish on the same stream."""

    async def handle(tx: Tx, event: StringValue, meta: Meta) -> None:
        if meta.aggregate.startswith("test:"):
            await handler(tx, event, meta)

    return handle


@asynccontextmanager
async def flowing(
    db: Database,
    producer: Broker,
    consumer: Broker,
    handler: Callable[..., Awaitable[None]] = write,
) -> AsyncIterator[None]:
    relay = Relay(db, producer, source="scratch", streams=("CAMERAS",))
    consuming = Consumer(
        db,
        consumer,
        stream="CAMERAS",
        durable="inference-gateway",
        subscriptions={SUBJECT: Subscription(StringValue, of_tests_alone(handler))},
    )
    tasks = [asyncio.ensure_future(relay.run()), asyncio.ensure_future(consuming.run())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def effects(db: Database, *, at_least: int, quiet_seconds: float = 20.0) -> list[str]:
    """The names that were written, once there are so many; fails where no more come for a while."""
    names = await written(db)
    while len(names) < at_least:
        async with asyncio.timeout(quiet_seconds):
            while len(await written(db)) == len(names):
                await asyncio.sleep(0.1)
        names = await written(db)
    await asyncio.sleep(0.5)  # one too many would come now
    return await written(db)


async def written(db: Database) -> list[str]:
    async with db.begin(SYSTEM) as tx:
        rows = await tx.execute(text("SELECT name FROM effects"))
        return sorted(row.name for row in rows)


async def test_every_fact_has_its_effect_once(
    db: Database, producer: Broker, consumer_broker: Broker
) -> None:
    names = [f"{number:03d}" for number in range(100)]
    async with flowing(db, producer, consumer_broker):
        await emit(db, *names)
        assert await effects(db, at_least=100) == names


async def test_a_sealed_fact_is_readable_by_its_consumer_and_not_in_its_row(
    db: Database, producer: Broker, consumer_broker: Broker
) -> None:
    async with flowing(db, producer, consumer_broker):
        async with db.begin(SYSTEM) as tx:
            secret = StringValue(value="plate-like secret")
            tx.emit(Event(SUBJECT, "test:x", 1, "KZ-75", secret, sealed=True))
        assert await effects(db, at_least=1) == ["plate-like secret"]
    async with db.begin(SYSTEM) as tx:
        row = (await tx.execute(text("SELECT payload FROM outbox"))).one()
    assert b"secret" not in bytes(row.payload)


async def test_a_fact_published_twice_has_its_effect_once(
    db: Database, producer: Broker, consumer_broker: Broker
) -> None:
    async with flowing(db, producer, consumer_broker):
        await emit(db, "one")
        await effects(db, at_least=1)
        async with db.begin(SYSTEM) as tx:
            row = (await tx.execute(text("SELECT * FROM outbox"))).one()
        headers = {
            "ce-id": str(row.event_id),
            "tartip-aggregate": row.aggregate,
            "tartip-version": "1",
            "tartip-region": row.region,
            "tartip-story": row.story,
        }
        for _ in range(3):  # without a message id: the broker's own window does not help
            await producer.jetstream.publish(SUBJECT, row.payload, headers=headers)
        await emit(db, "two")
        assert await effects(db, at_least=2) == ["one", "two"]


async def test_a_handler_that_fails_first_is_asked_again(
    db: Database, producer: Broker, consumer_broker: Broker
) -> None:
    tries: list[str] = []

    async def fails_once(tx: Tx, event: StringValue, meta: Meta) -> None:
        tries.append(event.value)
        if tries.count(event.value) <= 2 and event.value == "slow":
            raise ValueError
        await write(tx, event, meta)

    async with flowing(db, producer, consumer_broker, fails_once):
        await emit(db, "slow", "quick")
        assert await effects(db, at_least=2) == ["quick", "slow"]


async def test_poison_stops_nothing_and_is_kept(
    db: Database, producer: Broker, consumer_broker: Broker
) -> None:
    async def poisoned(tx: Tx, event: StringValue, meta: Meta) -> None:
        if event.value == "bad":
            raise Poison("cannot be understood")
        await write(tx, event, meta)

    async with flowing(db, producer, consumer_broker, poisoned):
        await emit(db, "a", "bad", "b")
        assert await effects(db, at_least=2) == ["a", "b"]
    async with db.begin(SYSTEM) as tx:
        assert await tx.scalar(select(func.count()).select_from(dead_letters)) == 1


async def test_a_dead_letter_that_is_driven_again_has_its_effect_once(
    db: Database,
    producer: Broker,
    consumer_broker: Broker,
    postgres: Any,
    tmp_path: Path,
) -> None:
    is_mended = False

    async def poisoned(tx: Tx, event: StringValue, meta: Meta) -> None:
        if event.value == "bad" and not is_mended:
            raise Poison("cannot be understood")
        await write(tx, event, meta)

    owner = await asyncpg.connect(postgres.database.url)
    async with flowing(db, producer, consumer_broker, poisoned):
        await emit(db, "bad", "a")
        await effects(db, at_least=1)
        async with asyncio.timeout(60):
            while not (letters := await listed(owner, [SCHEMA])):
                await asyncio.sleep(0.1)
        is_mended = True
        [letter] = await drive_again(owner, [SCHEMA], letters[0].event_id, keys=tmp_path, by="t")
        assert await effects(db, at_least=2) == ["a", "bad"]
    assert await listed(owner, [SCHEMA]) == []
    with pytest.raises(Failure, match="no dead letter"):
        await drive_again(owner, [SCHEMA], letter.event_id, keys=tmp_path, by="t")
    await owner.close()


async def test_a_dead_letter_whose_event_is_no_longer_kept_says_so_and_stays(
    db: Database, postgres: Any, tmp_path: Path
) -> None:
    async with db.begin(SYSTEM) as tx:
        key = await tx.keys.new("dead_letter")
        await tx.execute(
            insert(dead_letters).values(
                event_id=str(uuid4()),
                subject=SUBJECT,
                key_id=key.key_id,
                payload=b"",
                headers="{}",
                error="poison",
            )
        )
    owner = await asyncpg.connect(postgres.database.url)
    [letter] = await listed(owner, [SCHEMA])
    with pytest.raises(Failure, match="seven days"):
        await drive_again(owner, [SCHEMA], letter.event_id, keys=tmp_path, by="t")
    assert await listed(owner, [SCHEMA]) == [letter]
    await owner.close()


async def test_what_is_too_slow_for_the_database_stops_nothing(
    db: Database, producer: Broker, consumer_broker: Broker
) -> None:
    is_slow = True

    async def slow(tx: Tx, event: StringValue, meta: Meta) -> None:
        if event.value == "bad" and is_slow:
            await tx.execute(text("SET LOCAL statement_timeout = '50ms'"))
            await tx.execute(text("SELECT pg_sleep(1)"))
        await write(tx, event, meta)

    async with flowing(db, producer, consumer_broker, slow):
        await emit(db, "a", "bad", "b")
        assert await effects(db, at_least=2) == ["a", "b"]
        is_slow = False
        assert await effects(db, at_least=3) == ["a", "b", "bad"]


async def test_while_the_clocks_differ_events_wait_and_none_is_given_up(
    db: Database, producer: Broker, consumer_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.consumer.DELAYS_SECONDS", (0.1,) * 5)
    ours, tries = [timedelta(0)], 0
    db._clock = lambda: system_clock() + ours[0]

    async def steps(tx: Tx, event: StringValue, meta: Meta) -> None:
        nonlocal tries
        tries += event.value == "skewed"  # the stream may still hold what other tests sent
        if tries == 1 and not ours[0]:
            ours[0] = timedelta(hours=26)
            with suppress(ClockUnsure):
                await db.ping()
            raise ClockUnsure
        await write(tx, event, meta)

    async with flowing(db, producer, consumer_broker, steps):
        await emit(db, "skewed")
        await asyncio.sleep(6)
        assert tries == 1
        ours[0] = timedelta(0)
        await db.ping()
        assert await effects(db, at_least=1) == ["skewed"]


async def test_an_event_that_was_delivered_too_often_is_kept_as_a_dead_letter(
    db: Database, producer: Broker, consumer_broker: Broker
) -> None:
    """As if the process died of it each time: fetched, never answered."""
    await emit(db, "deadly")
    relay = Relay(db, producer, source="scratch", streams=("CAMERAS",))
    publishing = asyncio.ensure_future(relay.run())
    bound = await consumer_broker.jetstream.pull_subscribe_bind(
        consumer="inference-gateway", stream="CAMERAS", inbox_prefix=consumer_broker.inbox_prefix
    )
    for _ in range(DELIVERIES_MAX):
        [message] = await bound.fetch(1, timeout=10)
        await message.nak()
    await bound.unsubscribe()
    publishing.cancel()
    async with flowing(db, producer, consumer_broker):
        await emit(db, "harmless")
        assert await effects(db, at_least=1) == ["harmless"]
    async with db.begin(SYSTEM) as tx:
        assert await tx.scalar(select(dead_letters.c.error)) == "delivered too often"


async def test_facts_that_the_broker_does_not_take_hold_up_no_others(
    db: Database, producer: Broker, consumer_broker: Broker
) -> None:
    async with db.begin(SYSTEM) as tx:
        for number in range(250):  # nobody's subject: refused, as a full stream refuses
            tx.emit(Event("fines.v1.issued", f"fine:{number}", 1, "KZ-75", StringValue()))
    await emit(db, "passes")
    async with flowing(db, producer, consumer_broker):
        assert await effects(db, at_least=1, quiet_seconds=20) == ["passes"]


async def test_losing_the_whole_stream_loses_nothing(
    db: Database, producer: Broker, consumer_broker: Broker, nats: Any
) -> None:
    relay = Relay(db, producer, source="scratch", streams=("CAMERAS",))
    await emit(db, "before")
    task = asyncio.ensure_future(relay.run())
    async with asyncio.timeout(60):
        while True:
            async with db.begin(SYSTEM) as tx:
                if await tx.scalar(
                    text("SELECT count(*) FROM outbox WHERE published_at IS NOT NULL")
                ):
                    break
            await asyncio.sleep(0.1)
    # Published and acknowledged, never consumed; now the broker forgets everything.
    await asyncio.to_thread(nats.delete_jetstream)
    await emit(db, "after")
    async with flowing(db, producer, consumer_broker):
        assert await effects(db, at_least=2, quiet_seconds=60) == ["after", "before"]
    task.cancel()
