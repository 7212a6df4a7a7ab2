"""Compares handing in reports with a bare handler that writes two rows; then measures uploads,
streams of changes, and the desk with a million reports."""

from __future__ import annotations

from typing import Any

from tartip_cli.topology import CITIZEN_REPORTS

from tartip_bench.bench_mesh import ENGINES_ALONE, running_bench_mesh
from tartip_bench.chassis.measure import both
from tartip_bench.outcomes import Figure, Outcome, attempted
from tartip_bench.partner_calls import (
    CALLERS,
    CALLERS_MANY,
    CALLS_A_SECOND,
    Beside,
    Compared,
    Rounds,
    all_watched,
    widen,
    written_config,
)
from tartip_bench.reports.following import PARTNERS, followed
from tartip_bench.reports.million import desk
from tartip_bench.reports.uploads import uploaded
from tartip_bench.run import Run

WITHOUT = tuple(name for name in ENGINES_ALONE if name != CITIZEN_REPORTS.name)
ONE_CALL = "a report handed in by one call"
TWO_CALLS = "a report opened and submitted"
COMPARED = (
    Compared("Report", TWO_CALLS, CITIZEN_REPORTS, "Write", "pairs", share=0.5),
    Compared("HandIn", ONE_CALL, CITIZEN_REPORTS, "Write", share=0.8, half=True),
    Compared("HandIn", ONE_CALL, CITIZEN_REPORTS, "Write", share=1.2, callers=CALLERS_MANY),
)


async def measure(run: Run) -> Outcome:
    """Measure the part `reports` of the bench. Raises Failure if callers or a bare server end with
    an error, and Refusal if a partner's quota cannot be changed or a call is refused."""
    rounds = Rounds.of(run)
    scratch = run.scratch / "reports"
    figures: list[Figure] = []
    raw: dict[str, Any] = {}
    scratch.mkdir()
    async with running_bench_mesh(WITHOUT) as bench:
        await widen(bench, CITIZEN_REPORTS, *PARTNERS)
        async with both(bench, scratch) as servers:
            watched = await all_watched(bench, servers, (CITIZEN_REPORTS.name,))
            configs = [
                written_config(bench, scratch / f"callers-{number}.json", {})
                for number in range(rounds.count)
            ]
            beside = Beside(bench, servers, watched, configs)

            async def compare(each: Compared) -> list[Figure]:
                found, raw[each.what] = await beside.compare(run, each, rounds)
                return found

            for each in COMPARED:
                figures += await attempted(each.what, compare(each))
            figures += await beside.two_calls_at_least(run, rounds)
        figures += await attempted("uploads", uploaded(run, bench, scratch))
        figures += await attempted("streams of changes", followed(run, bench))
        figures += await attempted("a million reports", desk(run, bench))
    return Outcome(
        part="reports",
        title="Reports beside bare handlers (grpc.aio, asyncpg), over TLS",
        figures=tuple(figures),
        notes=(
            f"Callers, services, PostgreSQL and NATS share the cores. One partner calls, its quota "
            f"widened to {CALLS_A_SECOND:.0f} calls a second and {CALLERS_MANY} at once. Each "
            "report is a new one with its reporter. Processor time is that of the service (or bare "
            "server), of PostgreSQL and of the supervisor, which takes the spans, divided by the "
            "calls, beyond that at rest, with what they do after the last answer: events, spans, a "
            "report's look for duplicates. camera-registry does not run: the look for the cameras "
            f"near a report waits for it. Two calls of the chassis, {CALLERS} at once, that "
            "write one row each, with their commits shared, are the least that a report in two "
            "calls can cost on this chassis; what it costs beyond is its own.",
            "The bare byte sink takes the same pieces over gRPC and drops them; the service "
            "encrypts each piece and commits it before it answers. Memory is that of the service's "
            "own process; each file is examined in a process of its own.",
            "Of the million reports, 97 in 100 are closed; their rows are copies of a real one. "
            "Times of the desk are those inside the service, by its spans.",
        ),
        raw=raw,
    )
