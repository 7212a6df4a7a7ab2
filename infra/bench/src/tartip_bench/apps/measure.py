"""Compares the calls of a partner about fines with calls of a bare handler, which reads one row or
writes two rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tartip_cli.topology import FINES

from tartip_bench.apps.fines import delivered
from tartip_bench.bench_mesh import ENGINES_ALONE, BenchMesh, running_bench_mesh
from tartip_bench.chassis.measure import both
from tartip_bench.outcomes import Figure, Outcome
from tartip_bench.partner_calls import (
    CALLERS_MANY,
    CALLS_A_SECOND,
    PARTNER,
    Beside,
    Compared,
    Rounds,
    all_watched,
    widen,
    written_config,
)
from tartip_bench.run import Run

WITHOUT = tuple(name for name in ENGINES_ALONE if name != FINES.name)
# Fines that are looked up and quoted again and again, and those that a round pays at most.
OPEN_FINES = 100
PAID_A_SECOND = 80
COMPARED = (
    Compared("QuoteFine", "a fine quoted by its number", FINES, "Read"),
    Compared("LookupFines", "fines looked up by IIN", FINES, "Read"),
    Compared("PayFine", "a fine paid, each once", FINES, "Write"),
)


async def measure(run: Run) -> Outcome:
    """Measure the part `apps` of the bench. Raises Failure if fines are not issued, or if the
    callers or the bare server end with an error; raises Refusal if the partner's quota cannot be
    changed."""
    rounds = Rounds.of(run)
    scratch = run.scratch / "apps"
    figures: list[Figure] = []
    raw: dict[str, Any] = {}
    scratch.mkdir()
    async with running_bench_mesh(WITHOUT) as bench, both(bench, scratch) as servers:
        await widen(bench, FINES, PARTNER)
        watched = await all_watched(bench, servers, (FINES.name,))
        beside = Beside(bench, servers, watched, await configs_of(run, bench, scratch, rounds))
        for each in COMPARED:
            found, raw[each.what] = await beside.compare(run, each, rounds)
            figures += found
    return Outcome(
        part="apps",
        title="Fines in bank and eGov apps beside a bare handler (grpc.aio, asyncpg), over TLS",
        figures=tuple(figures),
        notes=(
            f"Callers, services, PostgreSQL and NATS share the cores. One partner calls, its quota "
            f"widened to {CALLS_A_SECOND:.0f} calls a second and {CALLERS_MANY} at once. Fines "
            "were issued and delivered before. Processor time is that of the service (or bare "
            "server), of PostgreSQL and of the supervisor, which takes the spans, divided by the "
            "calls, beyond that at rest, with what they do after the last answer.",
        ),
        raw=raw,
    )


async def configs_of(run: Run, bench: BenchMesh, scratch: Path, rounds: Rounds) -> list[Path]:
    """Write one configuration file of `partner_load` for each round, and return the paths of the
    files. Each file has its own fines to pay, since a fine can be paid only once. Raises Failure if
    the fines are not delivered."""
    paid = (rounds.seconds + 1) * PAID_A_SECOND
    fines = await delivered(bench, OPEN_FINES + rounds.count * paid, run.report)
    kept, to_pay = fines[:OPEN_FINES], fines[OPEN_FINES:]
    return [
        written_config(
            bench,
            scratch / f"callers-{number}.json",
            {"open": kept, "to_pay": to_pay[number * paid :][:paid]},
        )
        for number in range(rounds.count)
    ]
