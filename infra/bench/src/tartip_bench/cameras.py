"""Measures many RTSP cameras watched for a long time: whether every frame is accounted for, the
delay of events, the growth of memory, and the recovery after a pause of the gateway."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
from dataclasses import dataclass

from tartip_bench.bench_mesh import BenchMesh
from tartip_bench.outcomes import Figure, Outcome
from tartip_bench.run import Run
from tartip_bench.watching import Cameras, Ledger, camera_server, watched

CAMERAS = 32
PLATES = 4
DELAY_SECONDS = 1.5
GROWTH_MIB = 20
STOPPED_SECONDS = 15.0
CAUGHT_UP_SECONDS = 4.0
_SAMPLE_SECONDS = 5.0
_PATIENCE_SECONDS = 60.0
_GATEWAY = "inference-gateway"


@dataclass(frozen=True)
class _Sample:
    ledger: Ledger
    memory_mib: float
    cpu_seconds: float


async def measure(run: Run) -> Outcome:
    bench = await run.bench_mesh()
    seconds = run.sized(full=1800, quick=80)
    async with (
        camera_server(run.scratch) as addresses,
        watched(bench, addresses, CAMERAS, plates=PLATES) as cameras,
    ):
        samples = await _watch(run, bench, cameras, seconds)
        delays = await cameras.delays()
        run.report(f"the gateway is paused for {STOPPED_SECONDS:.0f} s")
        caught_up, after = await _stopped(bench, cameras)
    return Outcome(
        part="cameras",
        title=f"{CAMERAS} cameras at 1 frame a second over RTSP for {seconds} s, "
        f"{PLATES} of them reading plates",
        figures=(
            *_frames(samples),
            _delay(delays),
            _growth(samples),
            _stop(caught_up, after),
        ),
        notes=(f"At the end: {after.summary}.",),
        raw={
            "samples": [
                {
                    **vars(sample.ledger),
                    "memory_mib": sample.memory_mib,
                    "cpu_seconds": sample.cpu_seconds,
                }
                for sample in samples
            ],
            "delays_seconds": delays,
        },
    )


async def _watch(run: Run, bench: BenchMesh, cameras: Cameras, seconds: int) -> list[_Sample]:
    loop = asyncio.get_running_loop()
    began, samples = loop.time(), list[_Sample]()
    while (passed := loop.time() - began) < seconds:
        await asyncio.sleep(min(_SAMPLE_SECONDS, seconds - passed))
        ledger = await cameras.ledger()
        sample = _Sample(ledger, bench.memory_bytes(_GATEWAY) / 2**20, bench.cpu_seconds(_GATEWAY))
        samples.append(sample)
        run.report(f"{loop.time() - began:.0f} of {seconds} s, {ledger.summary}")
    return samples


async def _stopped(bench: BenchMesh, cameras: Cameras) -> tuple[float | None, Ledger]:
    """Seconds until all frames are accounted for again after a pause; None if too long."""
    pid, loop = bench.pid(_GATEWAY), asyncio.get_running_loop()
    before = await cameras.ledger()
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(STOPPED_SECONDS)
    finally:
        os.kill(pid, signal.SIGCONT)
    began = loop.time()
    while loop.time() - began < _PATIENCE_SECONDS:
        ledger = await cameras.ledger()
        if ledger.behind_seconds < CAUGHT_UP_SECONDS and ledger.looked_at > before.looked_at:
            return loop.time() - began, ledger
        await asyncio.sleep(0.2)
    return None, await cameras.ledger()


def _frames(samples: list[_Sample]) -> tuple[Figure, ...]:
    last = samples[-1].ledger
    lost = sum(last.dropped.values()) / max(1, last.offered)
    return (
        Figure(
            name="every frame accounted for, in every sample",
            measured=last.summary,
            target="offered = looked at + unchanged + dropped",
            met=all(sample.ledger.holds for sample in samples),
        ),
        Figure(name="dropped", measured=f"{lost:.1%}"),
        Figure(
            name="farthest behind in accounting",
            measured=f"{max(sample.ledger.behind_seconds for sample in samples):.1f} s",
        ),
    )


def _delay(delays: list[float]) -> Figure:
    if not delays:
        return Figure(
            name="from frame to event, p95",
            measured="no event",
            target=f"under {DELAY_SECONDS} s",
            met=False,
        )
    late = delays[min(len(delays) - 1, int(0.95 * len(delays)))]
    return Figure(
        name="from frame to event, p95",
        measured=f"{late:.2f} s (median {statistics.median(delays):.2f} s, {len(delays)} events)",
        target=f"under {DELAY_SECONDS} s",
        met=late < DELAY_SECONDS,
    )


def _growth(samples: list[_Sample]) -> Figure:
    """The growth from the second tenth of the time, after the warm-up, to the last."""
    tenth = max(1, len(samples) // 10)
    early = statistics.median(sample.memory_mib for sample in samples[tenth : 2 * tenth + 1])
    late = statistics.median(sample.memory_mib for sample in samples[-tenth:])
    return Figure(
        name="growth of the gateway's memory",
        measured=f"{late - early:+.1f} MiB ({early:.0f} to {late:.0f})",
        target=f"under {GROWTH_MIB} MiB",
        met=late - early < GROWTH_MIB,
    )


def _stop(caught_up: float | None, after: Ledger) -> Figure:
    return Figure(
        name=f"after standing still for {STOPPED_SECONDS:.0f} s, all accounted for and looking on",
        measured=f"{caught_up:.1f} s" if caught_up is not None else "not in a minute",
        target="never wedged",
        met=caught_up is not None and after.holds,
    )
