"""Asks the camera register each query of `questions`, and its bare SQL statement beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from chassis.clock import new_id
from tartip.cameras.v1.cameras_pb2_grpc import CameraRegistryStub
from tartip_cli.clients import country
from tartip_cli.clients.camera_import import send_all
from tartip_cli.topology import CAMERA_REGISTRY

from tartip_bench.bench_mesh import ENGINES_ALONE, BenchMesh, running_bench_mesh
from tartip_bench.inside import Period, inside, now
from tartip_bench.outcomes import Figure
from tartip_bench.profile import profiled
from tartip_bench.register.questions import (
    PAGE,
    Question,
    Times,
    a_local_owner,
    asked,
    bare,
    questions,
    timed,
    with_a_person,
)
from tartip_bench.run import Run

WITHOUT = tuple(name for name in ENGINES_ALONE if name != CAMERA_REGISTRY.name)
# The register of few cameras, with which the durations in the large one are compared.
FEW = 15_000
OF_BARE, OF_FEW = 3.0, 1.5
_REGISTER = "tartip.cameras.v1.CameraRegistry"
CALLS = (f"{_REGISTER}/ListCameras", f"{_REGISTER}/FindNearestCameras")
# Operators of one region, in turn: each may call a hundred times a second.
LOCAL = ("inspector-almaty", "dispatcher-almaty", "supervisor-almaty")
# Operators who may learn which person owns a camera.
KNOWING = ("supervisor-almaty", "cameras-1")
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


@dataclass(frozen=True)
class Asked:
    """How long a query and its bare SQL statement took, in which period the query was sent, and how
    much the database read for it.

    `scans` counts sequential scans of three tables: cameras, their search words, and their
    functions. `rows_read` is the number of camera rows that were read, divided by the number of
    rows in the answer. `entries` is the number of index entries of words and functions that were
    read, divided by the size of a full page of answers (PAGE).
    """

    question: Question
    period: Period
    times: Times
    bare: Times
    scans: int
    rows_read: float
    entries: float


async def ask_all(
    run: Run,
    bench: BenchMesh,
    database: asyncpg.Connection[Any],
    asked_for: Sequence[Question],
    calls: int,
    few: Mapping[str, float],
) -> list[Figure]:
    """Ask each query `calls` times and return the figures. `few` has, by the query's name, the
    median duration in milliseconds in the register of few cameras (`among_few`)."""
    stub, operators = await _speaking(bench)
    answers = []
    for question in asked_for:
        run.report(f"{question.name}, {calls} times")
        answers.append(
            await _answer(stub, database, question, operators[question.is_of_person], calls)
        )
    took = await inside(bench, CALLS, [answer.period for answer in answers])
    run.report("a profile of all queries")
    async with profiled(bench.pid(CAMERA_REGISTRY.name), run.scratch) as profile:
        for question in asked_for:
            ask = asked(stub, question.request, operators[question.is_of_person])
            await timed(ask, calls=calls)
    figures: list[Figure] = [profile.figure(f"pages of {PAGE}, all queries in turn")]
    for answer, durations in zip(answers, took, strict=True):
        times = Times(answer.times.rows, durations)
        figures += _of_answer(answer, times, few[answer.question.name])
    return figures


async def among_few(run: Run, calls: int) -> dict[str, float]:
    """Ask the same queries in a mesh of its own with FEW cameras; return the median duration inside
    the service in milliseconds, by the query's name."""
    run.report(f"a register of {FEW:,} cameras")
    async with running_bench_mesh(WITHOUT) as bench:
        database = await asyncpg.connect(bench.mesh.database.url)
        try:
            importing = CameraRegistryStub(bench.outside.as_command_line(CAMERA_REGISTRY))
            rows = list(with_a_person(country.cameras(FEW, 1)))
            await send_all(importing, str(new_id()), lambda: iter(rows))
            await database.execute("ANALYZE")
            owner = await database.fetchval(a_local_owner("camera_registry.cameras"))
        finally:
            await database.close()
        stub, operators = await _speaking(bench)
        periods = {}
        for question in questions(owner):
            began = now()
            ask = asked(stub, question.request, operators[question.is_of_person])
            await timed(ask, calls=calls)
            periods[question.name] = Period(began, now())
        took = await inside(bench, CALLS, list(periods.values()))
    return {
        name: Times(0, durations).percentile(0.5)
        for name, durations in zip(periods, took, strict=True)
    }


async def _speaking(bench: BenchMesh) -> tuple[Any, dict[bool, list[Any]]]:
    """The register as operators call it; the call metadata of operators, by whether they may learn
    which person owns a camera."""
    stub = CameraRegistryStub(bench.for_operators(CAMERA_REGISTRY))
    names = {False: LOCAL, True: KNOWING}
    return stub, {may: [await bench.speaking(each) for each in names[may]] for may in names}


async def _answer(
    stub: Any,
    database: asyncpg.Connection[Any],
    question: Question,
    operators: Sequence[Any],
    calls: int,
) -> Asked:
    before, began = await _read_so_far(database), now()
    times = await timed(asked(stub, question.request, operators), calls=calls)
    period = Period(began, now())
    beside = await timed(bare(database, question), calls=calls, seconds_max=BARE_SECONDS)
    await asyncio.sleep(TOLD_SECONDS)
    last = await _read_so_far(database)
    scans, rows, entries = (after - earlier for earlier, after in zip(before, last, strict=True))
    asked_for = calls + calls // 10
    answered = max(1, times.rows) * asked_for
    return Asked(
        question, period, times, beside, scans, rows / answered, entries / PAGE / asked_for
    )


async def _read_so_far(database: asyncpg.Connection[Any]) -> tuple[int, int, int]:
    """Sequential scans over the register's cameras, their words and functions; rows read of the
    cameras; and of words and functions the entries of indexes, whose rows need not be read."""
    row = await database.fetchrow(_READ_SO_FAR)
    assert row is not None
    return int(row["scans"]), int(row["rows"]), int(row["entries"])


def _of_answer(each: Asked, took: Times, few_ms: float) -> list[Figure]:
    """How long a query took, in the service and for its caller, and what was read for it."""
    name, median = each.question.name, took.percentile(0.5)
    of_bare, of_few = median / each.bare.percentile(0.5), median / few_ms
    return [
        Figure(
            name=f"{name}, a page of {PAGE}: inside the service",
            measured=f"{took.text} ({took.rows} rows)",
            bare=f"{each.bare.text} ({each.bare.rows} rows)",
            target=f"p99 under {QUESTION_MS:.0f} ms",
            met=took.percentile(0.99) < QUESTION_MS,
        ),
        Figure(
            name=f"{name}: p50 beside the bare statement's, and beside {FEW:,} cameras",
            measured=f"{of_bare:.1f} times; {of_few:.2f} times",
            bare=f"p50 {few_ms:.1f} ms with {FEW:,}",
            target=f"at most {OF_BARE:.0f} times; {OF_FEW} times",
            met=of_bare <= OF_BARE and of_few <= OF_FEW,
        ),
        Figure(name=f"{name}: over gRPC", measured=each.times.text),
        Figure(
            name=f"{name}: read for it",
            measured=f"{each.scans} sequential scans, {each.rows_read:.1f} rows a row answered,"
            f" {each.entries:.1f} entries of words or functions a row of a page",
            target=f"no scan, at most {ROWS_READ} rows, {ROWS_READ} entries",
            met=not each.scans and max(each.rows_read, each.entries) <= ROWS_READ,
            is_rule=True,
        ),
    ]
