"""Measures how long a worker takes to take over the cameras of a killed worker (kill -9)."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tartip.inference.v1 import streams_pb2 as pb
from tartip_cli.failures import Exit, Failure
from tartip_cli.parts.part import launched
from tartip_cli.ports import LOOPBACK, free_base
from tartip_cli.settings import inherited_environment
from tartip_cli.topology import INFERENCE_GATEWAY

from tartip_bench.bench_mesh import BenchMesh
from tartip_bench.outcomes import Figure, Outcome, Spread
from tartip_bench.run import Run
from tartip_bench.watching import Cameras, Ledger, camera_server, watched

CAMERAS = 16
TARGET_SECONDS = 10.0
_PATIENCE_SECONDS = 60.0


async def measure(run: Run) -> Outcome:
    bench = await run.bench_mesh()
    taken, ledgers = [], list[Ledger]()
    async with (
        camera_server(run.scratch) as addresses,
        watched(bench, addresses, CAMERAS, plates=0) as cameras,
    ):
        first = await _alone(cameras)
        for place in range(run.sized(full=5, quick=2)):
            run.report(f"kill {place + 1}")
            async with _second_worker(bench) as process:
                await _shared(cameras, first)
                process.send_signal(signal.SIGKILL)
                taken.append(await _taken_over(cameras, first))
            ledgers.append(await cameras.ledger())
    spread = Spread.of(taken)
    return Outcome(
        part="takeover",
        title=f"{CAMERAS} cameras of two workers, one killed with -9, {len(taken)} times",
        figures=(
            Figure(
                name="until the other has looked at every camera",
                measured=f"{spread.text(1)} s",
                target=f"{TARGET_SECONDS:.0f} s",
                met=spread.greatest <= TARGET_SECONDS,
            ),
            Figure(
                name="every frame accounted for",
                measured=ledgers[-1].summary,
                target="offered = looked at + unchanged + dropped",
                met=all(ledger.holds for ledger in ledgers),
            ),
        ),
        raw={"seconds": taken},
    )


@asynccontextmanager
async def _second_worker(bench: BenchMesh) -> AsyncIterator[subprocess.Popen[bytes]]:
    """Another copy of the gateway, on its own port."""
    process = await asyncio.to_thread(_start, bench)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        await asyncio.to_thread(process.wait)


def _start(bench: BenchMesh) -> subprocess.Popen[bytes]:
    environment = {
        **inherited_environment(),
        **bench.mesh.services.environment(INFERENCE_GATEWAY),
        "TARTIP_GRPC_ADDRESS": f"{LOOPBACK}:{free_base().base}",
    }
    with bench.mesh.home.log_of("second-worker").open("ab") as output:
        return subprocess.Popen(
            launched(
                (sys.executable, "-m", INFERENCE_GATEWAY.package, "serve"),
                user=None,
                death_signal=signal.SIGKILL,
            ),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


async def _alone(cameras: Cameras) -> str:
    """The id of the one worker that holds all cameras, once one does."""

    def one_worker(streams: list[pb.Stream]) -> bool:
        return len({stream.worker for stream in streams}) == 1 and bool(streams[0].worker)

    return (await _until(cameras, one_worker, "one worker holds all cameras"))[0].worker


async def _shared(cameras: Cameras, first: str) -> None:
    """Wait until the second worker holds its share and analyses it."""

    def fair(streams: list[pb.Stream]) -> bool:
        theirs = [stream for stream in streams if stream.worker not in ("", first)]
        live = all(stream.state == pb.STREAM_STATE_LIVE for stream in theirs)
        return len(theirs) >= len(streams) // 2 and live

    await _until(cameras, fair, "the second worker has its share")


async def _taken_over(cameras: Cameras, first: str) -> float:
    """Seconds until the first worker has analysed every camera that the other held."""
    began = asyncio.get_running_loop().time()
    orphans = {
        stream.camera_id: _analysed(stream)
        for stream in await cameras.streams()
        if stream.worker != first
    }
    if not orphans:
        raise Failure("the killed worker held nothing", Exit.PART_FAILED)

    def taken(streams: list[pb.Stream]) -> bool:
        return all(
            stream.worker == first and _analysed(stream) > orphans[stream.camera_id]
            for stream in streams
            if stream.camera_id in orphans
        )

    await _until(cameras, taken, "the cameras were taken over")
    return asyncio.get_running_loop().time() - began


def _analysed(stream: pb.Stream) -> int:
    return stream.counts.looked_at + stream.counts.unchanged


async def _until(
    cameras: Cameras, condition: Callable[[list[pb.Stream]], bool], what: str
) -> list[pb.Stream]:
    loop = asyncio.get_running_loop()
    until = loop.time() + _PATIENCE_SECONDS
    while loop.time() < until:
        streams = await cameras.streams()
        if condition(streams):
            return streams
        await asyncio.sleep(0.1)
    raise Failure(f"not in {_PATIENCE_SECONDS:.0f} s: {what}", Exit.PART_FAILED)
