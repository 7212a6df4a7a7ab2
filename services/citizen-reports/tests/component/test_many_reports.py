"""Among the closed reports of many years, and many that wait, the desk reads those alone that it
shows."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from chassis.clock import system_clock
from chassis.db import Database
from chassis.pages import PageSpec
from chassis.transaction import SYSTEM, Scope, Tx
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Status
from citizen_reports.storage import board, nearby
from citizen_reports.storage.queue import QueueFilter, place_in_queue, reports_for_desk
from sqlalchemy import text
from tartip_testing.mesh import RunningTestMesh

from .inside import handed_in, intake_on

MANY = 20_000
DISPATCHER = Scope("operator", "dispatcher-karaganda", ("KZ-35",), ("dispatcher",))
# Of the past, so that nobody else's counts meet them.
_COPIES = """
    INSERT INTO citizen_reports.reports ({columns})
    SELECT {values} FROM citizen_reports.reports CROSS JOIN generate_series(1, {many}) AS n
    WHERE report_id = $1
"""
_CLOSED = {
    "report_id": "gen_random_uuid()",
    "number": "'KZ35-2019-' || lpad(n::text, 7, '0')",
    "status": "'closed'",
    "region": "'KZ-35'",
    "registered_at": "registered_at - interval '2000 days'",
    "occurred_at": "occurred_at - interval '2000 days'",
}
# Half of them in each of two regions, one in four an emergency; most were due long ago, others have
# no date.
_WAITING = {
    **_CLOSED,
    "number": "'KZ35-2018-' || lpad(n::text, 7, '0')",
    "status": "'routed'",
    "region": "(ARRAY['KZ-35', 'KZ-39'])[1 + n % 2]",
    "category": "CASE WHEN n % 8 < 2 THEN 'road_accident' ELSE category END",
    "due_at": "CASE WHEN n % 16 > 3 THEN registered_at - n * interval '1 minute' END",
}
_COLUMNS = (
    "SELECT column_name FROM information_schema.columns WHERE table_schema = 'citizen_reports'"
    " AND table_name = 'reports' AND is_generated = 'NEVER'"
)
_READ = (
    "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
    " WHERE relname = 'reports' AND schemaname = 'citizen_reports'"
)
_NOW = system_clock()
READS: dict[str, Callable[[Tx], Awaitable[Any]]] = {
    "queue": lambda tx: reports_for_desk(tx, QueueFilter(), PageSpec(50, ())),
    "emergencies": lambda tx: reports_for_desk(
        tx, QueueFilter(emergencies_only=True), PageSpec(50, ())
    ),
    "overdue": lambda tx: reports_for_desk(tx, QueueFilter(overdue_at=_NOW), PageSpec(50, ())),
    "board": lambda tx: board.loads(tx, "KZ-35", _NOW),
    "figures": lambda tx: board.figures(tx, "", (_NOW - timedelta(days=30), _NOW), _NOW),
}


@asynccontextmanager
async def copies(
    engines: RunningTestMesh, db: Database, changed: dict[str, str], many: int
) -> AsyncIterator[None]:
    """So many copies of one report, with other values in some columns, during the block."""
    view = await handed_in(await intake_on(db))
    connection = await asyncpg.connect(engines.database.url)
    columns = [row[0] for row in await connection.fetch(_COLUMNS)]
    quoted = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(changed.get(name, f'"{name}"') for name in columns)
    copying = _COPIES.format(columns=quoted, values=values, many=many)
    try:
        await connection.execute(copying, view.report.report_id)
        await connection.execute("ANALYZE citizen_reports.reports")
        yield
    finally:
        await connection.execute(
            "DELETE FROM citizen_reports.reports WHERE number LIKE 'KZ35-201%'"
        )
        await connection.execute("ANALYZE citizen_reports.reports")
        await connection.close()


async def test_the_desk_reads_no_closed_report_of_before(
    db: Database, engines: RunningTestMesh
) -> None:
    async with copies(engines, db, _CLOSED, MANY):
        for name, read in READS.items():
            async with db.begin(DISPATCHER) as tx:
                before = await _rows_read(tx)
                await read(tx)
                assert await _rows_read(tx) - before < MANY / 10, name


@pytest.mark.parametrize("regions", [("KZ-35",), ("KZ-35", "KZ-39"), ("*",)], ids=str)
async def test_the_first_page_of_the_queue_reads_what_it_shows_however_many_wait(
    db: Database, engines: RunningTestMesh, regions: tuple[str, ...]
) -> None:
    scope = replace(DISPATCHER, regions=regions)
    filters = {
        "all": QueueFilter(),
        "emergencies": QueueFilter(emergencies_only=True),
        "overdue": QueueFilter(overdue_at=_NOW),
        "routed": QueueFilter(status=Status.ROUTED),
    }
    async with copies(engines, db, _WAITING, MANY // 4):
        for name, wanted in filters.items():
            async with db.begin(scope) as tx:
                before = await _rows_read(tx)
                shown = await reports_for_desk(tx, wanted, PageSpec(50, ()))
                read = await _rows_read(tx) - before
            assert len(shown) == 50, name
            assert read <= 4 * len(shown), name


async def test_the_pages_of_several_regions_are_those_of_all_reports_in_order(
    db: Database, engines: RunningTestMesh
) -> None:
    scope = replace(DISPATCHER, regions=("KZ-35", "KZ-39"))
    found: list[Report] = []
    async with copies(engines, db, _WAITING, 130), db.begin(scope) as tx:
        after: tuple[str, ...] = ()
        while page := await reports_for_desk(tx, QueueFilter(), PageSpec(50, after)):
            found += page
            after = place_in_queue(page[-1])
    ours = [one for one in found if one.number.startswith("KZ35-2018")]
    assert len(ours) == len({one.report_id for one in ours}) == 130
    assert found == sorted(found, key=place_in_queue)


async def test_the_look_for_duplicates_reads_a_few_of_the_many_at_one_crossing(
    db: Database, engines: RunningTestMesh
) -> None:
    view = await handed_in(await intake_on(db))
    found = await nearby.located(db, view.report.report_id)
    assert found.report.receipt is not None
    crossing = {
        "report_id": "gen_random_uuid()",
        "number": "'KZ35-2018-' || lpad(n::text, 7, '0')",
        "cell": f"CASE WHEN n % 10 = 0 THEN '{found.place.cell}' ELSE '8720' || to_hex(n) END",
        # Every fourth happened a quarter of an hour later.
        "occurred_at": "occurred_at - n / 10 % 4 / 3 * interval '15 minutes'",
        "registered_at": "registered_at - n * interval '1 millisecond'",
    }
    async with copies(engines, db, crossing, MANY), db.begin(SYSTEM) as tx:
        before = await _rows_read(tx)
        values = nearby.values_of(
            found.report,
            found.place.cells_within(0.1),
            timedelta(minutes=30),
            first=timedelta(minutes=10),
        )
        await tx.read(nearby.BEFORE, **values)
        read = await _rows_read(tx) - before
    assert nearby.NEIGHBOURS_MAX <= read <= 4 * nearby.NEIGHBOURS_MAX


async def _rows_read(tx: Tx) -> int:
    return int(await tx.scalar(text(_READ)) or 0)
