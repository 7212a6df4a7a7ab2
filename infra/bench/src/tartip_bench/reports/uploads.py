"""Compares uploads of films with a bare gRPC byte sink, and measures the service's memory while
many arrive at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tartip_cli.failures import Exit, Failure
from tartip_cli.settings import inherited_environment
from tartip_cli.supervisor.process import pss_bytes
from tartip_cli.topology import CITIZEN_REPORTS

from tartip_bench.bench_mesh import BenchMesh
from tartip_bench.chassis.measure import config_of, started
from tartip_bench.outcomes import Figure, Spread
from tartip_bench.partner_calls import written_config
from tartip_bench.run import Run

MIB = 1024 * 1024
SHARE = 0.6
AT_ONCE = 4
FILES_FULL, FILES_QUICK = 32, 8
# In the middle of the day's work; the largest film that the service takes.
FILM_FULL, FILM_QUICK = 100 * MIB, 10 * MIB
GROWTH_MIB = 64
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Upload:
    """One measurement of uploads: MiB per second in total."""

    rate: float


async def uploaded(run: Run, bench: BenchMesh, scratch: Path) -> list[Figure]:
    """Return the figures of uploads. Raises Failure if the program that uploads fails."""
    rounds = run.sized(full=3, quick=1)
    size = run.sized(full=20 * MIB, quick=5 * MIB)
    own = written_config(bench, scratch / "uploads.json", {})
    ours, bare = [], []
    async with sink(bench, scratch) as config:
        for number in range(rounds):
            run.report(f"{AT_ONCE} films of {size // MIB} MiB, round {number + 1} of {rounds}")
            bare.append((await _load("sink", config, AT_ONCE, size)).rate)
            ours.append((await _load("service", own, AT_ONCE, size)).rate)
    share = Spread.of([one / other for one, other in zip(ours, bare, strict=True)])
    return [
        Figure(
            name=f"films of {size // MIB} MiB uploaded, {AT_ONCE} at once: MiB a second",
            measured=Spread.of(ours).text(0),
            bare=Spread.of(bare).text(0),
        ),
        Figure(
            name=f"films of {size // MIB} MiB uploaded, {AT_ONCE} at once: share of a bare sink",
            measured=share.text(2),
            target=f"at least {SHARE}",
            met=share.median >= SHARE,
        ),
        await _growth(run, bench, own),
    ]


async def _growth(run: Run, bench: BenchMesh, own: Path) -> Figure:
    """Upload many large films at once; return by how much the service's own process grew."""
    files = run.sized(full=FILES_FULL, quick=FILES_QUICK)
    size = run.sized(full=FILM_FULL, quick=FILM_QUICK)
    run.report(f"{files} films of {size // MIB} MiB at once")
    async with _memory_watched(bench.pid(CITIZEN_REPORTS.name)) as memory:
        upload = await _load("service", own, files, size)
    grown = (max(memory) - memory[0]) / MIB
    return Figure(
        name=f"{files} films of {size // MIB} MiB at once: growth of the service",
        measured=f"{grown:.0f} MiB (at {upload.rate:.0f} MiB a second)",
        target=f"under {GROWTH_MIB} MiB",
        met=grown < GROWTH_MIB,
    )


@asynccontextmanager
async def _memory_watched(pid: int) -> AsyncIterator[list[int]]:
    """Collect the memory of a process, without its children, in bytes during the block."""
    memory = [pss_bytes(pid)]

    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            memory.append(pss_bytes(pid))

    looking = asyncio.create_task(look())
    try:
        yield memory
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking


async def _load(kind: str, config: Path, files: int, size: int) -> Upload:
    program = (sys.executable, "-m", "tartip_bench.reports.upload_load")
    load = await asyncio.create_subprocess_exec(
        *program,
        kind,
        str(config),
        str(files),
        str(size),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=inherited_environment(),
    )
    out, errors = await load.communicate()
    if load.returncode != 0:
        raise Failure(f"the uploads failed: {errors.decode()[-300:]}", Exit.PART_FAILED)
    return Upload(json.loads(out)["rate"])


@asynccontextmanager
async def sink(bench: BenchMesh, scratch: Path) -> AsyncIterator[Path]:
    """Run the bare sink during the block; yield the path of its configuration."""
    server = await started("sink", config_of(bench, bench.mesh.database.url, "sink", scratch))
    try:
        yield server.config
    finally:
        server.process.terminate()
        await server.process.wait()
