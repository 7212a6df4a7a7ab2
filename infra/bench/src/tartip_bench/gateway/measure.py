"""Compares a GET through the operator gateway with a GET through a bare gateway of FastAPI and
grpc.aio.

The operator gateway fetches a camera from the camera registry for an operator with a token. The
bare gateway fetches a row by its key from the bare server. Services that the GET does not need do
not run. The operator gateway therefore never reports that it is ready, and this module starts it
instead of the supervisor.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import product
from pathlib import Path
from typing import Any

from tartip_cli.failures import Exit, Failure
from tartip_cli.ports import LOOPBACK, free_base
from tartip_cli.settings import inherited_environment
from tartip_cli.topology import CAMERA_REGISTRY, OPERATOR_GATEWAY, OPERATORS

from tartip_bench.bench_mesh import ENGINES_ALONE, REGION, BenchMesh, running_bench_mesh
from tartip_bench.beside_bare import (
    ROUNDS_FULL,
    ROUNDS_QUICK,
    SECONDS_FULL,
    SECONDS_QUICK,
    Round,
    Watched,
    bare_server,
    compared,
    cpu_of,
    engines,
    round_of,
)
from tartip_bench.chassis.measure import Server
from tartip_bench.outcomes import Figure, Outcome
from tartip_bench.run import Run

# A gateway takes 56 calls at once of all operators, see its shares; 64 would be refused in part.
CALLERS = (1, 16, 48)
SHARE = 0.5
START_SECONDS = 60.0
# Those who may read a camera of the bench's region: each has 100 calls a second of the gateway.
_READERS = frozenset(
    {"camera_administrator", "inspector", "dispatcher", "supervisor", "watchlist_officer"}
)
ASKING = tuple(
    operator.id
    for operator in OPERATORS
    if _READERS & set(operator.roles) and {"*", REGION} & set(operator.regions)
)
WITHOUT = tuple(name for name in ENGINES_ALONE if name != CAMERA_REGISTRY.name)
# By kind: where it is asked, and the processes that answer.
Asked = tuple[dict[str, Any], Watched]


async def measure(run: Run) -> Outcome:
    """Measure the part `gateway` of the bench. Raises Failure if a gateway does not start, or if
    callers end with an error."""
    rounds = run.sized(full=ROUNDS_FULL, quick=ROUNDS_QUICK)
    seconds = run.sized(full=SECONDS_FULL, quick=SECONDS_QUICK)
    figures: list[Figure] = []
    raw: dict[str, Any] = {}
    async with running_bench_mesh(WITHOUT) as bench, both(bench, run.scratch / "gateway") as asked:
        for callers in CALLERS:
            found: dict[str, list[Round]] = {kind: [] for kind in asked}
            for number, kind in product(range(rounds), asked):
                run.report(f"GET over REST, {callers} callers, round {number + 1} of {rounds}")
                config = run.scratch / "gateway" / f"callers-{kind}.json"
                place, watched = asked[kind]
                config.write_text(json.dumps(place | {"tokens": await tokens(bench)}))
                found[kind].append(
                    await round_of("gateway.load", config, callers, seconds, watched=watched)
                )
            figures += compared(
                f"GET of a camera over REST, {callers} at once",
                found["gateway"],
                found["bare"],
                beside="the bare pass-through",
                unit="requests",
                share=SHARE,
            )
            raw[str(callers)] = {kind: [vars(one) for one in found[kind]] for kind in found}
    return Outcome(
        part="gateway",
        title="A GET over REST beside a bare pass-through (FastAPI, grpc.aio, asyncpg)",
        figures=tuple(figures),
        notes=(
            "Callers, gateway, service and PostgreSQL share the cores. The bare gateway has one "
            "route without checks or spans, before the bare server of the first part, which reads "
            f"a row by its key; both over TLS inside. {len(ASKING)} operators ask by turns, since "
            "each has 100 calls a second; a gateway takes 56 calls at once, so 48 are asked.",
        ),
        raw=raw,
    )


async def tokens(bench: BenchMesh) -> list[str]:
    """Return a new token for each of the operators in ASKING."""
    given = []
    for operator in ASKING:
        [(_, bearer), *_] = await bench.speaking(operator)
        given.append(bearer.removeprefix("Bearer "))
    return given


@asynccontextmanager
async def both(bench: BenchMesh, scratch: Path) -> AsyncIterator[dict[str, Asked]]:
    """Run both gateways, and the bare server that the bare gateway calls, during the block. Yields,
    for each gateway, the port and path to request and the processes to measure."""
    camera = await bench.camera()
    ports = bench.mesh.ports
    gateway = bench.mesh.services.part(OPERATOR_GATEWAY)
    async with AsyncExitStack() as running:
        server = await running.enter_async_context(bare_server(bench, scratch))
        bare_port = free_base().base  # once the server listens: the same span is found again
        bare = await running.enter_async_context(
            serving(bare_port, *bare_command(server, bare_port))
        )
        ours = await running.enter_async_context(
            serving(ports.gateway, *gateway.command, environment=gateway.environment)
        )
        service = {CAMERA_REGISTRY.name: lambda: bench.cpu_seconds(CAMERA_REGISTRY.name)}
        yield {
            "bare": (
                {"port": bare_port, "path": "/v1/places/7"},
                await Watched.at_rest(
                    {"gateway": cpu_of(bare), "server": cpu_of(server.process), **engines(bench)}
                ),
            ),
            "gateway": (
                {"port": ports.gateway, "path": f"/v1/cameras/{camera}"},
                await Watched.at_rest({"gateway": cpu_of(ours), **service, **engines(bench)}),
            ),
        }


def bare_command(server: Server, port: int) -> tuple[str, ...]:
    return (sys.executable, "-m", "tartip_bench.gateway.passing", str(server.config), str(port))


@asynccontextmanager
async def serving(
    port: int, *command: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `command` during the block, which begins once the process listens on `port`. Raises
    Failure if the process does not listen in time."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**inherited_environment(), **(environment or {})},
    )
    try:
        await _until_listening(port, process)
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _until_listening(port: int, process: asyncio.subprocess.Process) -> None:
    until = time.monotonic() + START_SECONDS
    while not await _listens(port):
        if process.returncode is not None or time.monotonic() > until:
            raise Failure(f"nothing listens on port {port}", Exit.PART_FAILED)
        await asyncio.sleep(0.1)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    return True
