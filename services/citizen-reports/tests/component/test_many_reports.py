"""Among the closed reports of many years, the desk reads those alone that it shows."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest_asyncio
from chassis.clock import system_clock
from chassis.db import Database
from chassis.pages import PageSpec
from chassis.transaction import Scope, Tx
from citizen_reports.storage import board
from citizen_reports.storage.reports import QueueFilter, reports_for_desk
from sqlalchemy import text
from tartip_testing.mesh import RunningTestMesh

from .inside import handed_in, intake_on

MANY = 20_000
DISPATCHER = Scope("operator", "dispatcher-karaganda", ("KZ-35",), ("dispatcher",))
# Of the past, so that nobody else's counts meet them.
_CLOSED = """
    INSERT INTO citizen_reports.reports ({columns})
    SELECT {values} FROM citizen_reports.reports CROSS JOIN generate_series(1, {many}) AS n
    WHERE report_id = $1
"""
_CHANGED = {
    "report_id": "gen_random_uuid()",
    "number": "'KZ35-2019-' || lpad(n::text, 7, '0')",
    "status": "'closed'",
    "region": "'KZ-35'",
    "registered_at": "registered_at - interval '2000 days'",
    "occurred_at": "occurred_at - interval '2000 days'",
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


@pytest_asyncio.fixture
async def closed(engines: RunningTestMesh, service: str, db: Database) -> AsyncIterator[None]:
    """Many closed reports of one region, removed afterwards."""
    view = await handed_in(await intake_on(db))
    connection = await asyncpg.connect(engines.database.url)
    columns = [row[0] for row in await connection.fetch(_COLUMNS)]
    quoted = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(_CHANGED.get(name, f'"{name}"') for name in columns)
    await connection.execute(
        _CLOSED.format(columns=quoted, values=values, many=MANY), view.report.report_id
    )
    await connection.execute("ANALYZE citizen_reports.reports")
    yield
    await connection.execute("DELETE FROM citizen_reports.reports WHERE number LIKE 'KZ35-2019-%'")
    await connection.execute("ANALYZE citizen_reports.reports")
    await connection.close()


async def test_the_desk_reads_no_closed_report_of_before(db: Database, closed: None) -> None:
    for name, read in READS.items():
        async with db.begin(DISPATCHER) as tx:
            before = await _rows_read(tx)
            await read(tx)
            assert await _rows_read(tx) - before < MANY / 10, name


async def _rows_read(tx: Tx) -> int:
    return int(await tx.scalar(text(_READ)) or 0)
