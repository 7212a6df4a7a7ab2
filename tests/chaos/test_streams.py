"""Sixteen streams are watched while Triton, a worker, NATS and Postgres are killed in turn.

Every frame that was due is accounted for, every event is told once, and watching goes on.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import cv2
import grpc
import numpy as np
import pytest
from chassis.clock import from_timestamp, new_id
from tartip.common.v1 import common_pb2
from tartip.inference.v1 import streams_pb2 as pb
from tartip.inference.v1 import streams_pb2_grpc
from tartip_cli.clients.partner import Outside
from tartip_cli.parts.part import launched
from tartip_cli.ports import LOOPBACK, free_base
from tartip_cli.settings import inherited_environment
from tartip_cli.topology import service_named
from tartip_scenes.clips import clip_of, film_of
from tartip_scenes.rtsp import RtspServer
from tartip_scenes.scenes import Light, draw_film
from tartip_testing.mesh import RunningTestMesh

pytestmark = pytest.mark.mesh
NIGHTLY = bool(os.environ.get("TARTIP_NIGHTLY"))
SERVICE = service_named("inference-gateway")
STREAMS, RATE = 16, 1.0
FILM_RATE = 5
PARTS = ("triton", "inference-gateway", "nats", "postgres")
ROUNDS = 8 if NIGHTLY else 1
BETWEEN_SECONDS = 14.0 if NIGHTLY else 6.0
PATIENCE_SECONDS = 180.0
EVENT_STREAMS = ("INFERENCE", "SIGHTINGS")


@pytest.fixture(scope="module")
def cameras() -> Iterator[RtspServer]:
    """Each shows a car that passes and then an empty street, and begins where no other does."""
    passing = [
        cv2.resize(scene.picture, (960, 540), interpolation=cv2.INTER_AREA)
        for scene in draw_film(5, frames=10, text="725BDE07", light=Light.DAY)
    ]
    empty = [np.full_like(passing[0], 90)] * 30
    server = RtspServer(clip_of(film_of([*passing, *empty], rate=FILM_RATE, key_every=10)))
    for number in range(STREAMS):
        film = [*empty[: number * 2], *passing, *empty[number * 2 :]]
        server.put(f"cam{number}", clip_of(film_of(film, rate=FILM_RATE, key_every=10)))
    yield server
    server.stop()


@dataclass
class Watched:
    """The streams as the service tells of them, through kills of the service."""

    outside: Outside
    put_at: dict[str, float] = field(default_factory=dict)
    last: dict[str, pb.Stream] = field(default_factory=dict)
    asked: int = 0

    async def put(self, camera_id: str, address: str) -> None:
        request = pb.PutStreamRequest(camera_id=camera_id, address=address, frames_per_second=RATE)
        answer = await self._stub().PutStream(request, timeout=20)
        self.put_at[camera_id] = from_timestamp(answer.stream.put_at).timestamp()

    async def remove_all(self) -> None:
        for camera_id in self.put_at:
            with suppress(grpc.RpcError):
                await self._stub().RemoveStream(
                    pb.RemoveStreamRequest(camera_id=camera_id), timeout=10
                )

    async def ask(self) -> dict[str, pb.Stream]:
        """Every answer is held against the one before: nothing goes back, nothing is left over."""
        request = pb.ListStreamsRequest(page=common_pb2.Page(size=100))
        answer = await self._stub().ListStreams(request, timeout=10)
        streams = {s.camera_id: s for s in answer.streams if s.camera_id in self.put_at}
        assert streams.keys() == self.put_at.keys()
        for camera_id, stream in streams.items():
            self._check(stream, self.last.get(camera_id))
        self.last, self.asked = streams, self.asked + 1
        return streams

    def _check(self, stream: pb.Stream, before: pb.Stream | None) -> None:
        counts, put_at = stream.counts, self.put_at[stream.camera_id]
        assert from_timestamp(stream.put_at).timestamp() == put_at
        # What was due by then, by the clock alone.
        until = from_timestamp(stream.counted_until).timestamp()
        assert counts.offered == round((until - put_at) * stream.frames_per_second)
        done = counts.looked_at + counts.unchanged
        assert counts.offered == done + sum(counts.dropped.values())
        if before is not None:
            assert stream.generation >= before.generation
            assert counts.offered >= before.counts.offered
            assert done >= before.counts.looked_at + before.counts.unchanged
            if stream.worker and before.worker and stream.worker != before.worker:
                assert stream.generation > before.generation, "two held one lease"

    async def keep_asking(self) -> None:
        while True:
            with suppress(grpc.RpcError):
                await self.ask()
            await asyncio.sleep(0.5)

    async def until_all(self, holds: Any, *, what: str) -> dict[str, pb.Stream]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with suppress(grpc.RpcError):
                streams = await self.ask()
                if all(holds(stream) for stream in streams.values()):
                    return streams
            assert time.monotonic() < deadline, (what, self.told())
            await asyncio.sleep(0.5)

    def told(self) -> list[str]:
        return [
            f"{s.state} at {s.worker}: {seen(s)} seen, {s.counts.dropped}"
            for s in self.last.values()
        ]

    async def until_shared(self) -> None:
        """Two copies hold half of the streams each."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            held = Counter(stream.worker for stream in (await self.ask()).values())
            if "" not in held and sorted(held.values()) == [STREAMS // 2] * 2:
                return
            assert time.monotonic() < deadline, held
            await asyncio.sleep(0.5)

    def _stub(self) -> streams_pb2_grpc.StreamsStub:
        return streams_pb2_grpc.StreamsStub(self.outside.as_command_line(SERVICE))


def seen(stream: pb.Stream) -> int:
    return int(stream.counts.looked_at + stream.counts.unchanged)


@pytest.mark.nightly
async def test_every_frame_is_accounted_for_and_every_event_told_once(
    mesh: RunningTestMesh, outside: Outside, cameras: RtspServer
) -> None:
    mesh.wait_ready()
    watched = Watched(outside)
    began = await last_messages(mesh)
    [known] = await asked(mesh, "SELECT coalesce(max(position), 0) AS position FROM outbox")
    camera_ids = [await registered(outside, number) for number in range(STREAMS)]
    try:
        with second_worker(mesh):
            for number, camera_id in enumerate(camera_ids):
                await watched.put(camera_id, cameras.address_of(f"cam{number}"))
            await watched.until_shared()
            await watched.until_all(lambda s: seen(s) > 2, what="all are seen")
            async with kept_asking(watched):
                for part in PARTS * ROUNDS:
                    await asyncio.to_thread(mesh.kill, part)
                    await asyncio.sleep(BETWEEN_SECONDS)
            await asyncio.to_thread(mesh.wait_ready)
            before = {camera_id: seen(stream) for camera_id, stream in watched.last.items()}
            ended = await watched.until_all(
                lambda s: seen(s) > before[s.camera_id] + 2, what="all are seen after the kills"
            )
    finally:
        await watched.remove_all()
    dropped: Counter[str] = Counter()
    for stream in ended.values():
        dropped.update(stream.counts.dropped)
    assert dropped["no_worker"] > 0, "a worker was killed and nobody missed it"
    assert max(stream.generation for stream in ended.values()) > 1
    rows = await outbox_since(mesh, known["position"])
    kept = await asked(
        mesh, "SELECT frame_id FROM frames WHERE camera_id::text = ANY($1)", camera_ids
    )
    assert kept, "cars passed and nothing was told"
    assert len(rows) >= len(kept)
    assert len(set(rows)) == len(rows)
    told = await told_since(mesh, began)
    assert {event: told[event] for event in rows} == dict.fromkeys(rows, 1)


@asynccontextmanager
async def kept_asking(watched: Watched) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(watched.keep_asking())
        yield
        task.cancel()


async def registered(outside: Outside, number: int) -> str:
    """An overview camera of its own."""
    camera_id = str(new_id())
    place = {
        "latitude": 43.2,
        "longitude": 76.9,
        "region": "KZ-75",
        "address": f"Sample street {number}",
    }
    description = {
        "name": f"Sample stream {number}",
        "place": place,
        "kind": "overview",
        "serial": f"ST-{camera_id[-12:]}",
        "make": "Tartip",
        "model": "Sample 1",
        "azimuth_degrees": 90.0,
        "owner_bin": "100140000003",
        "connected": True,
        "functions": ["plate", "vehicle"],
        "verifications": [],
        "device_key": "",
        "certificate_number": "",
        "speed_tolerance_kmh": 0.0,
        "dedupe_seconds": 600,
    }
    desk = outside.as_operator("cameras-1")
    await desk.post("/v1/cameras", {"camera_id": camera_id, "description": description})
    return camera_id


@contextmanager
def second_worker(mesh: RunningTestMesh) -> Iterator[None]:
    """Another copy of the inference gateway, on a port of its own."""
    environment = {
        **inherited_environment(),
        **mesh.environment(SERVICE.name),
        "TARTIP_GRPC_ADDRESS": f"{LOOPBACK}:{free_base().base}",
    }
    with mesh.home.log_of("second-worker").open("ab") as output:
        process = subprocess.Popen(
            launched(
                (sys.executable, "-m", SERVICE.package, "serve"),
                user=None,
                death_signal=signal.SIGKILL,
            ),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield
        assert process.poll() is None, "the second copy ended by itself"
    finally:
        process.terminate()
        process.wait(60)


async def outbox_since(mesh: RunningTestMesh, position: int) -> list[str]:
    """The events that were told since, once all of them are published."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        rows = await asked(
            mesh, "SELECT event_id, published_at FROM outbox WHERE position > $1", position
        )
        if all(row["published_at"] is not None for row in rows):
            return [str(row["event_id"]) for row in rows]
        assert time.monotonic() < deadline, "not all is published"
        await asyncio.sleep(0.5)


async def asked(mesh: RunningTestMesh, query: str, *values: object) -> list[Any]:
    """Rows of the service's schema, seen by the provisioner whom no row is hidden from."""
    connection = await asyncpg.connect(mesh.database.url)
    try:
        await connection.execute("SET search_path = inference")
        return list(await connection.fetch(query, *values))
    finally:
        await connection.close()


async def last_messages(mesh: RunningTestMesh) -> dict[str, int]:
    client = await mesh.nats_client("provisioner")
    try:
        stream_info = client.jetstream().stream_info
        return {name: (await stream_info(name)).state.last_seq for name in EVENT_STREAMS}
    finally:
        await client.close()


async def told_since(mesh: RunningTestMesh, began: dict[str, int]) -> Counter[str]:
    """How often each event is in JetStream, by its id."""
    client, told = await mesh.nats_client("provisioner"), Counter[str]()
    try:
        jetstream = client.jetstream()
        for name, first in began.items():
            last = (await jetstream.stream_info(name)).state.last_seq
            for number in range(first + 1, last + 1):
                message = await jetstream.get_msg(name, number)
                told[(message.headers or {})["Nats-Msg-Id"]] += 1
    finally:
        await client.close()
    return told
