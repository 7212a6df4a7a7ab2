"""Measures the processor time per frame with 1, 4, 16 and 64 cameras. The target is that this time
does not grow with the number of cameras."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tartip_bench.bench_mesh import BenchMesh
from tartip_bench.outcomes import Figure, Outcome
from tartip_bench.run import Run
from tartip_bench.watching import Cameras, camera_server, watched

COUNTS = (1, 4, 16, 64)
FLAT = 1.25
_PARTS = ("inference-gateway", "triton", "postgres")


@dataclass(frozen=True)
class _Step:
    cameras: int
    frames: int
    looked_at: int
    dropped: int
    idle: float
    spent: dict[str, float]
    seconds: float

    def cost_ms(self) -> float:
        """The processor time per frame in ms, after subtracting what the parts use when idle."""
        return (sum(self.spent.values()) - self.idle * self.seconds) / max(1, self.frames) * 1e3


async def measure(run: Run) -> Outcome:
    bench = await run.bench_mesh()
    seconds = run.sized(full=45, quick=12)
    run.report("nothing is watched")
    idle = await _idle(bench, run.sized(full=20, quick=8))
    steps = []
    async with camera_server(run.scratch) as addresses:
        for count in COUNTS:
            run.report(f"{count} cameras")
            steps.append(await _step(bench, addresses, count, seconds, idle))
    # A single camera may or may not show a car in this time; several show a share of both.
    base = steps[-2]
    ratio = steps[-1].cost_ms() / base.cost_ms()
    return Outcome(
        part="growth",
        title=f"Processor time a frame, {seconds} s for each number of cameras",
        figures=(
            *(
                Figure(
                    name=f"{step.cameras} camera" + "s" * (step.cameras > 1),
                    measured=f"{step.cost_ms():.1f} ms a frame ({step.frames} frames, "
                    f"{step.looked_at} looked at, {step.dropped} dropped)",
                )
                for step in steps
            ),
            Figure(
                name=f"{steps[-1].cameras} cameras beside {base.cameras}, a frame",
                measured=f"{ratio:.2f}",
                target=f"at most {FLAT}",
                met=ratio <= FLAT,
            ),
        ),
        notes=(
            "Gateway, Triton and PostgreSQL together, without what they spend when nothing is "
            f"watched ({idle * 100:.1f} % of a core).",
        ),
        raw={"steps": [vars(step) for step in steps]},
    )


async def _idle(bench: BenchMesh, seconds: float) -> float:
    """The number of busy cores while nothing is watched."""
    before = bench.cpu_seconds(*_PARTS)
    await asyncio.sleep(seconds)
    return (bench.cpu_seconds(*_PARTS) - before) / seconds


async def _step(
    bench: BenchMesh, addresses: list[str], count: int, seconds: float, idle: float
) -> _Step:
    async with watched(bench, addresses, count, plates=0) as cameras:
        await _all_seen(cameras, count)
        first, before = await cameras.ledger(), _spent(bench)
        await asyncio.sleep(seconds)
        last, after = await cameras.ledger(), _spent(bench)
    return _Step(
        count,
        last.offered - first.offered,
        last.looked_at - first.looked_at,
        sum(last.dropped.values()) - sum(first.dropped.values()),
        idle,
        {part: after[part] - before[part] for part in _PARTS},
        last.at - first.at,
    )


async def _all_seen(cameras: Cameras, count: int) -> None:
    """Wait until every camera was analysed about once, for a limited time."""
    for _ in range(100):
        if (await cameras.ledger()).looked_at >= count:
            return
        await asyncio.sleep(0.3)


def _spent(bench: BenchMesh) -> dict[str, float]:
    return {part: bench.cpu_seconds(part) for part in _PARTS}
