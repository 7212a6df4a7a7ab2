"""Compares calls of a partner with calls of a bare handler, which reads one row or writes two
rows."""

from __future__ import annotations

import asyncio
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tartip.partners.v1 import partners_pb2
from tartip_cli.clients.partner_rows import at_each, changed
from tartip_cli.topology import CITIZEN_REPORTS, FINES, Service

from tartip_bench.bench_mesh import BenchMesh
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
from tartip_bench.chassis.measure import Server
from tartip_bench.outcomes import Figure
from tartip_bench.partner_load import OpenFine
from tartip_bench.profile import profiled
from tartip_bench.run import Run

PARTNER = "kaspi"
BARE, CHASSIS = "bare", "chassis"
CALLERS, CALLERS_MANY = 16, 64
CALLS_A_SECOND = 10_000.0
BYTES_A_SECOND = 1024**4
STREAMS = 100


@dataclass(frozen=True)
class Compared:
    """A comparison of one kind of call with a bare handler.

    The field `call` is a key of `partner_load.CALLS`, and `service` is the service that answers the
    call. The field `bare` is the method of the bare server to compare with.

    The target is a rate of calls to `service` of at least `share` times the rate of calls to the
    bare server. If `share` is None, there is no target. `callers` clients call at once. With
    `half`, both servers are also compared at half of the rate that each can answer.
    """

    call: str
    title: str
    service: Service
    bare: str
    unit: str = "calls"
    share: float | None = None
    callers: int = CALLERS
    half: bool = False

    @property
    def what(self) -> str:
        return f"{self.title}, {self.callers} at once"

    @property
    def beside(self) -> str:
        reads = self.bare == "Read"
        return "the bare read by key" if reads else "the bare write of two rows"


@dataclass(frozen=True)
class Rounds:
    """How many rounds are measured for each kind of call, and how many seconds each takes."""

    count: int
    seconds: int

    @classmethod
    def of(cls, run: Run) -> Rounds:
        return cls(
            run.sized(full=ROUNDS_FULL, quick=ROUNDS_QUICK),
            run.sized(full=SECONDS_FULL, quick=SECONDS_QUICK),
        )


@dataclass(frozen=True)
class Beside:
    """A mesh whose services are compared with the bare server. `watched` are the processes whose
    processor time is measured, by service and server; `configs` are files of `partner_load`, one
    for each round."""

    bench: BenchMesh
    servers: Mapping[str, Server]
    watched: Mapping[str, Watched]
    configs: Sequence[Path]

    async def compare(
        self, run: Run, each: Compared, rounds: Rounds
    ) -> tuple[list[Figure], dict[str, Any]]:
        """Compare one kind of call with the bare server; return the figures and the unrounded
        rounds. Raises Failure if the callers or the bare server end with an error."""
        found: dict[str, list[Round]] = {"bare": [], "ours": []}
        for number, config in enumerate(self.configs):
            run.report(f"{each.call}, {each.callers} at once, round {number + 1} of {rounds.count}")
            found["bare"].append(await self.bare_round(each.bare, rounds.seconds, each.callers))
            found["ours"].append(await self.own_round(config, each, rounds.seconds))
        figures = compared(
            each.what,
            found["ours"],
            found["bare"],
            beside=each.beside,
            unit=each.unit,
            share=each.share,
        )
        if each.half:
            figures.append(await self._at_half(run, each, found, rounds))
        if each.share is not None:
            figures.append(await self._profile(run, each))
        return figures, {kind: [vars(one) for one in found[kind]] for kind in found}

    async def _at_half(
        self, run: Run, each: Compared, found: Mapping[str, list[Round]], rounds: Rounds
    ) -> Figure:
        """Compare the 99th percentile of both at half of the rate that each can answer."""
        run.report(f"{each.call}, {each.callers} at once, at half of the capacity")
        rate = {kind: statistics.median(one.rate for one in found[kind]) / 2 for kind in found}
        seconds = 2 * rounds.seconds
        bare = await self.bare_round(each.bare, seconds, each.callers, rate["bare"])
        ours = await self.own_round(self.configs[0], each, seconds, rate["ours"])
        return Figure(
            name=f"{each.what}, at half of its capacity: p99",
            measured=f"{ours.p99_ms:.1f} ms at {rate['ours']:.0f} a second",
            bare=f"{bare.p99_ms:.1f} ms at {rate['bare']:.0f} a second",
            target="at most twice the bare one's",
            met=ours.p99_ms <= 2 * bare.p99_ms,
        )

    async def _profile(self, run: Run, each: Compared) -> Figure:
        """Repeat the calls while py-spy samples the service; return a figure with each library's
        share of the samples."""
        run.report(f"{each.call}, {each.callers} at once, profile")
        async with profiled(self.bench.pid(each.service.name), run.scratch) as profile:
            await self.own_round(self.configs[0], each, SECONDS_FULL)
        return profile.figure(each.what)

    async def two_calls_at_least(self, run: Run, rounds: Rounds) -> list[Figure]:
        """Compare two `WriteShared` calls to the chassis server with one call of the bare server,
        and return the figures. Each of the two calls writes one row; the bare call writes two rows.

        `WriteShared` is the cheapest call that writes through the library `chassis`. Two writing
        calls to a service therefore cost at least as much as these two.
        """
        found: dict[str, list[Round]] = {BARE: [], CHASSIS: []}
        for number in range(rounds.count):
            run.report(f"two calls of the chassis, round {number + 1} of {rounds.count}")
            for kind, method in ((BARE, "Write"), (CHASSIS, PAIR)):
                found[kind].append(await self._server_round(kind, method, rounds.seconds, CALLERS))
        return compared(
            f"two calls of the chassis, each writing one row, {CALLERS} at once",
            found[CHASSIS],
            found[BARE],
            beside="the bare write of two rows",
            unit="pairs",
        )

    async def own_round(
        self, config: Path, each: Compared, seconds: float, rate: float = 0.0
    ) -> Round:
        """Make calls to the service of `each` for `seconds`; with `rate`, so many a second in
        all."""
        arguments = (config, each.call, each.callers, seconds, rate)
        return await round_of("partner_load", *arguments, watched=self.watched[each.service.name])

    async def bare_round(
        self, method: str, seconds: float, callers: int, rate: float = 0.0
    ) -> Round:
        """Make calls to the bare server for `seconds`; with `rate`, so many a second in all."""
        return await self._server_round(BARE, method, seconds, callers, rate)

    async def _server_round(
        self, kind: str, method: str, seconds: float, callers: int, rate: float = 0.0
    ) -> Round:
        arguments = (self.servers[kind].config, method, callers, seconds, rate)
        return await round_of("chassis.load", *arguments, watched=self.watched[kind])


async def widen(bench: BenchMesh, service: Service, *partners: str) -> None:
    """Raise the quotas of these partners, so that they do not limit the load. Raises Refusal if
    `service` refuses the change; others may not run."""

    def edit(terms: partners_pb2.PartnerTerms) -> None:
        terms.quota.calls_per_second = CALLS_A_SECOND
        terms.quota.calls = CALLERS_MANY
        terms.quota.streams = STREAMS
        terms.quota.bytes_per_second = BYTES_A_SECOND

    for partner in partners:
        for outcome in await at_each(bench.outside, changed(partner, edit)):
            if outcome.refusal is not None and outcome.service == service.name:
                raise outcome.refusal


def written_config(bench: BenchMesh, path: Path, fines: Mapping[str, list[OpenFine]]) -> Path:
    """Write a configuration file of `partner_load`, with the fines to pay and to quote, and return
    its path."""
    pair = bench.outside.certificates.partner(PARTNER)
    config = {
        "reports": bench.address(CITIZEN_REPORTS),
        "fines": bench.address(FINES),
        "authority": str(bench.outside.certificates.authority),
        "key": str(pair.key),
        "certificate": str(pair.certificate),
        **fines,
    }
    path.write_text(json.dumps(config))
    return path


async def all_watched(
    bench: BenchMesh, servers: Mapping[str, Server], services: Sequence[str]
) -> dict[str, Watched]:
    """Return the processes to measure during the calls, for each measured service and server. The
    processes are the service or server itself, PostgreSQL and the supervisor. The keys are the
    names of the services and the kinds of the servers."""

    def of_service(name: str) -> Callable[[], float]:
        return lambda: bench.cpu_seconds(name)

    answering = {name: {name: of_service(name), **engines(bench)} for name in services}
    for kind, server in servers.items():
        answering[kind] = {"server": cpu_of(server.process), **engines(bench)}
    watched = await asyncio.gather(*map(Watched.at_rest, answering.values()))
    return dict(zip(answering, watched, strict=True))
