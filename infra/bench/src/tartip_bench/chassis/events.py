"""`python -m tartip_bench.chassis.events ROLE CONFIG EVENTS`: times one side of event delivery.

The roles `publish` and `consume` are the bare sides, with nats-py and asyncpg. The roles `relay`
(the outbox relay) and `handle` (the consumer) are the sides of the chassis. The role `fill` writes
the outbox rows that `relay` publishes.

EVENTS is the number of events. CONFIG is the configuration file of `chassis.server` with the
address and credentials for NATS. Prints a JSON list of two times, the start and the end, in seconds
of the machine's monotonic clock. The function of each role returns these two times.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from uuid import UUID

import asyncpg
import uvloop
from chassis.clock import new_id, system_clock
from chassis.db import Database
from chassis.event import Event
from chassis.tables import outbox
from chassis.transaction import SYSTEM, Tx
from google.protobuf.wrappers_pb2 import StringValue
from host.broker import Broker, client_tls
from host.consumer import BATCH as CONSUMED_AT_ONCE
from host.consumer import Consumer, Meta, Subscription
from host.outbox import BATCH as PUBLISHED_AT_ONCE
from host.outbox import Relay
from sqlalchemy import Select, delete, func, select
from vault.keyring import Keyring

from tartip_bench.chassis.load import read_config
from tartip_bench.chassis.schema import REGION, notes

SUBJECT, STREAM = "cameras.v1.registered", "CAMERAS"
USERS = {"publisher": "camera-registry", "consumer": "inference-gateway"}
LOOK_SECONDS = 0.02
_INSERT = "INSERT INTO bare_notes (note_id, content) VALUES ($1, $2)"
_UNPUBLISHED = select(func.count()).where(outbox.c.published_at.is_(None))
_EFFECTS = select(func.count()).select_from(notes).where(notes.c.content == "bench")
Moments = tuple[float, float]


async def broker_of(config: dict[str, str], side: str) -> Broker:
    """Connect to NATS with the certificate and seed of a service. `side` says which service:
    "publisher" or "consumer"."""
    files = {name: Path(config[f"{side}_{name}"]) for name in ("certificate", "key", "seed")}
    authority = Path(config["caller_authority"])
    return await Broker.connect(
        config["nats"],
        name=USERS[side],
        seed_file=files["seed"],
        tls=client_tls(files["certificate"], files["key"], authority),
    )


def database_of(config: dict[str, str]) -> Database:
    keyring = Keyring(Path(config["keys"]), new_id=new_id)
    return Database(config["database"], service="bench", keyring=keyring, clock=system_clock)


async def publish(config: dict[str, str], count: int) -> Moments:
    """Publish `count` events with nats-py alone, and await JetStream's acknowledgements.
    PUBLISHED_AT_ONCE events are sent at a time. Returns the times of start and end."""
    broker = await broker_of(config, "publisher")
    began = time.monotonic()
    for start in range(0, count, PUBLISHED_AT_ONCE):
        calls = []
        for _ in range(min(PUBLISHED_AT_ONCE, count - start)):
            content = StringValue(value=str(new_id())).SerializeToString()
            calls.append(broker.jetstream.publish(SUBJECT, content))
        await asyncio.gather(*calls)
    ended = time.monotonic()
    await broker.close()
    return began, ended


async def consume(config: dict[str, str], count: int) -> Moments:
    """Consume `count` events with nats-py and asyncpg alone: insert the rows of a batch in one
    transaction, then acknowledge the events of the batch. Returns the times of start and end."""
    broker = await broker_of(config, "consumer")
    connection = await asyncpg.connect(config["database"])
    pulling = await broker.jetstream.pull_subscribe_bind(
        consumer=USERS["consumer"], stream=STREAM, inbox_prefix=broker.inbox_prefix
    )
    began = time.monotonic()
    left = count
    while left > 0:
        messages = await pulling.fetch(CONSUMED_AT_ONCE, timeout=5)
        rows = [(UUID(StringValue.FromString(message.data).value), "bench") for message in messages]
        async with connection.transaction():
            await connection.executemany(_INSERT, rows)
        for message in messages:
            await message.ack()
        left -= len(messages)
    ended = time.monotonic()
    await connection.close()
    await broker.close()
    return began, ended


async def fill(config: dict[str, str], count: int) -> Moments:
    """Delete all rows of the outbox and write `count` new events to it through the chassis. Returns
    the times of start and end."""
    db = database_of(config)
    async with db.begin(SYSTEM) as tx:
        await tx.execute(delete(outbox))
    began = time.monotonic()
    for start in range(0, count, PUBLISHED_AT_ONCE):
        async with db.begin(SYSTEM) as tx:
            for _ in range(min(PUBLISHED_AT_ONCE, count - start)):
                note_id = new_id()
                content = StringValue(value=str(note_id))
                tx.emit(Event(SUBJECT, f"note:{note_id}", 1, REGION, content))
    await db.close()
    return began, time.monotonic()


async def relay(config: dict[str, str], count: int) -> Moments:
    """Run the chassis's outbox relay until every row of the outbox is published. The argument
    `count` is ignored. Returns the times of start and end."""
    db, broker = database_of(config), await broker_of(config, "publisher")
    running = asyncio.create_task(Relay(db, broker, source="bench", streams=()).run())
    began = time.monotonic()
    await _until(db, _UNPUBLISHED, 0)
    ended = time.monotonic()
    running.cancel()
    await asyncio.wait([running])
    await broker.close()
    await db.close()
    return began, ended


async def handle(config: dict[str, str], count: int) -> Moments:
    """Run the chassis's consumer until its handler has inserted `count` rows, one row per event.
    Returns the times of start and end."""
    db, broker = database_of(config), await broker_of(config, "consumer")
    subscriptions = {SUBJECT: Subscription(StringValue, _add_note)}
    consumer = Consumer(
        db,
        broker,
        stream=STREAM,
        durable=USERS["consumer"],
        subscriptions=subscriptions,
    )
    async with db.begin(SYSTEM) as tx:
        before = int(await tx.scalar(_EFFECTS))
    running = asyncio.create_task(consumer.run())
    began = time.monotonic()
    await _until(db, _EFFECTS, before + count)
    ended = time.monotonic()
    await asyncio.sleep(LOOK_SECONDS)  # the last acknowledgements
    running.cancel()
    await asyncio.wait([running])
    await broker.close()
    await db.close()
    return began, ended


async def _add_note(tx: Tx, event: StringValue, meta: Meta) -> None:
    row = {"note_id": UUID(event.value), "region": meta.region, "content": "bench"}
    tx.add(notes, row)


async def _until(db: Database, counted: Select[int], count: int) -> None:
    while True:
        async with db.begin(SYSTEM) as tx:
            if await tx.scalar(counted) == count:
                return
        await asyncio.sleep(LOOK_SECONDS)


ROLES = {role.__name__: role for role in (publish, consume, fill, relay, handle)}

if __name__ == "__main__":
    role, config, count = sys.argv[1:]
    moments = uvloop.run(ROLES[role](read_config(Path(config)), int(count)))
    print(json.dumps(moments))
