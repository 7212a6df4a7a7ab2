"""Measures the camera register, filled with made-up cameras of a whole country."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import asyncpg
from chassis.clock import new_id
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.cameras.v1.cameras_pb2_grpc import CameraRegistryStub
from tartip_cli.clients import country
from tartip_cli.clients.camera_import import send_all
from tartip_cli.failures import Exit, Failure
from tartip_cli.topology import CAMERA_REGISTRY

from tartip_bench.bench_mesh import BenchMesh, running_bench_mesh
from tartip_bench.outcomes import Figure, Outcome
from tartip_bench.register.asking import TOLD_SECONDS, WITHOUT, among_few, ask_all
from tartip_bench.register.hubs import MadeUpHubs, reports
from tartip_bench.register.map_views import map_views
from tartip_bench.register.questions import (
    BARE_TABLES,
    a_local_owner,
    questions,
    with_a_person,
)
from tartip_bench.register.registrations import registrations
from tartip_bench.register.statistics import statistics
from tartip_bench.run import Run

# A service sees every region, and may call oftener.
EVERYWHERE = "violations"
IMPORT_SHARE = 0.4


@dataclass(frozen=True)
class Imported:
    """Results of an import and of a bare COPY. Rates are in rows per second. The fields
    `service_us`, `postgres_us` and `copy_us` (PostgreSQL during COPY) are microseconds of processor
    time per row.

    An import ends when all its events are published and the register's statistics count all its
    rows. Memory is that of the service, in MiB.
    """

    rate: float
    bare_rate: float
    service_us: float
    postgres_us: float
    copy_us: float
    memory_before: float
    memory_after: float


async def measure(run: Run) -> Outcome:
    """Measure the part `register` of the bench. Raises Failure if an imported row is refused."""
    count = run.sized(full=1_500_000, quick=60_000)
    calls = run.sized(full=300, quick=100)
    few = await among_few(run, calls)
    async with running_bench_mesh(WITHOUT) as bench:
        database = await asyncpg.connect(bench.mesh.database.url)
        try:
            hubs = MadeUpHubs()
            await hubs.register(bench, round(count * country.CONNECTED_SHARE))
            imported = await _imported(run, bench, database, count, hubs)
            run.report("statistics of the tables")
            await database.execute(BARE_TABLES)
            await database.execute("ANALYZE")
            owner = await database.fetchval(a_local_owner("bare_cameras"))
            await asyncio.sleep(TOLD_SECONDS)
            seeing_all = bench.outside.certificates.service(EVERYWHERE)
            everywhere = CameraRegistryStub(bench.outside.channel(seeing_all, CAMERA_REGISTRY))
            questioned = await ask_all(run, bench, database, questions(owner), calls, few)
            viewed = await map_views(run, database, everywhere, calls)
            counted = await statistics(run, bench, database, everywhere)
            registered = await registrations(run, bench, calls)
            minutes = run.sized(full=5, quick=1)
            reported = await reports(run, bench, database, hubs, minutes)
        finally:
            await database.close()
    return _outcome(count, imported, [*questioned, *viewed, *counted, *registered, *reported])


async def _imported(
    run: Run,
    bench: BenchMesh,
    database: asyncpg.Connection[Any],
    count: int,
    hubs: MadeUpHubs,
) -> Imported:
    stub = CameraRegistryStub(bench.outside.as_command_line(CAMERA_REGISTRY))
    run.report("rows of the import")
    rows = with_a_person(country.cameras(count, 1, hub_of=hubs.next_of))
    packed = [row.SerializeToString() for row in rows]
    before = bench.memory_bytes(CAMERA_REGISTRY.name)
    spent = _spent(bench)
    began = time.monotonic()
    shown = 0

    def show(done: int) -> None:
        nonlocal shown
        if done >= shown:
            run.report(f"importing, {done:,} of {count:,}")
            shown += count // 20

    result = await send_all(
        stub,
        str(new_id()),
        lambda: map(pb.ImportedCamera.FromString, packed),
        after_each=show,
    )
    if result.added != count:
        raise Failure(f"{result.added} of {count} cameras were added", Exit.PART_FAILED)
    await _drained(database)
    seconds = time.monotonic() - began
    after = bench.memory_bytes(CAMERA_REGISTRY.name)
    service, postgres = (end - start for start, end in zip(spent, _spent(bench), strict=True))
    run.report("bare COPY")
    rate, copy_us = await _copied(bench, database)
    return Imported(
        rate=count / seconds,
        bare_rate=rate,
        service_us=service / count * 1e6,
        postgres_us=postgres / count * 1e6,
        copy_us=copy_us,
        memory_before=before / 2**20,
        memory_after=after / 2**20,
    )


def _spent(bench: BenchMesh) -> tuple[float, float]:
    """The processor time of the service and of PostgreSQL so far, in seconds."""
    return bench.cpu_seconds(CAMERA_REGISTRY.name), bench.cpu_seconds("postgres")


async def _drained(database: asyncpg.Connection[Any]) -> None:
    """Wait until every event is published and every change is counted."""
    waiting = (
        "SELECT (SELECT count(*) FROM camera_registry.outbox WHERE published_at IS NULL)"
        " + (SELECT count(*) FROM camera_registry.camera_count_changes)"
        " + (SELECT count(*) FROM camera_registry.camera_cell_changes)"
        " + (SELECT count(*) FROM camera_registry.camera_change_sets WHERE position IS NULL)"
    )
    while await database.fetchval(waiting):  # noqa: ASYNC110 (nobody tells)
        await asyncio.sleep(0.1)


async def _copied(bench: BenchMesh, database: asyncpg.Connection[Any]) -> tuple[float, float]:
    """Copy all cameras by COPY into a table with the same columns and indexes; returns the rows a
    second, and PostgreSQL's processor time of a row in microseconds."""
    await database.execute(
        "CREATE TABLE bare_cameras (LIKE camera_registry.cameras INCLUDING INDEXES)"
    )
    content: list[bytes] = []

    async def keep(data: bytes) -> None:
        content.append(data)

    rows = "SELECT * FROM camera_registry.cameras ORDER BY camera_id"
    await database.copy_from_query(rows, output=keep, format="binary")

    async def again() -> Any:
        for data in content:
            yield data

    before, began = _spent(bench), time.monotonic()
    done = await database.copy_to_table("bare_cameras", source=again(), format="binary")
    seconds, count = time.monotonic() - began, int(done.split()[-1])
    return count / seconds, (_spent(bench)[1] - before[1]) / count * 1e6


def _of_import(imported: Imported) -> list[Figure]:
    share = imported.rate / imported.bare_rate
    return [
        Figure(
            name="import: rows a second, until every event is published",
            measured=f"{imported.rate:,.0f}",
            bare=f"{imported.bare_rate:,.0f}",
        ),
        Figure(
            name="import: share of a bare COPY into the same indexed table",
            measured=f"{share:.2f}",
            target=f"at least {IMPORT_SHARE}",
            met=share >= IMPORT_SHARE,
        ),
        Figure(
            name="import: processor time a row",
            measured=f"{imported.service_us:.0f} µs of the service,"
            f" {imported.postgres_us:.0f} µs of PostgreSQL",
            bare=f"{imported.copy_us:.0f} µs of PostgreSQL",
        ),
        Figure(
            name="import: memory of the service",
            measured=f"{imported.memory_before:.0f} to {imported.memory_after:.0f} MiB",
        ),
    ]


def _outcome(
    count: int,
    imported: Imported,
    more: list[Figure],
) -> Outcome:
    figures = [*_of_import(imported), *more]
    note = (
        "Callers, service, PostgreSQL and NATS share the cores. One caller asks at a time, an"
        " operator of one region; statistics are asked in an open loop at half of what 16 callers"
        " in turn reach. Inside the service, calls are timed by their spans. The bare statements"
        " run on a copy of the table with the same indexes, without row-level security, in the same"
        " run. What PostgreSQL read is from its"
        " own counts (pg_stat_user_tables, of words and functions pg_stat_user_indexes). The bare"
        " table has two indexes more, which row-level security could not use: of words by GIN and"
        " of places by GiST. The rows of the import and of COPY are made before the time begins."
    )
    return Outcome(
        part="register",
        title=f"The register with {count:,} cameras",
        figures=tuple(figures),
        notes=(note,),
    )
