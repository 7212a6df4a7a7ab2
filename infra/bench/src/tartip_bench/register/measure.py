"""Measures the camera register, filled with made-up cameras of a whole country."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
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

from tartip_bench.bench_mesh import ENGINES_ALONE, BenchMesh, running_bench_mesh
from tartip_bench.outcomes import Figure, Outcome
from tartip_bench.register.hubs import MadeUpHubs, reports
from tartip_bench.register.questions import (
    A_LOCAL_OWNER,
    BARE_TABLES,
    PAGE,
    Question,
    Times,
    asked,
    bare,
    questions,
    timed,
    with_a_person,
)
from tartip_bench.register.registrations import registrations
from tartip_bench.register.statistics import statistics
from tartip_bench.run import Run

# Operators of one region, in turn: each may call a hundred times a second.
LOCAL = ("inspector-almaty", "dispatcher-almaty", "supervisor-almaty")
# Operators who may learn which person owns a camera.
KNOWING = ("supervisor-almaty", "cameras-1")
# A service sees every region, and may call oftener.
EVERYWHERE = "violations"
IMPORT_SHARE = 0.4
QUESTION_MS = 15.0
ROWS_READ = 20
# A bare statement that reads the whole table takes more than a second.
BARE_SECONDS = 20.0
# PostgreSQL tells what a session has read when that has been idle for ten seconds.
TOLD_SECONDS = 11.0
_READ_SO_FAR = """
    SELECT sum(seq_scan) AS scans, sum(CASE relname WHEN 'cameras' THEN seq_tup_read + idx_tup_fetch
        ELSE 0 END) AS rows, sum(CASE relname WHEN 'cameras' THEN 0 ELSE seq_tup_read
        + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes AS of WHERE of.relid = read.relid)
    END) AS entries
    FROM pg_stat_user_tables AS read WHERE schemaname = 'camera_registry'
    AND relname IN ('cameras', 'camera_words', 'camera_functions')
"""
_WITHOUT = tuple(name for name in ENGINES_ALONE if name != CAMERA_REGISTRY.name)


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


@dataclass(frozen=True)
class Asked:
    """How long a query and its bare SQL statement took, and how much the database read for the
    query.

    The field `scans` counts sequential scans of three tables: cameras, their search words, and
    their functions. The field `rows_read` is the number of camera rows read per row of the answer.
    The field `entries` is the number of index entries of words and functions that were read,
    divided by the size of a full page of answers (PAGE).
    """

    question: Question
    times: Times
    bare: Times
    scans: int
    rows_read: float
    entries: float


async def measure(run: Run) -> Outcome:
    """Measure the part `register` of the bench. Raises Failure if an imported row is refused."""
    count = run.sized(full=1_500_000, quick=60_000)
    calls = run.sized(full=300, quick=100)
    async with running_bench_mesh(_WITHOUT) as bench:
        database = await asyncpg.connect(bench.mesh.database.url)
        try:
            hubs = MadeUpHubs()
            await hubs.register(bench, round(count * country.CONNECTED_SHARE))
            imported = await _imported(run, bench, database, count, hubs)
            run.report("statistics of the tables")
            await database.execute(BARE_TABLES)
            await database.execute("ANALYZE")
            owner = await database.fetchval(A_LOCAL_OWNER)
            await asyncio.sleep(TOLD_SECONDS)
            stub = CameraRegistryStub(bench.for_operators(CAMERA_REGISTRY))
            local = [await bench.speaking(each) for each in LOCAL]
            knowing = [await bench.speaking(each) for each in KNOWING]
            seeing_all = bench.outside.certificates.service(EVERYWHERE)
            everywhere = CameraRegistryStub(bench.outside.channel(seeing_all, CAMERA_REGISTRY))
            answers = []
            for question in questions(owner):
                run.report(f"{question.name}, {calls} times")
                operators = knowing if question.is_of_person else local
                answers.append(await _answer(stub, database, question, operators, calls))
            counted = await statistics(run, bench, database, everywhere)
            registered = await registrations(run, bench, calls)
            minutes = run.sized(full=5, quick=1)
            reported = await reports(run, bench, database, hubs, minutes)
        finally:
            await database.close()
    return _outcome(count, imported, answers, [*counted, *registered, *reported])


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


async def _answer(
    stub: Any,
    database: asyncpg.Connection[Any],
    question: Question,
    operators: Sequence[Any],
    calls: int,
) -> Asked:
    before = await _read_so_far(database)
    times = await timed(asked(stub, question.request, operators), calls=calls)
    beside = await timed(bare(database, question), calls=calls, seconds_max=BARE_SECONDS)
    await asyncio.sleep(TOLD_SECONDS)
    now = await _read_so_far(database)
    scans, rows, entries = (after - earlier for earlier, after in zip(before, now, strict=True))
    asked_for = calls + calls // 10
    answered = max(1, times.rows) * asked_for
    return Asked(question, times, beside, scans, rows / answered, entries / PAGE / asked_for)


async def _read_so_far(database: asyncpg.Connection[Any]) -> tuple[int, int, int]:
    """Sequential scans over the register's cameras, their words and functions; rows read of the
    cameras; and of words and functions the entries of indexes, whose rows need not be read."""
    row = await database.fetchrow(_READ_SO_FAR)
    assert row is not None
    return int(row["scans"]), int(row["rows"]), int(row["entries"])


def _of_answer(each: Asked) -> list[Figure]:
    """How long a question took, and what was read for it."""
    return [
        Figure(
            name=f"{each.question.name}, a page of {PAGE}: over gRPC",
            measured=f"{each.times.text} ({each.times.rows} rows)",
            bare=f"{each.bare.text} ({each.bare.rows} rows)",
            target=f"p99 under {QUESTION_MS:.0f} ms",
            met=each.times.percentile(0.99) < QUESTION_MS,
        ),
        Figure(
            name=f"{each.question.name}: read for it",
            measured=f"{each.scans} sequential scans, {each.rows_read:.1f} rows a row answered,"
            f" {each.entries:.1f} entries of words or functions a row of a page",
            target=f"no scan, at most {ROWS_READ} rows, {ROWS_READ} entries",
            met=not each.scans and max(each.rows_read, each.entries) <= ROWS_READ,
            is_rule=True,
        ),
    ]


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
    answers: list[Asked],
    more: list[Figure],
) -> Outcome:
    figures = _of_import(imported)
    for each in answers:
        figures += _of_answer(each)
    figures += more
    note = (
        "Callers, service, PostgreSQL and NATS share the cores. One caller asks at a time, an"
        " operator of one region; statistics are asked in an open loop at half of what 16 callers"
        " in turn reach, and timed by the spans of the calls. The bare statements run on a copy"
        " of the table with the same indexes, without row-level security, in the same run. What"
        " PostgreSQL read is from its"
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
