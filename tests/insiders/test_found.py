"""What an insider can do all the same is found by `tartip verify`, which names the record.

Each test undoes what it did, for the next.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

pytestmark = pytest.mark.mesh

# A superuser's way past triggers.
PAST_TRIGGERS = "SET session_replication_role = replica"
DESTROY = "UPDATE data_keys SET wrapped = NULL, destroyed_at = service_now()"


@dataclass(frozen=True)
class Attack:
    """Who does what to the rows of a settled decision, and what `tartip verify` says of it.

    `$1`, `$2` and `$3` are the ids of the decision's entry, event and key; `undone` is run by a
    superuser.
    """

    role: str
    done: str
    undone: str
    found: str


ATTACKS = {
    "an entry that never waited": Attack(
        "calls",
        "INSERT INTO audit (entry_id, canonical) VALUES (md5($1::text)::uuid, '{}')",
        "DELETE FROM audit WHERE entry_id = md5($1::text)::uuid",
        "ENTRY_UNSEALED entry:",
    ),
    "an event marked with another number": Attack(
        "work",
        "UPDATE outbox SET stream_sequence = stream_sequence + 1000 WHERE event_id = $2",
        "UPDATE outbox SET stream_sequence = stream_sequence - 1000 WHERE event_id = $2",
        "EVENT_NOT_SENT event:{event}",
    ),
    "a key destroyed without an entry": Attack(
        "work",
        f"{DESTROY} WHERE key_id = $3",
        "DELETE FROM data_keys WHERE key_id = $3",
        "KEY_DESTROYED key:{key}",
    ),
    "a key destroyed under another's entry": Attack(
        "work",
        f"{DESTROY}, destroyed_by = $1 WHERE key_id = $3",
        "DELETE FROM data_keys WHERE key_id = $3",
        "KEY_DESTROYED key:{key}",
    ),
    "a false head": Attack(
        "seal",
        "INSERT INTO audit_heads SELECT tree_size + 1000, root, frontier, sealed_at, signature,"
        " public_key FROM audit_heads ORDER BY tree_size DESC LIMIT 1",
        "DELETE FROM audit_heads WHERE tree_size >= 1000",
        "entries under a head of",
    ),
    "an event deleted by the owner": Attack(
        "owner",
        "UPDATE outbox SET event_id = gen_random_uuid() WHERE event_id = $2",
        "UPDATE outbox SET event_id = $2 WHERE audit_entries = $1::text",
        "EVENT_MISSING event:{event}",
    ),
    "an entry changed by the owner": Attack(
        "owner",
        "UPDATE audit SET canonical = canonical || ' ' WHERE entry_id = $1",
        "UPDATE audit SET canonical = substring(canonical FROM 1 FOR length(canonical) - 1)"
        " WHERE entry_id = $1",
        "the entries do not give the root that was signed",
    ),
    "an entry deleted by a superuser": Attack(
        "superuser",
        "UPDATE audit SET entry_id = md5($1::text)::uuid WHERE entry_id = $1",
        "UPDATE audit SET entry_id = $1 WHERE entry_id = md5($1::text)::uuid",
        "ENTRY_MISSING entry:{entry}",
    ),
    "an event marked as published by a superuser": Attack(
        "superuser",
        "UPDATE outbox SET stream_sequence = NULL WHERE event_id = $2",
        "UPDATE outbox SET published_at = NULL WHERE event_id = $2",
        "EVENT_NOT_SENT event:{event}",
    ),
}


@asynccontextmanager
async def attacked(registry: Any, attack: Attack, ids: list[Any]) -> AsyncIterator[None]:
    await run(registry, attack.role, attack.done, ids)
    try:
        yield
    finally:
        await run(registry, "superuser", attack.undone, ids)


async def run(registry: Any, role: str, statement: str, ids: list[Any]) -> None:
    """Execute a statement about a decision; it must change a row."""
    typed = "WITH ids AS (SELECT $1::uuid, $2::uuid, $3::uuid) "
    async with registry.opened(role) as connection:
        if role == "superuser":
            await connection.execute(PAST_TRIGGERS)
        outcome = await connection.fetch(f"{typed}{statement} RETURNING 1", *ids)
    assert outcome, statement


@pytest.mark.parametrize("name", ATTACKS)
async def test_what_is_not_refused_is_found_and_named(registry: Any, name: str) -> None:
    attack, made = ATTACKS[name], await registry.settled()
    assert await registry.verify() == []
    ids = [made.entry_id, made.event_id, made.key_id]
    async with attacked(registry, attack, ids):
        wrong = await registry.verify()
    expected = attack.found.format(entry=made.entry_id, event=made.event_id, key=made.key_id)
    assert any(expected in each for each in wrong), wrong


async def test_an_entry_deleted_before_it_was_sealed_is_found(registry: Any) -> None:
    async with registry.opened("superuser") as connection:
        await connection.execute("BEGIN; LOCK TABLE audit_leaves IN EXCLUSIVE MODE")
        made = await registry.decide()
        await connection.execute(PAST_TRIGGERS)
        await connection.execute("DELETE FROM audit_pending WHERE entry_id = $1", made.entry_id)
        await connection.execute("DELETE FROM audit WHERE entry_id = $1", made.entry_id)
        await connection.execute("COMMIT")
    assert f"ENTRY_MISSING entry:{made.entry_id}" in await registry.verify()
    forget = "UPDATE outbox SET audit_entries = '' WHERE event_id = $1"
    await registry.execute("superuser", forget, made.event_id)
    assert await registry.verify() == []


async def test_a_key_that_a_call_has_destroyed_is_recorded(registry: Any) -> None:
    made = await registry.settled()
    order = (
        "INSERT INTO work (kind, key, due_at, traceparent, story)"
        " VALUES ('destroy_key', $1, service_now(), '', '')"
    )
    await registry.execute("calls", order, str(made.key_id))
    destroyed = "SELECT destroyed_by FROM data_keys WHERE key_id = $1 AND wrapped IS NULL"
    async with registry.opened("superuser") as connection:
        entry_id = None
        while entry_id is None:
            entry_id = await connection.fetchval(destroyed, made.key_id)
        canonical = await connection.fetchval(
            "SELECT convert_from(canonical, 'UTF8') FROM audit WHERE entry_id = $1", entry_id
        )
    assert f'"object":"key:{made.key_id}"' in canonical
    assert await registry.verify() == []
