"""Measures the chassis server and the bare server in turn: rate, latency and processor time."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from tartip_cli.failures import Exit, Failure
from tartip_cli.ports import free_base
from tartip_cli.settings import inherited_environment
from tartip_cli.supervisor.process import cpu_seconds

from tartip_bench.bench_mesh import ENGINES_ALONE, BenchMesh, running_bench_mesh
from tartip_bench.chassis.events import USERS
from tartip_bench.chassis.load import channel, read_config
from tartip_bench.chassis.schema import made
from tartip_bench.chassis.way_of_events import measured as measured_events
from tartip_bench.outcomes import Figure, Outcome, Spread
from tartip_bench.profile import profiled
from tartip_bench.run import Run

KINDS = ("bare", "chassis")
CALLERS = (1, 16, 64)
LOADED_AT, HALF_LOADED = 16, ("Read", "Write")
SERVES, CALLS = "fines", "tartip-cli"
START_SECONDS = 30.0
ROUNDS_FULL, ROUNDS_QUICK = 5, 2
SECONDS_FULL, SECONDS_QUICK = 5, 2


@dataclass(frozen=True)
class Aim:
    """A method to measure, and its target. With `callers` or more concurrent clients, the chassis
    server must answer at least `share` times as many calls per second as the bare server. If
    `share` is None, there is no target."""

    method: str
    title: str
    share: float | None = None
    callers: int = 1


_WRITES = "one row written with audit entry, event and used id"
AIMS = (
    Aim("Read", "one row read by its key, under row-level security", 0.6),
    Aim("Write", _WRITES, 0.7),
    Aim("WriteShared", f"{_WRITES}, commits shared", 1.2, callers=64),
    Aim("WriteByStatements", f"{_WRITES}, each by a statement of its own"),
)


@dataclass(frozen=True)
class Round:
    """One measurement of one server: calls per second, the 99th percentile of the calls' durations
    in ms, and the server's processor time per call in ms."""

    rate: float
    p99_ms: float
    cpu_ms: float


async def measure(run: Run) -> Outcome:
    """Measure the part `chassis` of the bench. Raises Failure if a server or its callers end with
    an error."""
    rounds = run.sized(full=ROUNDS_FULL, quick=ROUNDS_QUICK)
    seconds = run.sized(full=SECONDS_FULL, quick=SECONDS_QUICK)
    figures: list[Figure] = []
    raw: dict[str, Any] = {}
    async with running_bench_mesh(ENGINES_ALONE) as bench, both(bench, run.scratch) as servers:
        for aim, callers in product(AIMS, CALLERS):
            found: dict[str, list[Round]] = {kind: [] for kind in KINDS}
            for number, kind in product(range(rounds), KINDS):
                run.report(f"{aim.method}, {callers} callers, round {number + 1} of {rounds}")
                found[kind].append(await servers[kind].round(aim.method, callers, seconds))
            figures += figures_of(aim, callers, found)
            raw[f"{aim.method} {callers}"] = {
                kind: [vars(each) for each in found[kind]] for kind in KINDS
            }
            if callers == LOADED_AT and aim.method in HALF_LOADED:
                rates = {kind: rate_of(found[kind]) / 2 for kind in KINDS}
                figures.append(await half_loaded(run, aim, servers, rates, seconds))
                figures.append(await profile_of(run, aim, servers["chassis"], seconds))
        events, more = await measured_events(run, servers["chassis"].config, rounds)
    figures += events
    raw |= more
    return Outcome(
        part="chassis",
        title="A call through the chassis beside a bare handler (grpc.aio, asyncpg), over TLS",
        figures=tuple(figures),
        notes=(
            "Callers, server and PostgreSQL share the cores. The bare handler reads a row, or "
            "inserts two and commits, by prepared statements, without row-level security, spans, "
            "deadlines or audit. The profile is of the threads that hold the interpreter's lock, "
            "sampled by py-spy where that is on the PATH, in a round of its own; a sample counts "
            "for the innermost of the named libraries in its stack.",
        ),
        raw=raw,
    )


def rate_of(found: Sequence[Round]) -> float:
    """Return the median of the rounds' rates, in calls per second."""
    return statistics.median(each.rate for each in found)


async def half_loaded(
    run: Run,
    aim: Aim,
    servers: Mapping[str, Server],
    rates: Mapping[str, float],
    seconds: float,
) -> Figure:
    """Compare both servers at half load, by the 99th percentile of the durations of their calls.
    `rates` maps each kind of server to the calls per second to send. This is half of the highest
    rate that the server can answer."""
    run.report(f"{aim.method}, at half of the capacity")
    found = {
        kind: await servers[kind].round(aim.method, 1, 2 * seconds, rates[kind]) for kind in KINDS
    }
    ours, bare = (found[kind].p99_ms for kind in ("chassis", "bare"))
    return Figure(
        name=f"{aim.title}, at half of its capacity: p99",
        measured=f"{ours:.1f} ms at {rates['chassis']:.0f} a second",
        bare=f"{bare:.1f} ms at {rates['bare']:.0f} a second",
        target="at most twice the bare one's",
        met=ours <= 2 * bare,
    )


async def profile_of(run: Run, aim: Aim, server: Server, seconds: float) -> Figure:
    """Call the method of `aim` for `seconds` while py-spy samples the server's process. Returns a
    figure with each library's share of the samples."""
    run.report(f"{aim.method}, {LOADED_AT} callers, profile")
    async with profiled(server.process.pid, run.scratch) as profile:
        await server.round(aim.method, LOADED_AT, 2 * seconds)
    return profile.figure(f"{aim.title}, {LOADED_AT} at once")


def figures_of(aim: Aim, callers: int, found: Mapping[str, list[Round]]) -> list[Figure]:
    """Return three figures that compare both servers: their rates, the ratio of the rates (chassis
    / bare), and their processor time per call. `found` maps each kind of server to its rounds."""
    rate = {kind: Spread.of([each.rate for each in found[kind]]) for kind in KINDS}
    cpu = {kind: statistics.median(each.cpu_ms for each in found[kind]) for kind in KINDS}
    p99 = {kind: statistics.median(each.p99_ms for each in found[kind]) for kind in KINDS}
    pairs = zip(found["chassis"], found["bare"], strict=True)
    share = Spread.of([ours.rate / bare.rate for ours, bare in pairs])
    what = f"{aim.title}, {callers} at once"
    least = aim.share if callers >= aim.callers else None
    return [
        Figure(
            name=f"{what}: calls a second",
            measured=f"{rate['chassis'].text(0)}, p99 {p99['chassis']:.0f} ms",
            bare=f"{rate['bare'].text(0)}, p99 {p99['bare']:.0f} ms",
        ),
        Figure(
            name=f"{what}: share of the bare handler",
            measured=share.text(2),
            target="" if least is None else f"at least {least}",
            met=None if least is None else share.median >= least,
        ),
        Figure(
            name=f"{what}: processor time of the server a call",
            measured=f"{cpu['chassis']:.2f} ms",
            bare=f"{cpu['bare']:.2f} ms",
        ),
    ]


@dataclass(frozen=True)
class Server:
    """A running server of the bench and the path of its configuration."""

    process: asyncio.subprocess.Process
    config: Path

    async def round(
        self, method: str, callers: int, seconds: float, calls_a_second: float = 0.0
    ) -> Round:
        """Call `method` for `seconds`, after a short warm-up, and return the results.

        If `calls_a_second` is 0, `callers` clients call concurrently, and each sends its next call
        when its last one is answered. Otherwise `calls_a_second` calls per second are sent in
        total, at equal intervals and without waiting for answers. In that case, `callers` counts
        for the warm-up only. Raises Failure if the program that makes the calls ends with an error.
        """
        before = cpu_seconds(self.process.pid)
        program = (sys.executable, "-m", "tartip_bench.chassis.load", str(self.config))
        load = await asyncio.create_subprocess_exec(
            *program,
            method,
            str(callers),
            str(seconds),
            str(calls_a_second),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=inherited_environment(),
        )
        out, errors = await load.communicate()
        if load.returncode != 0:
            raise Failure(f"the callers failed: {errors.decode()[-300:]}", Exit.PART_FAILED)
        answer = json.loads(out)
        spent = cpu_seconds(self.process.pid) - before
        return Round(answer["rate"], answer["p99_ms"], spent / answer["all_calls"] * 1e3)


@asynccontextmanager
async def both(bench: BenchMesh, scratch: Path) -> AsyncIterator[dict[str, Server]]:
    """Run the chassis server and the bare server during the block, on the same schema, each at its
    own address. Yields the two servers by kind ("bare", "chassis")."""
    database = await made(bench.mesh.database.url)
    servers: dict[str, Server] = {}
    try:
        for kind in KINDS:
            servers[kind] = await started(kind, config_of(bench, database, kind, scratch))
        yield servers
    finally:
        for server in servers.values():
            server.process.terminate()
            await server.process.wait()


def config_of(bench: BenchMesh, database: str, kind: str, scratch: Path) -> Path:
    certificates = bench.outside.certificates
    served, caller = certificates.service(SERVES), certificates.service(CALLS)
    keys = scratch / f"keys-{kind}"
    keys.mkdir()
    path = scratch / f"server-{kind}.json"
    config = {
        "address": f"127.0.0.1:{free_base().base}",
        "database": database,
        "certificate": str(served.certificate),
        "key": str(served.key),
        "authorities": str(certificates.client_authorities),
        "keys": str(keys),
        "collector": f"http://127.0.0.1:{bench.mesh.ports.supervisor}",
        "caller_authority": str(certificates.authority),
        "caller_key": str(caller.key),
        "caller_certificate": str(caller.certificate),
        "nats": f"tls://127.0.0.1:{bench.mesh.ports.nats}",
    }
    for side, user in USERS.items():
        pair = certificates.service(user)
        config[f"{side}_certificate"] = str(pair.certificate)
        config[f"{side}_key"] = str(pair.key)
        config[f"{side}_seed"] = str(bench.mesh.keys.nats_seed(user))
    path.write_text(json.dumps(config))
    return path


async def started(kind: str, config: Path) -> Server:
    """Start a server of this kind ("bare" or "chassis"), and return it once it accepts connections.
    Raises Failure if it accepts none within START_SECONDS."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tartip_bench.chassis.server",
        kind,
        str(config),
        env=inherited_environment(),
    )
    async with channel(read_config(config)) as opened:
        try:
            async with asyncio.timeout(START_SECONDS):
                await opened.channel_ready()
        except TimeoutError:
            process.kill()
            raise Failure(f"the {kind} server does not start", Exit.PART_FAILED) from None
    return Server(process, config)
