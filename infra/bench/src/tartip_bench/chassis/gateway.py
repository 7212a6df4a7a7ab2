"""A GET through the operator gateway beside a bare FastAPI and grpc.aio pass-through.

Both ask the same camera registry for the same camera with the same operator's token.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path
from typing import Any

from tartip_cli.clients.samples import ADMINISTRATOR
from tartip_cli.failures import Exit, Failure
from tartip_cli.ports import free_base
from tartip_cli.settings import inherited_environment
from tartip_cli.topology import CAMERA_REGISTRY, OPERATOR_GATEWAY, SERVICES

from tartip_bench.bench_mesh import BenchMesh, running_bench_mesh
from tartip_bench.outcomes import Figure, Spread
from tartip_bench.run import Run

KEPT = (CAMERA_REGISTRY, OPERATOR_GATEWAY)
LEFT_OUT = ("triton", *(service.name for service in SERVICES if service not in KEPT))
CALLERS = 16
SHARE = 0.5
START_SECONDS = 30.0
WHAT = f"GET of a camera over REST, {CALLERS} at once"


async def measured(run: Run, rounds: int, seconds: int) -> tuple[list[Figure], dict[str, Any]]:
    """Requests a second through both, and the gateway's share. Raises Failure."""
    rates: dict[str, list[float]] = {"bare": [], "gateway": []}
    async with running_bench_mesh(LEFT_OUT) as bench:
        camera = await bench.camera()
        async with _passing(bench, run.scratch) as bare:
            ports = {"bare": bare, "gateway": bench.mesh.ports.gateway}
            for number, (kind, port) in product(range(rounds), ports.items()):
                run.report(f"GET over REST, round {number + 1} of {rounds}")
                rates[kind].append(await _rate(bench, port, camera, seconds))
    share = Spread.of([ours / bare for bare, ours in zip(*rates.values(), strict=True)])
    figures = [
        Figure(
            name=f"{WHAT}: requests a second",
            measured=Spread.of(rates["gateway"]).text(0),
            bare=Spread.of(rates["bare"]).text(0),
        ),
        Figure(
            name=f"{WHAT}: share of the bare pass-through",
            measured=share.text(2),
            target=f"at least {SHARE}",
            met=share.median >= SHARE,
        ),
    ]
    return figures, {"gateway": rates}


async def _rate(bench: BenchMesh, port: int, camera: str, seconds: int) -> float:
    [(_, bearer), *_] = await bench.speaking(ADMINISTRATOR)
    arguments = (port, f"/v1/cameras/{camera}", bearer.removeprefix("Bearer "), CALLERS, seconds)
    load = await _started("http_load", *arguments)
    out, errors = await load.communicate()
    if load.returncode != 0:
        raise Failure(f"the callers failed: {errors.decode()[-300:]}", Exit.PART_FAILED)
    return float(json.loads(out)["rate"])


@asynccontextmanager
async def _passing(bench: BenchMesh, scratch: Path) -> AsyncIterator[int]:
    """Run the bare gateway; yields its port."""
    pair = bench.outside.certificates.service(OPERATOR_GATEWAY.name)
    config = scratch / "passing.json"
    content = {
        "cameras": bench.address(CAMERA_REGISTRY),
        "authority": str(bench.outside.certificates.authority),
        "certificate": str(pair.certificate),
        "key": str(pair.key),
    }
    config.write_text(json.dumps(content))
    port = free_base().base
    process = await _started("passing", config, port)
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await _listens(port):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _started(program: str, *arguments: object) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"tartip_bench.chassis.{program}",
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=inherited_environment(),
    )
