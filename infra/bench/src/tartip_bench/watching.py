"""Functions that the bench's measurements of video streams share. They serve RTSP cameras, have the
gateway watch these cameras, and read the gateway's counts of frames and its events."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from chassis.channels import peers_refusals
from chassis.clock import system_clock
from tartip.common.v1 import common_pb2
from tartip.inference.v1 import events_pb2, functions_pb2, functions_pb2_grpc, streams_pb2_grpc
from tartip.inference.v1 import streams_pb2 as pb
from tartip_cli.clients.journeys import patiently
from tartip_cli.failures import Exit, Failure
from tartip_cli.topology import INFERENCE_GATEWAY

from tartip_bench.bench_mesh import BenchMesh

FRAMES_PER_SECOND = 1.0
_CALL_SECONDS = 30.0
_SERVER_SECONDS = 180.0
_ZONE_CROSSED = "inference.v1.zone_crossed"


@asynccontextmanager
async def camera_server(folder: Path) -> AsyncIterator[list[str]]:
    """Serve the bench's RTSP cameras from a separate process during the block, and yield their
    addresses. Raises Failure if the process does not start."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tartip_bench.camera_server",
        str(folder),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _SERVER_SECONDS)
        if not line:
            raise Failure("the RTSP cameras of the bench did not start", Exit.PART_FAILED)
        yield json.loads(line)
    finally:
        process.stdin.close()
        await process.wait()


@dataclass(frozen=True)
class Ledger:
    """The gateway's counts of frames, summed over all watched streams. The field `at` is the time
    at which the counts were read, by the clock of the event loop."""

    at: float
    offered: int
    looked_at: int
    unchanged: int
    dropped: dict[str, int]
    holds: bool
    """Whether, for each stream, offered = looked at + unchanged + dropped."""
    behind_seconds: float
    """For the stream whose counts are the oldest, the seconds since the time up to which its frames
    are counted."""

    @staticmethod
    def of(streams: Sequence[pb.Stream], at: float) -> Ledger:
        dropped: dict[str, int] = {}
        for stream in streams:
            for reason, frames in stream.counts.dropped.items():
                dropped[reason] = dropped.get(reason, 0) + frames
        now = system_clock()
        return Ledger(
            at,
            sum(stream.counts.offered for stream in streams),
            sum(stream.counts.looked_at for stream in streams),
            sum(stream.counts.unchanged for stream in streams),
            dropped,
            all(_holds(stream.counts) for stream in streams),
            max(
                (now - stream.counted_until.ToDatetime(dt.UTC)).total_seconds()
                for stream in streams
            ),
        )

    @property
    def summary(self) -> str:
        reasons = ", ".join(f"{frames} {reason}" for reason, frames in self.dropped.items())
        return (
            f"{self.offered} = {self.looked_at} looked at + {self.unchanged} unchanged + "
            f"{sum(self.dropped.values())} dropped ({reasons or 'none'})"
        )


def _holds(counts: pb.StreamCounts) -> bool:
    return counts.offered == counts.looked_at + counts.unchanged + sum(counts.dropped.values())


@dataclass(frozen=True)
class Cameras:
    """The cameras whose streams the gateway watches, with queries about these streams."""

    bench: BenchMesh
    ids: tuple[str, ...]

    async def streams(self) -> list[pb.Stream]:
        """Return what the gateway says about each watched stream. The call is repeated while the
        gateway is too busy to answer."""
        return await patiently(self._streams)

    async def _streams(self) -> list[pb.Stream]:
        stub = _streams(self.bench)
        wanted, found, token = set(self.ids), list[pb.Stream](), ""
        while True:
            page = common_pb2.Page(size=200, token=token)
            with peers_refusals():
                answer = await stub.ListStreams(
                    pb.ListStreamsRequest(page=page), timeout=_CALL_SECONDS
                )
            found += [stream for stream in answer.streams if stream.camera_id in wanted]
            token = answer.next_page_token
            if not token:
                return found

    async def ledger(self) -> Ledger:
        return Ledger.of(await self.streams(), asyncio.get_running_loop().time())

    async def delays(self) -> list[float]:
        """Return the sorted delays of all line crossings so far, in seconds. A delay is the time
        from the capture of the frame to the commit of the event."""
        connection = await asyncpg.connect(self.bench.mesh.database.url)
        try:
            rows = await connection.fetch(
                "SELECT payload, created_at FROM inference.outbox WHERE subject = $1",
                _ZONE_CROSSED,
            )
        finally:
            await connection.close()
        found = []
        for row in rows:
            crossed = events_pb2.ZoneCrossed.FromString(row["payload"])
            if crossed.camera_id in self.ids:
                captured = crossed.captured_at.ToDatetime(dt.UTC)
                found.append((row["created_at"] - captured).total_seconds())
        return sorted(found)


@asynccontextmanager
async def watched(
    bench: BenchMesh, addresses: Sequence[str], count: int, *, plates: int
) -> AsyncIterator[Cameras]:
    """Have the gateway watch `count` new cameras during the block. The cameras show the streams at
    `addresses` in turn. For all cameras, the gateway reports vehicles that cross a line; for the
    first `plates` cameras, it also reads plates."""
    cameras = [await bench.camera() for _ in range(count)]
    stub = _streams(bench)

    async def put(place: int, camera: str) -> None:
        request = pb.PutStreamRequest(
            camera_id=camera,
            address=addresses[place % len(addresses)],
            frames_per_second=FRAMES_PER_SECOND,
        )
        with peers_refusals():
            await stub.PutStream(request, timeout=_CALL_SECONDS)

    for place, camera in enumerate(cameras):
        await configure(bench, camera, line_function(plates=place < plates))
        await patiently(functools.partial(put, place, camera))
    found = Cameras(bench, tuple(cameras))
    try:
        yield found
    finally:
        for camera in cameras:
            with peers_refusals():
                await stub.RemoveStream(
                    pb.RemoveStreamRequest(camera_id=camera), timeout=_CALL_SECONDS
                )


def line_function(*, plates: bool, urgency: int = 0) -> functions_pb2.CameraFunctions:
    """Return a camera's configuration, by which the gateway reports cars, trucks and buses that
    cross a line. The line is horizontal and as wide as the picture; both directions count. With
    `plates`, the gateway also reads plates. `urgency` is a number of the protobuf enum Urgency."""
    functions = functions_pb2.CameraFunctions(urgency=urgency)  # type: ignore[arg-type]
    if plates:
        functions.plates.SetInParent()
    functions.lines.add(
        line=functions_pb2.DirectedLine(
            name="road",
            start=functions_pb2.Point(x=0.0, y=0.75),
            end=functions_pb2.Point(x=1.0, y=0.75),
        ),
        labels=["car", "truck", "bus"],
    )
    return functions


async def configure(
    bench: BenchMesh, camera: str, functions: functions_pb2.CameraFunctions
) -> None:
    stub = functions_pb2_grpc.FunctionsStub(bench.outside.as_command_line(INFERENCE_GATEWAY))
    request = functions_pb2.ConfigureCameraRequest(camera_id=camera, functions=functions)

    async def ask() -> None:
        with peers_refusals():
            await stub.ConfigureCamera(request, timeout=_CALL_SECONDS)

    await patiently(ask)


def _streams(bench: BenchMesh) -> streams_pb2_grpc.StreamsAsyncStub:
    return streams_pb2_grpc.StreamsStub(bench.outside.as_command_line(INFERENCE_GATEWAY))
