"""A role of one schema is refused by PostgreSQL on every table of the others."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from tartip_cli.topology import SCHEMAS
from tartip_testing.mesh import RunningTestMesh

PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
PAIRS = [pair for pair in itertools.product(SCHEMAS, SCHEMAS) if pair[0] != pair[1]]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def tables_of(mesh: RunningTestMesh, schema: str) -> list[str]:
    async with connected(mesh.database.url) as administrator:
        rows = await administrator.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
            " WHERE schemaname = $1 ORDER BY 1",
            schema,
        )
    return [row["name"] for row in rows]


async def assert_refused(connection: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)


async def assert_foreign_tables_refused(connection: asyncpg.Connection, tables: list[str]) -> None:
    for table in tables:
        await assert_refused(connection, f"SELECT * FROM {table} LIMIT 1")
        await assert_refused(connection, f"INSERT INTO {table} DEFAULT VALUES")
        await assert_refused(connection, f"DELETE FROM {table}")
        for privilege in PRIVILEGES:
            # By name the role may not even look the table up; by number it can ask.
            allowed = await connection.fetchval(
                "SELECT has_table_privilege(c.oid, $2) FROM pg_class c"
                " JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE format('%I.%I', n.nspname, c.relname) = $1",
                table,
                privilege,
            )
            assert allowed is False, f"{privilege} on {table}"


def urls_of(mesh: RunningTestMesh, schema: str) -> list[str]:
    """Of the owner and of each log-in."""
    return [mesh.database.owner_url(schema), *mesh.database.log_ins(schema).values()]


async def test_fresh_schemas_are_closed_to_the_others(postgres: RunningTestMesh) -> None:
    for schema in SCHEMAS:
        async with connected(postgres.database.owner_url(schema)) as owner:
            await owner.execute("CREATE TABLE IF NOT EXISTS isolation_probe (id int)")
            log_ins = f"{schema}_runtime, {schema}_work, {schema}_seal"
            await owner.execute(f"GRANT SELECT ON isolation_probe TO {log_ins}")
    try:
        for own, foreign in PAIRS:
            tables = await tables_of(postgres, foreign)
            for url in urls_of(postgres, own):
                async with connected(url) as connection:
                    await connection.fetch("SELECT * FROM isolation_probe")
                    await assert_foreign_tables_refused(connection, tables)
    finally:
        for schema in SCHEMAS:
            async with connected(postgres.database.owner_url(schema)) as owner:
                await owner.execute("DROP TABLE isolation_probe")


@pytest.mark.mesh
async def test_no_role_reaches_a_table_of_another_service(mesh: RunningTestMesh) -> None:
    for own, foreign in PAIRS:
        tables = await tables_of(mesh, foreign)
        assert tables, f"{foreign} has no tables: nothing would be tested"
        for url in urls_of(mesh, own):
            async with connected(url) as connection:
                await assert_foreign_tables_refused(connection, tables)


async def test_log_ins_make_nothing_and_are_bound_by_row_security(
    postgres: RunningTestMesh,
) -> None:
    urls = [(own, url) for own in SCHEMAS for url in postgres.database.log_ins(own).values()]
    for schema, url in urls:
        async with connected(url) as runtime:
            await assert_refused(runtime, f"CREATE TABLE {schema}.made (id int)")
            await assert_refused(runtime, "CREATE TABLE public.made (id int)")
            await assert_refused(runtime, "CREATE TEMPORARY TABLE made (id int)")
            await assert_refused(runtime, "CREATE SCHEMA made")
            role = await runtime.fetchrow(
                "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles"
                " WHERE rolname = current_user"
            )
            assert role is not None and not any(role.values())
            assert await runtime.fetchval("SHOW search_path") == schema
            assert await runtime.fetchval("SHOW statement_timeout") == "5s"
            assert await runtime.fetchval("SHOW transaction_timeout") == "15s"
            assert await runtime.fetchval("SHOW idle_in_transaction_session_timeout") == "5s"


async def test_commits_are_on_the_disk_before_they_are_answered(postgres: RunningTestMesh) -> None:
    async with connected(postgres.database.url) as administrator:
        for setting in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
            assert await administrator.fetchval(f"SHOW {setting}") == "on", setting


@pytest.mark.mesh
async def test_no_policy_splits_the_scope_at_a_separator(mesh: RunningTestMesh) -> None:
    """A region or role with a comma in it would be several."""
    async with connected(mesh.database.url) as administrator:
        rows = await administrator.fetch(
            "SELECT schemaname, concat(qual, with_check) AS conditions FROM pg_policies"
            " WHERE schemaname = ANY($1)",
            list(SCHEMAS),
        )
    assert {row["schemaname"] for row in rows} == set(SCHEMAS)
    assert [row for row in rows if "string_to_array" in row["conditions"]] == []


OWN_CLOCK = """
WITH said AS (
    SELECT c.relnamespace AS schema, c.relname AS name, pg_get_expr(d.adbin, d.adrelid) AS text
        FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid
    UNION ALL
    SELECT pronamespace, proname, prosrc FROM pg_proc WHERE proname <> 'service_now'
    UNION ALL
    SELECT c.relnamespace, p.polname,
        concat(pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
        FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
)
SELECT n.nspname || '.' || said.name FROM said JOIN pg_namespace n ON n.oid = said.schema
WHERE n.nspname = ANY($1::text[]) AND replace(said.text, 'service_now()', '')
    ~* '(now|_timestamp|timeofday) *\\(|current_timestamp|current_date|localtimestamp'
"""


@pytest.mark.mesh
async def test_nothing_in_a_schema_asks_the_databases_own_clock(mesh: RunningTestMesh) -> None:
    """Defaults, functions and policies: the time of the services is `service_now()`."""
    async with connected(mesh.database.url) as administrator:
        known = await administrator.fetch(
            "SELECT pronamespace::regnamespace::text AS schema FROM pg_proc"
            " WHERE proname = 'service_now'"
        )
        assert {row["schema"] for row in known} == set(SCHEMAS)
        assert await administrator.fetch(OWN_CLOCK, list(SCHEMAS)) == []
