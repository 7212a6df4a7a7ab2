"""Compares calls to Tartip's services with calls to the bare server (`chassis.server`), in rounds.

In a round, a separate process makes calls for a few seconds, and the processor time of the servers
is measured. The measurement ends when the servers are idle again, since they may still work after
the last answer. The processor time of idle servers is subtracted.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import inherited_environment
from tartip_cli.supervisor.process import cpu_seconds

from tartip_bench.bench_mesh import BenchMesh
from tartip_bench.chassis.measure import Server, config_of, started
from tartip_bench.chassis.schema import made
from tartip_bench.outcomes import Figure, Spread

ROUNDS_FULL, ROUNDS_QUICK = 5, 2
SECONDS_FULL, SECONDS_QUICK = 5, 2
REST_SECONDS = 6.0
# They are at rest again when they use no more than at rest and this share of one core.
REST_SHARE = 0.15
REST_LOOK_SECONDS = 1.5
REST_WAIT_SECONDS = 30.0
# Processor time by name, in seconds since some beginning.
Spent = Mapping[str, Callable[[], float]]


@dataclass(frozen=True)
class Watched:
    """The processes whose processor time is measured. The keys of both dictionaries are the names
    of the processes. Each function in `spent` returns the processor time that a process has used so
    far, in seconds. The values in `rest` are the shares of one core that the processes use when
    idle."""

    spent: Spent
    rest: Mapping[str, float]

    @classmethod
    async def at_rest(cls, spent: Spent) -> Watched:
        """Measure the share of one core that each process uses when idle, and return the processes
        with these shares. The measurement takes REST_SECONDS; the processes must be idle
        meanwhile."""
        return cls(spent, await _shares(spent, REST_SECONDS))


@dataclass(frozen=True)
class Round:
    """The results of one round: calls per second, and the median and 99th percentile of the calls'
    durations in ms. The field `cpu_ms` is the processor time per call in ms, by process."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: dict[str, float]


async def round_of(program: str, *arguments: object, watched: Watched) -> Round:
    """Run the program `tartip_bench.<program>`, which makes calls, and return its results with the
    processor time of the `watched` processes. Raises Failure if the program ends with an error."""
    began, before = time.monotonic(), _read(watched.spent)
    load = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"tartip_bench.{program}",
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=inherited_environment(),
    )
    out, errors = await load.communicate()
    if load.returncode != 0:
        raise Failure(f"the callers failed: {errors.decode()[-300:]}", Exit.PART_FAILED)
    answer = json.loads(out)
    await _until_at_rest(watched)
    passed, after = time.monotonic() - began, _read(watched.spent)
    cpu = {
        name: max(0.0, after[name] - before[name] - share * passed) / answer["all_calls"] * 1e3
        for name, share in watched.rest.items()
    }
    return Round(answer["rate"], answer["p50_ms"], answer["p99_ms"], cpu)


async def _until_at_rest(watched: Watched) -> None:
    """Return once the watched processes are idle, or after REST_WAIT_SECONDS."""
    until = time.monotonic() + REST_WAIT_SECONDS
    while time.monotonic() < until:
        now = await _shares(watched.spent, REST_LOOK_SECONDS)
        if sum(now.values()) <= sum(watched.rest.values()) + REST_SHARE:
            return


async def _shares(spent: Spent, seconds: float) -> dict[str, float]:
    """The share of one core that each uses during so many seconds."""
    began, before = time.monotonic(), _read(spent)
    await asyncio.sleep(seconds)
    passed, after = time.monotonic() - began, _read(spent)
    return {name: (after[name] - before[name]) / passed for name in spent}


def _read(spent: Spent) -> dict[str, float]:
    return {name: seconds() for name, seconds in spent.items()}


def engines(bench: BenchMesh) -> dict[str, Callable[[], float]]:
    """Return a function for each of the processes "PostgreSQL" and "supervisor". The function
    returns the processor time that the process has used so far, in seconds. The child processes of
    the supervisor are not counted. The supervisor is measured because it stores the spans of every
    call."""
    supervisor = psutil.Process(bench.supervisor.pid)

    def of_supervisor() -> float:  # without the parts, which are its children
        times = supervisor.cpu_times()
        return times.user + times.system

    return {"PostgreSQL": lambda: bench.cpu_seconds("postgres"), "supervisor": of_supervisor}


@asynccontextmanager
async def bare_server(bench: BenchMesh, scratch: Path) -> AsyncIterator[Server]:
    """Run the bare server during the block. Its files are written to the new folder `scratch`,
    which must not exist yet."""
    config = _bare_config(bench, await made(bench.mesh.database.url), scratch)
    server = await started("bare", config)
    try:
        yield server
    finally:
        server.process.terminate()
        await server.process.wait()


def _bare_config(bench: BenchMesh, database: str, scratch: Path) -> Path:
    scratch.mkdir()
    return config_of(bench, database, "bare", scratch)


def cpu_of(process: asyncio.subprocess.Process) -> Callable[[], float]:
    return lambda: cpu_seconds(process.pid)


def compared(
    what: str,
    ours: Sequence[Round],
    bare: Sequence[Round],
    *,
    beside: str,
    unit: str = "calls",
    share: float | None = None,
) -> list[Figure]:
    """Return three figures that compare a service with its bare counterpart, a minimal server that
    does the same work. The figures are the rates of both, the ratio of these rates (ours / bare),
    and the processor time per call of both.

    `ours` are the rounds of the service. `bare` are the rounds of the counterpart, equal in number.
    The median ratio must be at least `share`; if `share` is None, there is no target.

    The names of the figures are made of three texts. `what` says which calls were made, `unit` says
    what the rates count ("calls"), and `beside` names the counterpart.
    """
    shares = Spread.of([one.rate / other.rate for one, other in zip(ours, bare, strict=True)])
    return [
        Figure(name=f"{what}: {unit} a second", measured=_rate(ours), bare=_rate(bare)),
        Figure(
            name=f"{what}: share of {beside}",
            measured=shares.text(2),
            target="" if share is None else f"at least {share}",
            met=None if share is None else shares.median >= share,
        ),
        Figure(name=f"{what}: processor time of each", measured=_cpu(ours), bare=_cpu(bare)),
    ]


def _rate(rounds: Sequence[Round]) -> str:
    rate = Spread.of([each.rate for each in rounds]).text(0)
    p50, p99 = (
        statistics.median(getattr(each, name) for each in rounds) for name in ("p50_ms", "p99_ms")
    )
    return f"{rate}, p50 {p50:.0f} ms, p99 {p99:.0f} ms"


def _cpu(rounds: Sequence[Round]) -> str:
    return ", ".join(
        f"{name} {statistics.median(each.cpu_ms[name] for each in rounds):.2f} ms"
        for name in rounds[0].cpu_ms
    )
