"""Measures how soon partners learn of changes: many streams of each partner, while thousands of
reports are open."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tartip.reports.v1 import reports_pb2
from tartip.reports.v1.reports_pb2_grpc import CitizenReportsStub
from tartip_cli.failures import Exit, Failure
from tartip_cli.topology import CITIZEN_REPORTS

from tartip_bench.bench_mesh import BenchMesh
from tartip_bench.outcomes import Figure
from tartip_bench.partner_calls import STREAMS
from tartip_bench.partner_load import a_report
from tartip_bench.run import Run

PARTNERS = ("kaspi", "egov", "halyk", "eurasian")
# Changes of a report that is handed in: received, then routed.
CHANGES = 2
FILLED_AT_ONCE = 16
CONNECTED_SECONDS = 3.0
PAUSE_SECONDS = 0.25
WAIT_SECONDS = 30.0
TARGET_SECONDS = 1.0
_CALL_SECONDS = 15.0


class Heard:
    """What the streams of all partners were told."""

    def __init__(self) -> None:
        self.at: dict[str, list[float]] = defaultdict(list)
        """The times at which each report's changes reached a stream, by the report's id."""

    async def follow(self, stub: Any) -> None:
        async for change in stub.WatchReports(reports_pb2.WatchReportsRequest()):
            self.at[change.report_id].append(time.perf_counter())


async def followed(run: Run, bench: BenchMesh) -> list[Figure]:
    """Return how long changes take to reach the streams. Raises Failure if a stream misses one."""
    filled = run.sized(full=10_000, quick=500)
    changed = run.sized(full=100, quick=20)
    streams = run.sized(full=STREAMS, quick=STREAMS // 4)
    stubs = [
        CitizenReportsStub(bench.outside.as_partner(name, CITIZEN_REPORTS)) for name in PARTNERS
    ]
    run.report(f"{filled:,} open reports")
    await _fill(stubs, filled)
    run.report(f"{streams * len(stubs)} streams, {changed} reports handed in")
    heard = Heard()
    took: list[float] = []
    async with following(heard, stubs, streams):
        for number in range(changed):
            stub = stubs[number % len(stubs)]
            request = a_report()
            await _hand_in(stub, request)
            answered = time.perf_counter()
            await _until_heard(heard, request.report_id, CHANGES * streams)
            took += (at - answered for at in heard.at[request.report_id])
            await asyncio.sleep(PAUSE_SECONDS)
    took.sort()
    slowest, p99, median = took[-1], took[int(len(took) * 0.99)], took[len(took) // 2]
    return [
        Figure(
            name=f"{filled:,} open reports, {streams * len(stubs)} streams of {len(stubs)} "
            "partners: from the answer to each stream",
            measured=f"slowest {slowest * 1e3:.0f} ms (p99 {p99 * 1e3:.0f}, p50 "
            f"{median * 1e3:.0f})",
            target=f"within {TARGET_SECONDS:g} s",
            met=slowest <= TARGET_SECONDS,
        )
    ]


@asynccontextmanager
async def following(heard: Heard, stubs: list[Any], streams: int) -> AsyncIterator[None]:
    """Keep `streams` streams of each partner open during the block."""
    tasks = [asyncio.create_task(heard.follow(stub)) for stub in stubs for _ in range(streams)]
    await asyncio.sleep(CONNECTED_SECONDS)
    try:
        if ended := [task for task in tasks if task.done()]:
            raise Failure(f"a stream ended: {ended[0].exception()}", Exit.PART_FAILED)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _until_heard(heard: Heard, report_id: str, times: int) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while len(heard.at[report_id]) < times:
        if time.monotonic() > until:
            told = len(heard.at[report_id])
            raise Failure(f"{told} of {times} changes reached a stream", Exit.PART_FAILED)
        await asyncio.sleep(0.01)


async def _fill(stubs: list[Any], count: int) -> None:
    left = iter(range(count))

    async def caller(stub: Any) -> None:
        for _ in left:
            await _hand_in(stub, a_report())

    async with asyncio.TaskGroup() as group:
        for number in range(FILLED_AT_ONCE):
            group.create_task(caller(stubs[number % len(stubs)]))


async def _hand_in(stub: Any, report: reports_pb2.OpenReportRequest) -> None:
    request = reports_pb2.HandInReportRequest(report=report)
    await stub.HandInReport(request, timeout=_CALL_SECONDS)
