"""Measures the camera register's `GetStatistics`, called at half of the highest possible rate.

Each call is measured twice: by the caller over gRPC, and by the call's span inside the service. The
span leaves out gRPC, TLS and the caller.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import asyncpg
from tartip.cameras.v1 import cameras_pb2 as pb

from tartip_bench.bench_mesh import BenchMesh
from tartip_bench.chassis.load import Call, timed_in_turn
from tartip_bench.inside import Period, inside, now
from tartip_bench.outcomes import Figure
from tartip_bench.register.questions import Times, timed
from tartip_bench.run import Run

CALLERS = 16
TARGET_MS = 5.0
_FULL_COUNT = "SELECT region, status, count(*) FROM bare_cameras GROUP BY region, status"

_CALL = "tartip.cameras.v1.CameraRegistry/GetStatistics"


@dataclass(frozen=True)
class Asked:
    """The durations of calls of `GetStatistics`, once measured by the caller over gRPC, and once
    inside the service. The field `rate` is the number of calls per second."""

    rate: float
    over_grpc: Times
    inside: Times


async def statistics(
    run: Run, bench: BenchMesh, database: asyncpg.Connection[Any], stub: Any
) -> list[Figure]:
    """Measure `GetStatistics` of all regions, and a full count of the cameras in SQL for
    comparison. Returns the figures."""
    run.report(f"statistics, {CALLERS} callers")

    async def count() -> int:
        return len(await database.fetch(_FULL_COUNT))

    counted = await timed(count, calls=10)
    asked = await _asked(bench, stub, run.sized(full=20, quick=5))
    return _figures(asked, counted)


async def _asked(bench: BenchMesh, stub: Any, seconds: float) -> Asked:
    async def ask() -> object:
        return await stub.GetStatistics(pb.GetStatisticsRequest(), timeout=30)

    took, passed, _ = await timed_in_turn(ask, CALLERS, seconds)
    rate = len(took) / passed / 2
    began = now()
    times = await _open_loop(ask, rate, seconds)
    [took] = await inside(
        bench, ("tartip.cameras.v1.CameraRegistry/GetStatistics",), [Period(began, now())]
    )
    return Asked(rate, times, Times(1, took))


async def _open_loop(ask: Call, rate: float, seconds: float) -> Times:
    """Let each caller call when its calls are due, or as soon as its last one is answered; together
    that is `rate` a second. Times are from when a call was due."""
    began = time.perf_counter()
    milliseconds: list[float] = []

    async def caller(first: int) -> None:
        for number in range(first, int(rate * seconds), CALLERS):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await ask()
            milliseconds.append((time.perf_counter() - due) * 1e3)

    async with asyncio.TaskGroup() as group:
        for first in range(CALLERS):
            group.create_task(caller(first))
    return Times(1, milliseconds)


def _figures(asked: Asked, counted: Times) -> list[Figure]:
    name = f"statistics of the country, {CALLERS} callers, {asked.rate:,.0f} a second"
    return [
        Figure(
            name=f"{name}: inside the service",
            measured=f"{asked.inside.text} ({len(asked.inside.milliseconds):,} calls)",
            bare=f"{counted.text} (a full count, one caller)",
            target=f"p99 under {TARGET_MS:.0f} ms",
            met=asked.inside.percentile(0.99) < TARGET_MS,
        ),
        Figure(name=f"{name}: over gRPC", measured=asked.over_grpc.text),
    ]
