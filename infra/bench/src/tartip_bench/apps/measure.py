"""Compares calls of a partner with calls of a bare handler, which reads one row or writes two
rows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tartip.partners.v1 import partners_pb2
from tartip_cli.clients.partner_rows import at_each, changed
from tartip_cli.topology import CITIZEN_REPORTS, FINES, Service

from tartip_bench.apps.fines import delivered
from tartip_bench.bench_mesh import ENGINES_ALONE, BenchMesh, running_bench_mesh
from tartip_bench.beside_bare import (
    ROUNDS_FULL,
    ROUNDS_QUICK,
    SECONDS_FULL,
    SECONDS_QUICK,
    Round,
    Watched,
    compared,
    cpu_of,
    engines,
    round_of,
)
from tartip_bench.chassis.load import PAIR
from tartip_bench.chassis.measure import Server, both
from tartip_bench.outcomes import Figure, Outcome
from tartip_bench.profile import profiled
from tartip_bench.run import Run

PARTNER = "kaspi"
BARE, CHASSIS = "bare", "chassis"
SERVED = (FINES.name, CITIZEN_REPORTS.name)
WITHOUT = tuple(name for name in ENGINES_ALONE if name not in SERVED)
CALLERS, CALLERS_MANY = 16, 64
CALLS_A_SECOND = 10_000.0
# Fines that are looked up and quoted again and again, and those that a round pays at most.
OPEN_FINES = 100
PAID_A_SECOND = 80


@dataclass(frozen=True)
class Compared:
    """A comparison of one kind of call with a bare handler.

    The field `call` is a key of `apps.load.CALLS`, and `service` is the service that answers the
    call. The field `bare` is the method of the bare server to compare with.

    The target is a rate of calls to `service` of at least `share` times the rate of calls to the
    bare server. If `share` is None, there is no target. `callers` clients call at once.
    """

    call: str
    title: str
    service: Service
    bare: str
    unit: str = "calls"
    share: float | None = None
    callers: int = CALLERS

    @property
    def beside(self) -> str:
        reads = self.bare == "Read"
        return "the bare read by key" if reads else "the bare write of two rows"


COMPARED = (
    Compared(
        "Report", "a report opened and submitted", CITIZEN_REPORTS, "Write", "pairs", share=0.3
    ),
    Compared("HandIn", "a report handed in by one call", CITIZEN_REPORTS, "Write", share=0.8),
    Compared(
        "HandIn",
        "a report handed in by one call",
        CITIZEN_REPORTS,
        "Write",
        share=1.2,
        callers=CALLERS_MANY,
    ),
    Compared("QuoteFine", "a fine quoted by its number", FINES, "Read"),
    Compared("LookupFines", "fines looked up by IIN", FINES, "Read"),
    Compared("PayFine", "a fine paid, each once", FINES, "Write"),
)


async def measure(run: Run) -> Outcome:
    """Measure the part `apps` of the bench. Raises Failure if fines are not issued, or if the
    callers or the bare server end with an error; raises Refusal if the partner's quota cannot be
    changed."""
    rounds = run.sized(full=ROUNDS_FULL, quick=ROUNDS_QUICK)
    seconds = run.sized(full=SECONDS_FULL, quick=SECONDS_QUICK)
    scratch = run.scratch / "apps"
    figures: list[Figure] = []
    raw: dict[str, Any] = {}
    scratch.mkdir()
    async with running_bench_mesh(WITHOUT) as bench, both(bench, scratch) as servers:
        await widen(bench)
        watched = await all_watched(bench, servers)
        configs = await configs_of(run, bench, scratch, rounds, seconds)
        for each in COMPARED:
            found: dict[str, list[Round]] = {"bare": [], "ours": []}
            for number, config in enumerate(configs):
                run.report(f"{each.call}, round {number + 1} of {rounds}")
                found["bare"].append(
                    await server_round(
                        servers, BARE, each.bare, seconds, watched, callers=each.callers
                    )
                )
                found["ours"].append(await own_round(config, each, seconds, watched))
            figures += compared(
                f"{each.title}, {each.callers} at once",
                found["ours"],
                found["bare"],
                beside=each.beside,
                unit=each.unit,
                share=each.share,
            )
            if each.share is not None:
                figures.append(await profile_of(run, bench, configs[0], each, watched))
            if each.unit == "pairs":
                figures += await two_calls_at_least(run, servers, rounds, seconds, watched)
            raw[f"{each.call}, {each.callers} at once"] = {
                kind: [vars(one) for one in found[kind]] for kind in found
            }
    return Outcome(
        part="apps",
        title="The calls of bank and eGov apps beside a bare handler (grpc.aio, asyncpg), over TLS",
        figures=tuple(figures),
        notes=(
            f"Callers, services, PostgreSQL and NATS share the cores. One partner calls, its quota "
            f"widened to {CALLS_A_SECOND:.0f} calls a second and {CALLERS_MANY} at once. Each "
            "report is a new one with its reporter; fines were issued and delivered before. "
            "Processor time is that of the service (or bare server), of PostgreSQL and of the "
            "supervisor, which takes the spans, divided by the calls, beyond that at rest, with "
            "what they do after the last answer: events, spans, a report's look for "
            "duplicates. Two calls of the chassis that write one row each, with their commits "
            "shared, are the least that a report in two calls can cost on this chassis; what it "
            "costs beyond is its own.",
        ),
        raw=raw,
    )


async def profile_of(
    run: Run, bench: BenchMesh, config: Path, each: Compared, watched: Mapping[str, Watched]
) -> Figure:
    """Repeat the calls to the compared service, while py-spy samples the process of this service.
    Returns a figure with each library's share of the samples."""
    run.report(f"{each.call}, profile")
    async with profiled(bench.pid(each.service.name), run.scratch) as profile:
        await own_round(config, each, SECONDS_FULL, watched)
    return profile.figure(f"{each.title}, {each.callers} at once")


async def two_calls_at_least(
    run: Run,
    servers: Mapping[str, Server],
    rounds: int,
    seconds: int,
    watched: Mapping[str, Watched],
) -> list[Figure]:
    """Compare two `WriteShared` calls to the chassis server with one call of the bare server, and
    return the figures. Each of the two calls writes one row; the bare call writes two rows.

    `WriteShared` is the cheapest call that writes through the library `chassis`. Two writing calls
    to a service therefore cost at least as much as these two.
    """
    found: dict[str, list[Round]] = {BARE: [], CHASSIS: []}
    for number in range(rounds):
        run.report(f"two calls of the chassis, round {number + 1} of {rounds}")
        for kind, method in ((BARE, "Write"), (CHASSIS, PAIR)):
            found[kind].append(await server_round(servers, kind, method, seconds, watched))
    return compared(
        f"two calls of the chassis, each writing one row, {CALLERS} at once",
        found[CHASSIS],
        found[BARE],
        beside="the bare write of two rows",
        unit="pairs",
    )


async def widen(bench: BenchMesh) -> None:
    """Raise the partner's quota, so that it does not limit the load. Raises Refusal if a service
    refuses the change."""

    def edit(terms: partners_pb2.PartnerTerms) -> None:
        terms.quota.calls_per_second = CALLS_A_SECOND
        terms.quota.calls = CALLERS_MANY

    for outcome in await at_each(bench.outside, changed(PARTNER, edit)):
        if outcome.refusal is not None:
            raise outcome.refusal


async def configs_of(
    run: Run, bench: BenchMesh, scratch: Path, rounds: int, seconds: int
) -> list[Path]:
    """Write one configuration file of `apps.load` for each round, and return the paths of the
    files. Each file has its own fines to pay, since a fine can be paid only once. Raises Failure if
    the fines are not delivered."""
    paid = (seconds + 1) * PAID_A_SECOND
    fines = await delivered(bench, OPEN_FINES + rounds * paid, run.report)
    pair = bench.outside.certificates.partner(PARTNER)
    common = {
        "reports": bench.address(CITIZEN_REPORTS),
        "fines": bench.address(FINES),
        "authority": str(bench.outside.certificates.authority),
        "key": str(pair.key),
        "certificate": str(pair.certificate),
        "open": fines[:OPEN_FINES],
    }
    paths = []
    for number in range(rounds):
        path = scratch / f"callers-{number}.json"
        to_pay = fines[OPEN_FINES + number * paid :][:paid]
        path.write_text(json.dumps(common | {"to_pay": to_pay}))
        paths.append(path)
    return paths


async def all_watched(bench: BenchMesh, servers: Mapping[str, Server]) -> dict[str, Watched]:
    """Return the processes to measure during the calls, for each measured service and server. The
    processes are the service or server itself, PostgreSQL and the supervisor. The keys are the
    names of the services and the kinds of the servers."""

    def of_service(name: str) -> Callable[[], float]:
        return lambda: bench.cpu_seconds(name)

    answering = {name: {name: of_service(name), **engines(bench)} for name in SERVED}
    for kind, server in servers.items():
        answering[kind] = {"server": cpu_of(server.process), **engines(bench)}
    watched = await asyncio.gather(*map(Watched.at_rest, answering.values()))
    return dict(zip(answering, watched, strict=True))


async def own_round(
    config: Path, each: Compared, seconds: int, watched: Mapping[str, Watched]
) -> Round:
    arguments = (config, each.call, each.callers, seconds)
    return await round_of("apps.load", *arguments, watched=watched[each.service.name])


async def server_round(
    servers: Mapping[str, Server],
    kind: str,
    method: str,
    seconds: int,
    watched: Mapping[str, Watched],
    *,
    callers: int = CALLERS,
) -> Round:
    arguments = (servers[kind].config, method, callers, seconds)
    return await round_of("chassis.load", *arguments, watched=watched[kind])
