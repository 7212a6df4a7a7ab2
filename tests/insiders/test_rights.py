"""Each log-in may do on each table what is written here, column by column, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from chassis.tables import metadata

pytestmark = pytest.mark.mesh

EVENT = "aggregate,audit_entries,event_id,payload,region,sealed,story,subject,traceparent,version"
SCHEDULE = "INSERT(due_at,key,kind,mac,story,traceparent)"
MOVE = "UPDATE(attempts,done_at,due_at,last_error,leased_until,mac)"
ADD_ENTRY, ADD_REQUEST = "INSERT(canonical,entry_id)", "INSERT(caller,fingerprint,request_id)"
MAKE_KEY = "INSERT(key_class,key_id,person,wrapped)"
BURY = "INSERT(error,event_id,headers,key_id,payload,subject)"
# By table: the log-in for calls, for work, for sealing.
RIGHTS = {
    "audit": (f"{ADD_ENTRY} SELECT", f"{ADD_ENTRY} SELECT", "SELECT"),
    "audit_pending": ("INSERT(entry_id) SELECT", "INSERT(entry_id) SELECT", "DELETE SELECT"),
    "audit_leaves": ("SELECT", "SELECT", "INSERT SELECT"),
    "audit_nodes": ("SELECT", "SELECT", "INSERT SELECT"),
    "audit_heads": ("SELECT", "SELECT", "INSERT SELECT"),
    "requests": (f"{ADD_REQUEST} SELECT", f"{ADD_REQUEST} SELECT", ""),
    "outbox": (
        f"INSERT({EVENT}) SELECT",
        f"DELETE INSERT({EVENT}) SELECT UPDATE(mac,published_at,stream_sequence)",
        "",
    ),
    "outbox_streams": ("", "INSERT SELECT UPDATE(made_at)", ""),
    "inbox": ("SELECT", "DELETE INSERT(event_id,mac,subject) SELECT", ""),
    "dead_letters": ("", f"{BURY} SELECT", ""),
    "work": (f"{SCHEDULE} SELECT {MOVE}", f"{SCHEDULE} SELECT {MOVE}", ""),
    "data_keys": (
        f"{MAKE_KEY} SELECT",
        f"{MAKE_KEY} SELECT UPDATE(destroyed_at,destroyed_by,wrapped)",
        "",
    ),
    "leases": ("", "INSERT SELECT UPDATE", "INSERT SELECT UPDATE"),
}
GRANTED = """
WITH granted AS (
    SELECT c.oid, c.relname, a.grantee, a.privilege_type, NULL AS attname
    FROM pg_class c, aclexplode(c.relacl) a
    UNION ALL
    SELECT c.oid, c.relname, a.grantee, a.privilege_type, attname
    FROM pg_class c JOIN pg_attribute ON attrelid = c.oid, aclexplode(attacl) a
), columns AS (
    SELECT oid, relname, grantee, privilege_type, string_agg(attname, ',' ORDER BY attname) AS names
    FROM granted GROUP BY oid, relname, grantee, privilege_type
)
SELECT c.relnamespace::regnamespace::text AS schema, c.relname AS table, rolname AS role,
    coalesce(string_agg(privilege_type || coalesce('(' || names || ')', ''), ' '
        ORDER BY privilege_type), '') AS rights
FROM pg_class c CROSS JOIN pg_roles
LEFT JOIN columns ON columns.oid = c.oid AND columns.grantee = pg_roles.oid
WHERE c.relkind IN ('r', 'p', 'v', 'm')
    AND rolname LIKE replace(c.relnamespace::regnamespace::text, '_', '\\_') || '\\_%'
    AND c.relnamespace = ANY($1::regnamespace[])
GROUP BY c.relnamespace, c.relname, rolname
"""


async def granted(connection: Any, schemas: list[str]) -> dict[tuple[str, str], dict[str, str]]:
    """By schema and table: the rights of each role, by how its name ends."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in await connection.fetch(GRANTED, schemas):
        role = row["role"].removeprefix(f"{row['schema']}_")
        found.setdefault((row["schema"], row["table"]), {})[role] = row["rights"]
    return found


async def test_each_log_in_has_the_rights_of_this_table(registry: Any) -> None:
    async with registry.opened("superuser") as connection:
        found = await granted(connection, ["camera_registry"])
    roles = ("runtime", "work", "seal")
    log_ins = {table: tuple(map(each.get, roles)) for (_, table), each in found.items()}
    assert RIGHTS.keys() >= metadata.tables.keys(), "a table of all services without a row here"
    assert {table: log_ins[table] for table in RIGHTS} == RIGHTS
    own = {table: rights for table, rights in log_ins.items() if table not in RIGHTS}
    assert own
    assert {table: rights for table, rights in own.items() if rights[0] != rights[1]} == {}
    assert {table for table, rights in own.items() if rights[2]} == set()


async def test_no_log_in_empties_a_table_owns_one_or_takes_another_role(registry: Any) -> None:
    async with registry.opened("superuser") as connection:
        rows = await connection.fetch(
            "SELECT tablename, rolname FROM pg_tables CROSS JOIN pg_roles"
            " WHERE schemaname = 'camera_registry' AND rolname = ANY($1)"
            " AND (tableowner = rolname OR has_table_privilege(rolname,"
            " format('camera_registry.%I', tablename), 'TRUNCATE, REFERENCES, TRIGGER'))",
            [f"camera_registry_{role}" for role in ("runtime", "work", "seal")],
        )
        members = await connection.fetchval(
            "SELECT count(*) FROM pg_auth_members WHERE member::regrole::text LIKE 'camera%'"
        )
    assert (rows, members) == ([], 0)
