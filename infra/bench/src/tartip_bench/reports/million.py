"""Measures the desk with a million reports: pages of the queue, the board, figures of units,
searches by text, and the look for duplicates."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
from chassis.clock import system_clock, to_timestamp
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import reports_pb2 as pb
from tartip.reports.v1.reports_pb2_grpc import CitizenReportsStub, ReportDeskStub
from tartip_cli.clients.journeys import patiently
from tartip_cli.topology import CITIZEN_REPORTS
from vault.keyring import Keyring

from tartip_bench.bench_mesh import REGION, BenchMesh
from tartip_bench.inside import Period, inside, now
from tartip_bench.outcomes import Figure
from tartip_bench.partner_load import a_report
from tartip_bench.reports.following import PARTNERS
from tartip_bench.reports.texts import index_texts, searches
from tartip_bench.run import Run

DESK = "tartip.reports.v1.ReportDesk"
DUPLICATES = "work find_duplicates"
# Each may call a hundred times a second.
OPERATORS = ("dispatcher-almaty", "supervisor-almaty")
OPERATORS_OF_ALL = ("dispatcher-country", "supervisor-country")
# Where no reports are but the copies; the load of the bench stands open in REGION.
QUIET_REGION = "KZ-71"
PAGE = 50
MILLISECONDS = 50.0
# Reports at one crossing within minutes; the look for duplicates may not grow with them.
FEW_NEAR, MANY_NEAR_FULL, MANY_NEAR_QUICK = 20, 2000, 200
GROWTH = 1.5
WORK_SECONDS = 60.0
_CALL_SECONDS = 30.0
# Copies of one report over 20 regions and a year; 3 in 100 are still in work. Half of these are
# late. Emergencies are one in six.
_FILL = """
    INSERT INTO citizen_reports.reports ({columns})
    SELECT {values} FROM citizen_reports.reports AS real
    CROSS JOIN generate_series(1, $2::int) AS n
    CROSS JOIN LATERAL (SELECT
        'KZ-' || (ARRAY[10,11,15,19,23,27,31,33,35,39,43,47,55,59,61,62,63,71,75,79])[1 + n % 20]
            AS region,
        $3::timestamptz - n * interval '31 seconds' AS at,
        n / 20 % 100 < 3 AS is_open) AS made
    WHERE real.report_id = $1::uuid
"""
_VALUES = {
    "report_id": "gen_random_uuid()",
    "partner": "(ARRAY['kaspi','egov','halyk','eurasian'])[1 + n % 4]",
    "category": "(ARRAY['other','traffic_violation','incident','road_accident','domestic_violence',"
    "'incident_with_child'])[1 + (n / 7) % 6]",
    "region": "made.region",
    "number": "replace(made.region, '-', '') || '-2025-' || lpad((n + 1000000)::text, 7, '0')",
    "status": "CASE WHEN NOT is_open THEN 'closed' WHEN n % 2 = 0 THEN 'routed' ELSE 'in_work' END",
    "operator": "CASE WHEN n % 2 = 0 THEN '' ELSE 'operator-' || n % 40 END",
    "unit": "made.region || '-' || (ARRAY['duty','crime','traffic'])[1 + n % 3]",
    "opened_at": "made.at",
    "occurred_at": "made.at",
    "registered_at": "made.at",
    "taken_at": "made.at + interval '20 minutes'",
    "answered_at": "CASE WHEN is_open THEN NULL ELSE made.at + interval '2 days' END",
    "due_at": "CASE WHEN n % 2 = 0 THEN made.at ELSE made.at + interval '900 days' END",
    "cell": "'8720' || to_hex(n % 65536)",
}
_WAITING = """
    SELECT region, count(*) FROM citizen_reports.reports
    WHERE status IN ('registered', 'routed', 'in_work', 'waits_for_reporter', 'disputed')
    GROUP BY region
"""
_COLUMNS = (
    "SELECT string_agg(column_name, ',') FROM information_schema.columns"
    " WHERE table_schema = 'citizen_reports' AND table_name = 'reports' AND is_generated = 'NEVER'"
)


@dataclass(frozen=True)
class Question:
    """A call of the desk by these operators in turn, which is timed by its span `method`."""

    title: str
    method: str
    request: Any
    operators: tuple[str, ...] = OPERATORS


def questions(at: dt.datetime, waiting: Mapping[str, int]) -> list[Question]:
    """The calls of the desk that are measured at this moment. `waiting` has the number of open
    reports by region."""
    page = common_pb2.Page(size=PAGE)
    lists = {
        "the queue": pb.ReportDeskListReportsRequest(page=page),
        "the queue of a region": pb.ReportDeskListReportsRequest(page=page, region=REGION),
        "emergencies": pb.ReportDeskListReportsRequest(page=page, emergencies_only=True),
        "overdue ones": pb.ReportDeskListReportsRequest(page=page, overdue_only=True),
        "a category": pb.ReportDeskListReportsRequest(page=page, category=pb.CATEGORY_INCIDENT),
    }
    counted = ((QUIET_REGION, OPERATORS_OF_ALL), (REGION, OPERATORS))
    return [
        *(Question(title, "ListReports", request) for title, request in lists.items()),
        *(
            Question(f"a search by text, {title}", "SearchReports", request)
            for title, request in searches().items()
        ),
        *(
            question
            for region, operators in counted
            for question in _of_units(region, waiting[region], at, operators)
        ),
    ]


def _of_units(
    region: str, waiting: int, at: dt.datetime, operators: tuple[str, ...]
) -> Iterator[Question]:
    """The board of a region with so many open reports, and the figures of its units."""
    board = pb.GetBoardRequest(region=region)
    month = pb.GetUnitFiguresRequest(
        region=region,
        registered_from=to_timestamp(at - dt.timedelta(days=30)),
        registered_until=to_timestamp(at),
    )
    where = f"a region with {waiting:,} open"
    yield Question(f"the board of {where}", "GetBoard", board, operators)
    yield Question(f"30 days of the units of {where}", "GetUnitFigures", month, operators)


async def desk(run: Run, bench: BenchMesh) -> list[Figure]:
    """Return the figures of the desk. Raises Refusal if a call is refused."""
    count = run.sized(full=1_000_000, quick=50_000)
    calls = run.sized(full=200, quick=50)
    app: Any = CitizenReportsStub(bench.outside.as_partner(PARTNERS[0], CITIZEN_REPORTS))
    run.report(f"{count:,} reports")
    await _fill(bench, await _handed_in(app, a_report()), count)
    asked: list[tuple[Question, Period]] = []
    stub: Any = ReportDeskStub(bench.for_operators(CITIZEN_REPORTS))
    for question in questions(system_clock(), await _waiting(bench)):
        run.report(f"{question.title}, {calls} times")
        asked.append((question, await _asked(bench, stub, question, calls)))
    figures = []
    for question, period in asked:
        [took] = await inside(bench, (f"{DESK}/{question.method}",), [period])
        figures.append(_figure(f"{count:,} reports, {question.title}", took))
    return [*figures, *await _duplicates(run, bench, app, count)]


def _figure(title: str, took: list[float]) -> Figure:
    took.sort()
    p99, p50 = took[int(len(took) * 0.99)], took[len(took) // 2]
    return Figure(
        name=f"{title}: inside the service",
        measured=f"p50 {p50:.1f} ms, p99 {p99:.1f} ms",
        target=f"p99 under {MILLISECONDS:.0f} ms",
        met=p99 < MILLISECONDS,
    )


async def _asked(bench: BenchMesh, stub: Any, question: Question, calls: int) -> Period:
    """Ask `calls` times, one call after the other, and return the period of the calls."""
    metadata = [await bench.speaking(operator) for operator in question.operators]
    call: Callable[..., Awaitable[object]] = getattr(stub, question.method)

    def ask(number: int) -> Callable[[], Awaitable[object]]:
        speaking = metadata[number % len(metadata)]
        return lambda: call(question.request, timeout=_CALL_SECONDS, metadata=speaking)

    await ask(0)()
    began = now()
    for number in range(calls):
        await ask(number)()
    return Period(began, now())


async def _duplicates(run: Run, bench: BenchMesh, app: Any, count: int) -> list[Figure]:
    """Hand in reports at one place, and time the look for duplicates of the first and last ones."""
    many = run.sized(full=MANY_NEAR_FULL, quick=MANY_NEAR_QUICK)
    run.report(f"{many} reports at one crossing")
    place = common_pb2.Place(latitude=43.2001, longitude=76.8501, region=REGION)
    periods = []
    for near in (FEW_NEAR, many - FEW_NEAR):
        began = now()
        for _ in range(near):
            report = a_report()
            report.place.CopyFrom(place)
            await _handed_in(app, report)
        await asyncio.sleep(WORK_SECONDS if near > FEW_NEAR else 2.0)
        periods.append(Period(began, now()))
    few, more = await inside(bench, (DUPLICATES,), periods)
    last = more[-max(FEW_NEAR, len(more) // 4) :]
    first, then = sorted(few)[len(few) // 2], sorted(last)[len(last) // 2]
    return [
        _figure(f"{count:,} reports, the look for duplicates with up to {many} near", last),
        Figure(
            name=f"the look for duplicates, the last of {many} near beside the first {FEW_NEAR}",
            measured=f"{then / first:.2f} times ({first:.1f} ms, {then:.1f} ms)",
            target=f"at most {GROWTH} times",
            met=then <= GROWTH * first,
        ),
    ]


async def _handed_in(app: Any, report: pb.OpenReportRequest) -> str:
    request = pb.HandInReportRequest(report=report)

    async def hand_in() -> None:
        await app.HandInReport(request, timeout=_CALL_SECONDS)

    await patiently(hand_in)
    return report.report_id


def _keys(bench: BenchMesh) -> Keyring:
    """The keys of the service, with which it hashes what is sought."""
    return Keyring(bench.mesh.home.keys / CITIZEN_REPORTS.name)


async def _fill(bench: BenchMesh, real: str, count: int) -> None:
    """Add `count` copies of a report to the table, in other regions, units, states and times, with
    an index of texts for them."""
    connection = await asyncpg.connect(bench.mesh.database.url)
    try:
        columns = str(await connection.fetchval(_COLUMNS)).split(",")
        values = [_VALUES.get(name, f'real."{name}"') for name in columns]
        quoted = ", ".join(f'"{name}"' for name in columns)
        fill = _FILL.format(columns=quoted, values=", ".join(values))
        await connection.execute(fill, real, count, system_clock(), timeout=900)
        # As PostgreSQL does by itself in a table that grows day by day.
        await connection.execute("VACUUM ANALYZE citizen_reports.reports", timeout=300)
        await index_texts(connection, _keys(bench))
    finally:
        await connection.close()


async def _waiting(bench: BenchMesh) -> dict[str, int]:
    """The number of open reports by region."""
    connection = await asyncpg.connect(bench.mesh.database.url)
    try:
        return dict(await connection.fetch(_WAITING))
    finally:
        await connection.close()
