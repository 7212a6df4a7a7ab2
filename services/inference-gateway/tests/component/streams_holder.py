"""A worker of this process that holds streams of its own beside the service."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import asyncpg
import pytest
from chassis.clock import new_id, system_clock
from chassis.db import Database
from chassis.event import Event
from chassis.tables import outbox
from chassis.transaction import SYSTEM, Tx
from inference_gateway.cameras.model import Camera
from inference_gateway.frames.events import OutboundEvent
from inference_gateway.frames.model import EmittedEvent, FrameResult
from inference_gateway.ingest.usecases import PendingResult
from inference_gateway.streams import storage
from inference_gateway.streams.assignment import StreamAssignment
from inference_gateway.streams.model import Stream
from inference_gateway.streams.usecases import seal_address
from inference_gateway.streams.watch import StreamWatch
from inference_gateway.streams.worker import CALLER, Worker
from sqlalchemy import delete, func, select, update
from tartip.inference.v1 import events_pb2
from tartip_testing.mesh import RunningTestMesh
from vault.keyring import Keyring

from .peers import SERVICE
from .processes import Process

REGION = "KZ-75"
ADDRESS = "rtsp://127.0.0.1:1/x"
SUBJECT = "inference.v1.crowd_formed"
NOTHING = cast(Any, None)  # what a test has no use for


@pytest.fixture
async def db(engines: RunningTestMesh, service: Process) -> AsyncIterator[Database]:
    told = engines.environment(SERVICE)
    database = Database(
        told["TARTIP_WORK_DATABASE_URL"],
        service="test",
        keyring=Keyring(Path(told["TARTIP_KEYS_DIR"])),
        clock=system_clock,
    )
    yield database
    await database.close()


class Undone(Exception):
    """Ends a transaction of which nothing is to stay."""


@dataclass
class Holder:
    """A worker that holds streams of its own, none of which is pulled."""

    db: Database
    worker: Worker
    cameras: list[UUID] = field(default_factory=list)

    async def hold(self, *facts: PendingResult) -> StreamAssignment:
        """A stream whose watch has these facts to tell."""
        camera_id = new_id()
        self.cameras.append(camera_id)
        address = seal_address(self.db.keyring, camera_id, ADDRESS)
        async with self.db.begin(SYSTEM) as tx:
            stream = await leased(tx, camera_id, self.worker.name, timedelta(hours=1), address)
        watch = StreamWatch(stream, ADDRESS, clock=self.worker.now, news=lambda: None)
        watch.keep(list(facts))
        kept = StreamAssignment(watch, asyncio.create_task(asyncio.sleep(0)))
        self.worker._assignments[camera_id] = kept
        return kept

    async def stream_of(self, kept: StreamAssignment) -> Stream:
        async with self.db.begin(SYSTEM) as tx:
            stream = await storage.stream_of(tx, kept.watch.stream.camera_id)
        assert stream is not None
        return stream

    async def told(self, facts: Sequence[PendingResult]) -> list[bool]:
        """Of each of the facts, whether it is in the outbox."""
        ids = [fact.facts[0].event.event_id for fact in facts]
        async with self.db.begin(SYSTEM) as tx:
            query = select(outbox.c.event_id).where(outbox.c.event_id.in_(ids))
            found = set((await tx.execute(query)).scalars())
        return [event_id in found for event_id in ids]


@pytest.fixture
async def holder(db: Database) -> AsyncIterator[Holder]:
    made = Holder(db, Worker(db, NOTHING, NOTHING, NOTHING))
    yield made
    async with db.begin(SYSTEM) as tx:
        mine = storage.streams.c.camera_id.in_(made.cameras)
        await tx.execute(delete(storage.streams).where(mine))


@pytest.fixture
def owner(engines: RunningTestMesh) -> Callable[[str], Awaitable[None]]:
    """Changes the service's schema as nobody may but its provisioner."""

    async def execute(statements: str) -> None:
        connection = await asyncpg.connect(engines.database.url)
        await connection.execute(f"SET search_path = inference; {statements}")
        await connection.close()

    return execute


async def leased(
    tx: Tx, camera_id: UUID, worker: str | None, lease: timedelta, address: bytes = b"sealed"
) -> Stream:
    """A stream that a worker holds, or nobody."""
    await storage.put_stream(tx, camera_id, REGION, address=address, frames_per_second=2.0)
    await tx.execute(
        update(storage.streams)
        .where(storage.streams.c.camera_id == camera_id)
        .values(worker=worker, leased_until=func.clock_timestamp() + lease if worker else None)
    )
    stream = await storage.stream_of(tx, camera_id)
    assert stream is not None
    return stream


def seen(*, event_id: UUID | None = None, frame_id: UUID | None = None) -> PendingResult:
    """A fact that is to be told."""
    camera = Camera(new_id(), REGION, 1, "SN-1", b"k" * 32, False)
    told = events_pb2.CrowdFormed(camera_id=str(camera.camera_id), region=REGION)
    event = Event(SUBJECT, str(new_id()), 1, REGION, told, event_id=event_id or new_id())
    result = FrameResult(frame_id or new_id(), datetime.now(UTC))
    return PendingResult(
        camera,
        CALLER,
        CALLER.scope,
        new_id().bytes,
        result,
        (OutboundEvent(event, EmittedEvent(event.event_id, SUBJECT)),),
        is_scene=True,
    )
