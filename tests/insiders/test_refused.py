"""What somebody with one log-in tries around the records, and what refuses it."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

pytestmark = pytest.mark.mesh

FALSE_HEAD = (
    "INSERT INTO audit_heads SELECT tree_size + 1, root, frontier, sealed_at, signature, public_key"
    " FROM audit_heads LIMIT 1"
)
FALSE_LEAF = "INSERT INTO audit_leaves VALUES (1000000000, gen_random_uuid(), '')"
ENTRY = "INSERT INTO audit (entry_id, canonical) VALUES (gen_random_uuid(), '')"
EVENT_COLUMNS = "event_id, subject, aggregate, version, region, story, traceparent, payload"
DONE_BEFORE = (
    "INSERT INTO work (kind, key, due_at, traceparent, story, done_at)"
    " VALUES ('x', 'x', service_now(), '', '', service_now())"
)
PUBLISHED_BEFORE = (
    f"INSERT INTO outbox ({EVENT_COLUMNS}, published_at)"
    f" SELECT {EVENT_COLUMNS}, service_now() FROM outbox"
)
DESTROY = "UPDATE data_keys SET wrapped = NULL, destroyed_at = service_now()"
OF_EVERYBODY = (
    "UPDATE audit SET canonical = ''",
    "DELETE FROM audit",
    "TRUNCATE audit CASCADE",
    "UPDATE audit_pending SET entry_id = gen_random_uuid()",
    "UPDATE audit_leaves SET leaf_hash = ''",
    "DELETE FROM audit_leaves",
    "UPDATE audit_heads SET root = ''",
    "DELETE FROM audit_heads",
    "DELETE FROM audit_nodes",
    "DELETE FROM requests",
    "UPDATE requests SET fingerprint = ''",
    "DELETE FROM work",
    "UPDATE work SET kind = 'other'",
    "UPDATE outbox SET payload = ''",
    "UPDATE outbox SET audit_entries = ''",
    "DELETE FROM data_keys",
    "UPDATE data_keys SET wrapped = 'x'",
    "UPDATE data_keys SET person = 'x'",
    DONE_BEFORE,
    "ALTER TABLE audit DISABLE TRIGGER ALL",
    "ALTER TABLE outbox DISABLE ROW LEVEL SECURITY",
    "SET session_replication_role = replica",
    "SET ROLE camera_registry_owner",
)
OF_CALLS_AND_WORK = (FALSE_HEAD, FALSE_LEAF, "DELETE FROM audit_pending")
OF_CALLS = (
    "UPDATE work SET done_at = service_now()",
    "UPDATE work SET leased_until = 'infinity'",
    "UPDATE outbox SET published_at = service_now()",
    "DELETE FROM outbox",
    PUBLISHED_BEFORE,
    DESTROY,
    "INSERT INTO inbox (event_id, subject) VALUES (gen_random_uuid(), 'x')",
    "UPDATE leases SET holder = 'x'",
)
OF_WORK = (
    "UPDATE outbox SET published_at = service_now(), stream_sequence = NULL",
    "DELETE FROM outbox",
    "UPDATE data_keys SET wrapped = NULL",
    f"{DESTROY}, destroyed_by = '00000000-0000-0000-0000-000000000000'",
)
OF_SEAL = (
    ENTRY,
    "DELETE FROM audit_pending",
    "INSERT INTO audit_pending VALUES (gen_random_uuid())",
    "INSERT INTO requests SELECT * FROM requests",
    "UPDATE work SET done_at = service_now()",
    "UPDATE outbox SET published_at = service_now()",
    DESTROY,
    "SELECT * FROM cameras",
)
ATTEMPTS = [
    *((role, sql) for role in ("calls", "work", "seal") for sql in OF_EVERYBODY),
    *((role, sql) for role in ("calls", "work") for sql in OF_CALLS_AND_WORK),
    *(("calls", sql) for sql in OF_CALLS),
    *(("work", sql) for sql in OF_WORK),
    *(("seal", sql) for sql in OF_SEAL),
    ("superuser", "UPDATE audit SET canonical = ''"),
    ("superuser", "DELETE FROM audit_leaves"),
    ("superuser", "TRUNCATE requests"),
]


@pytest.mark.parametrize(("role", "statement"), ATTEMPTS)
async def test_is_refused_and_changes_no_row(registry: Any, role: str, statement: str) -> None:
    """Either PostgreSQL refuses the statement, or a policy hides the rows that it is about."""
    await registry.decide()
    async with registry.opened(role) as connection:
        try:
            outcome = await connection.execute(statement)
        except asyncpg.InsufficientPrivilegeError:
            return
    assert outcome.endswith(" 0"), outcome
