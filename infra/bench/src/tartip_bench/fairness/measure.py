"""Measures how one partner's flood of calls affects other calls.

The other calls are the look-ups of another partner, and the emergency reports of both partners.
They are measured first without and then with the flood.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chassis.channels import peers_refusals
from chassis.clock import new_id, system_clock, to_timestamp
from chassis.refusals import Refusal
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import reports_pb2 as pb
from tartip.reports.v1.reports_pb2_grpc import CitizenReportsStub
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import inherited_environment
from tartip_cli.topology import CITIZEN_REPORTS

from tartip_bench.bench_mesh import ENGINES_ALONE, BenchMesh, running_bench_mesh
from tartip_bench.fairness.flood import ANSWERED, CONNECTIONS, OUTSTANDING, STREAMS
from tartip_bench.outcomes import Figure, Outcome
from tartip_bench.run import Run

if TYPE_CHECKING:
    from tartip.reports.v1.reports_pb2_grpc import CitizenReportsAsyncStub

GREEDY, NEIGHBOUR = "halyk", "kaspi"
LOOK_UPS_PER_SECOND = 25.0
EMERGENCIES_PER_SECOND = 2.0
CALL_SECONDS = 10.0
SETTLING_SECONDS = 3.0
TIMES = 3.0
WITHOUT_SERVICES = tuple(name for name in ENGINES_ALONE if name != CITIZEN_REPORTS.name)


@dataclass
class Flow:
    """The outcomes of one partner's calls of one kind. The field `seconds` holds the duration of
    each answered call, counted from the moment at which it was due. The field `refused` counts the
    refused calls by reason."""

    seconds: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def offered(self) -> int:
        return len(self.seconds) + self.refused.total()

    def percentile_ms(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3 if ordered else 0.0

    @property
    def summary(self) -> str:
        refused = ", ".join(f"{count} {reason}" for reason, count in self.refused.items())
        return f"{len(self.seconds)} of {self.offered} ({refused or 'none refused'})"


@dataclass(frozen=True)
class Phase:
    """The outcomes of all calls of one measuring period. One partner makes look-ups and emergency
    reports. The other partner, which also sends the flood, makes emergency reports."""

    look_ups: Flow
    emergencies: Flow
    # Of the partner that floods.
    own_emergencies: Flow


async def measure(run: Run) -> Outcome:
    """Measure the part `fairness` of the bench. Raises Failure if the flood ends with an error."""
    seconds = run.sized(full=60, quick=15)
    async with running_bench_mesh(WITHOUT_SERVICES) as bench:
        neighbour, greedy = (
            CitizenReportsStub(bench.outside.as_partner(name, CITIZEN_REPORTS))
            for name in (NEIGHBOUR, GREEDY)
        )
        number = await report(neighbour)
        run.report("warming up")
        await phase(neighbour, greedy, number, SETTLING_SECONDS)
        run.report(f"quiet, {seconds} s")
        quiet = await phase(neighbour, greedy, number, seconds)
        run.report(f"flood, {seconds} s")
        async with flooding(bench, await report(greedy)) as outcomes:
            await asyncio.sleep(SETTLING_SECONDS)
            flooded = await phase(neighbour, greedy, number, seconds)
    return Outcome(
        part="fairness",
        title="One partner floods citizen-reports, another goes on",
        figures=figures(quiet, flooded, outcomes),
        notes=(
            f"The flood: {STREAMS} streams and {OUTSTANDING} look-ups outstanding, each begun "
            "again as soon as it ends, and look-ups sent without waiting for answers, over "
            f"{CONNECTIONS} connection of one partner, as fast as a process can that runs only "
            "when no other does. The other partner sends "
            f"{LOOK_UPS_PER_SECOND:g} look-ups and {EMERGENCIES_PER_SECOND:g} emergencies "
            "(opened and submitted) a second, each when it is due; so do the flooding partner's "
            "emergencies, over a connection of their own. "
            "UNAVAILABLE is HTTP/2's refusal of more than 128 calls of a connection.",
        ),
        raw={
            "quiet_seconds": quiet.look_ups.seconds,
            "flooded_seconds": flooded.look_ups.seconds,
            "flood": outcomes,
        },
    )


def figures(quiet: Phase, flooded: Phase, flood: dict[str, Any]) -> tuple[Figure, ...]:
    """Return figures of both partners' calls during the flood, and of the flood itself. `quiet`
    holds the calls before the flood, and `flooded` those during it. `flood` holds the two counts
    that the program `fairness.flood` prints. Only look-ups are compared with those before the
    flood."""
    before, after = quiet.look_ups, flooded.look_ups
    times = after.percentile_ms(0.99) / max(before.percentile_ms(0.99), 1e-3)
    calls, streams = Counter(flood["calls"]), Counter(flood["streams"])
    return (
        Figure(
            name="the other partner's look-ups: p99",
            measured=f"{after.percentile_ms(0.99):.0f} ms (p50 {after.percentile_ms(0.5):.0f})",
            bare=f"quiet: {before.percentile_ms(0.99):.0f} ms "
            f"(p50 {before.percentile_ms(0.5):.0f})",
            target=f"under {TIMES:g} times the quiet one",
            met=bool(after.seconds) and times < TIMES,
        ),
        _all_taken("the other partner's look-ups: answered", after),
        _all_taken("the other partner's emergencies: taken", flooded.emergencies),
        _all_taken("the flooding partner's own emergencies: taken", flooded.own_emergencies),
        Figure(name="the flood: look-ups answered", measured=f"{calls.pop(ANSWERED, 0)}"),
        Figure(
            name="the flood: refused",
            measured=", ".join(
                f"{count} {reason}" for reason, count in (calls + streams).most_common()
            ),
        ),
    )


def _all_taken(name: str, flow: Flow) -> Figure:
    return Figure(
        name=name,
        measured=flow.summary,
        target="all",
        met=bool(flow.seconds) and not flow.refused,
    )


async def phase(
    neighbour: CitizenReportsAsyncStub, greedy: CitizenReportsAsyncStub, number: str, seconds: float
) -> Phase:
    found = Phase(Flow(), Flow(), Flow())

    async def look_up() -> None:
        with peers_refusals():
            await neighbour.GetReport(pb.GetReportRequest(number=number), timeout=CALL_SECONDS)

    async with asyncio.TaskGroup() as group:
        group.create_task(at_rate(look_up, found.look_ups, LOOK_UPS_PER_SECOND, seconds))
        for stub, flow in ((neighbour, found.emergencies), (greedy, found.own_emergencies)):
            group.create_task(
                at_rate(lambda stub=stub: report(stub), flow, EMERGENCIES_PER_SECOND, seconds)  # type: ignore[misc]
            )
    return found


async def at_rate(
    call: Callable[[], Awaitable[object]], flow: Flow, rate: float, seconds: float
) -> None:
    """Make calls for `seconds` at a fixed `rate` per second, without waiting for answers. The
    outcomes are added to `flow`."""
    began = time.perf_counter()

    async def one(due: float) -> None:
        try:
            await call()
        except Refusal as refusal:
            flow.refused[refusal.reason] += 1
        else:
            flow.seconds.append(time.perf_counter() - due)

    async with asyncio.TaskGroup() as group:
        for place in range(int(rate * seconds)):
            due = began + place / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(due))


async def report(stub: CitizenReportsAsyncStub) -> str:
    """Open and submit an emergency report (a road accident), and return the report's number. Raises
    Refusal if the service refuses the report."""
    request = pb.OpenReportRequest(
        report_id=str(new_id()),
        category=pb.CATEGORY_ROAD_ACCIDENT,
        place=common_pb2.Place(latitude=43.2330, longitude=76.9560, region="KZ-75"),
        occurred_at=to_timestamp(system_clock() - dt.timedelta(minutes=4)),
        text="Two cars collided at the crossing.",
        language="en",
    )
    with peers_refusals():
        await stub.OpenReport(request, timeout=CALL_SECONDS)
        submit = pb.SubmitReportRequest(report_id=request.report_id)
        return (await stub.SubmitReport(submit, timeout=CALL_SECONDS)).receipt.number


@asynccontextmanager
async def flooding(bench: BenchMesh, number: str) -> AsyncIterator[dict[str, Any]]:
    """Run the flood during the block; it looks up the report `number`. The yielded dictionary is
    empty until the block ends. It then holds the two counts that the program `fairness.flood`
    prints. Raises Failure if the flood fails."""
    pair = bench.outside.certificates.partner(GREEDY)
    files = (bench.outside.certificates.authority, pair.key, pair.certificate)
    flood = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tartip_bench.fairness.flood",
        bench.address(CITIZEN_REPORTS),
        *map(str, files),
        number,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=inherited_environment(),
    )
    outcomes: dict[str, Any] = {}
    try:
        yield outcomes
    finally:
        if flood.returncode is None:
            flood.terminate()
        out, errors = await flood.communicate()
    if flood.returncode != 0:
        raise Failure(f"the flood failed: {errors.decode()[-300:]}", Exit.PART_FAILED)
    outcomes.update(json.loads(out))
