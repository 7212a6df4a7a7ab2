"""For the log-in of the desk complaints about officers do not exist, whatever its session says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from host.log_ins import COMMON_TABLES
from tartip.reports.v1 import reports_pb2 as pb
from tartip_testing.mesh import RunningTestMesh

from .conftest import As, Register, complaint, draft, refused

SCHEMA = "citizen_reports"
CALLS, DESK = f"{SCHEMA}_runtime", f"{SCHEMA}_desk"
# What a session may say of itself, at its worst.
SESSIONS = {
    "the service itself": {"kind": "system", "name": "system"},
    "its app": {"kind": "partner", "name": "kaspi"},
    "internal security": {
        "kind": "operator",
        "name": "security-1",
        "roles": json.dumps(["internal_security", "supervisor", "dispatcher", "inspector"]),
    },
    "one who decides": {"kind": "operator", "name": "dispatcher-almaty", "lookup": "decides:{id}"},
    "violations": {"kind": "service", "name": "violations"},
}
_PROTECTED = """
SELECT relname, EXISTS (
    SELECT FROM pg_policies WHERE schemaname = $1 AND tablename = relname
    AND policyname = relname || '_at_desk' AND permissive = 'RESTRICTIVE' AND cmd = 'ALL'
) AS is_kept FROM pg_class
WHERE relnamespace = $1::regnamespace AND relrowsecurity AND relname <> ALL ($2)
"""
_WITH_REPORTS = """
SELECT relname, relrowsecurity FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p') AND attname = 'report_id'
"""


@pytest.fixture
async def both(register: Register) -> tuple[str, str]:
    """The ids of a complaint and of a report that is none."""
    return (await register(complaint()))[0], (await register(draft()))[0]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def found(
    connection: asyncpg.Connection, table: str, report_id: str, session: dict[str, str]
) -> int:
    """How many rows of a report a session sees that says this of itself."""
    said = {"regions": json.dumps(["*"]), "roles": "[]", "lookup": "", **session}
    async with connection.transaction():
        for name, value in said.items():
            await connection.execute(
                "SELECT set_config($1, $2, true)", f"app.{name}", value.format(id=report_id)
            )
        query = f"SELECT count(*) FROM {table} WHERE report_id = $1"
        return int(await connection.fetchval(query, report_id))


@pytest.mark.parametrize("says", SESSIONS)
async def test_no_session_of_the_desk_finds_a_complaint(
    both: tuple[str, str], engines: RunningTestMesh, says: str
) -> None:
    complained, reported = both
    async with connected(engines.database.url) as admin:
        rows = await admin.fetch(_WITH_REPORTS, SCHEMA)
        tables = {row["relname"] for row in rows if row["relrowsecurity"]}
        kept = [table for table in tables if await _has(admin, table, complained)]
    assert {"reports", "report_texts"} & set(kept), kept
    async with connected(engines.database.desk_url(SCHEMA)) as desk:
        for table in kept:
            assert await found(desk, table, complained, SESSIONS[says]) == 0, table
        dispatcher = {"kind": "operator", "name": "x", "roles": json.dumps(["dispatcher"])}
        assert await found(desk, "reports", reported, dispatcher) == 1
    async with connected(engines.database.runtime_url(SCHEMA)) as calls:
        for session in (SESSIONS["its app"], SESSIONS["internal security"]):
            assert await found(calls, "reports", complained, session) == 1


async def _has(admin: asyncpg.Connection, table: str, report_id: str) -> bool:
    query = f"SELECT EXISTS (SELECT FROM {SCHEMA}.{table} WHERE report_id = $1)"
    return bool(await admin.fetchval(query, report_id))


async def test_the_log_in_of_the_desk_cannot_become_another(engines: RunningTestMesh) -> None:
    async with connected(engines.database.desk_url(SCHEMA)) as desk:
        for role in (CALLS, f"{SCHEMA}_work", f"{SCHEMA}_owner"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await desk.execute(f"SET ROLE {role}")


async def test_every_table_with_protected_rows_is_kept_from_the_desk(
    service: str, engines: RunningTestMesh
) -> None:
    async with connected(engines.database.url) as admin:
        rows = await admin.fetch(_PROTECTED, SCHEMA, list(COMMON_TABLES))
        open_to_all = {
            row["relname"]
            for row in await admin.fetch(_WITH_REPORTS, SCHEMA)
            if not row["relrowsecurity"]
        }
    assert len(rows) > 10
    assert [row["relname"] for row in rows if not row["is_kept"]] == [], "see `keep_from_desk`"
    assert open_to_all == set()


async def test_calls_of_the_desk_use_its_log_in_and_apps_and_internal_security_do_not(
    both: tuple[str, str],
    kaspi: As,
    as_: Callable[..., As],
    dispatcher: As,
    engines: RunningTestMesh,
) -> None:
    complained, reported = both
    security = as_(operator="security-1")

    def at_desk(report_id: str) -> Any:
        return pb.ReportDeskGetReportRequest(report_id=report_id)

    async with connected(engines.database.url) as admin:
        await admin.execute(f"REVOKE {CALLS} FROM {DESK}")
        try:
            failed = await refused(dispatcher.at_desk("GetReport", at_desk(reported)))
            assert failed.code == "INTERNAL"
            await security.at_desk("GetReport", at_desk(complained))
            await kaspi.app("GetReport", pb.GetReportRequest(report_id=complained))
        finally:
            await admin.execute(f"GRANT {CALLS} TO {DESK} WITH INHERIT TRUE, SET FALSE")
    await dispatcher.at_desk("GetReport", at_desk(reported))


async def test_a_dispatcher_makes_a_complaint_of_a_report_that_he_no_longer_finds(
    both: tuple[str, str], dispatcher: As, security: As
) -> None:
    """The decision uses the log-in for calls, and every later call of his that of the desk."""
    _, reported = both
    await dispatcher.at_desk(
        "RaiseReport",
        pb.RaiseReportRequest(
            report_id=reported,
            category=pb.CATEGORY_COMPLAINT_ABOUT_OFFICER,
            reason="It is about an officer.",
        ),
    )
    get = pb.ReportDeskGetReportRequest(report_id=reported)
    assert (await refused(dispatcher.at_desk("GetReport", get))).code == "REPORT_NOT_FOUND"
    await security.at_desk("GetReport", get)
