"""What an insider can do all the same is found by `tartip verify`, which names the record.

Each test undoes what it did, for the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from .attacks import ATTACKS, Attack

pytestmark = pytest.mark.mesh

_DESTROYED_BY = "SELECT destroyed_by FROM data_keys WHERE key_id = $1 AND wrapped IS NULL"
# A superuser's way past triggers.
PAST_TRIGGERS = "SET session_replication_role = replica"


@asynccontextmanager
async def attacked(registry: Any, attack: Attack, ids: list[Any]) -> AsyncIterator[None]:
    await run(registry, attack.role, attack.done, ids)
    try:
        yield
    finally:
        await run(registry, "superuser", attack.undone, ids)


async def run(registry: Any, role: str, statement: str, ids: list[Any]) -> None:
    """Execute a statement about a decision; it must change a row."""
    typed = "WITH ids AS (SELECT $1::uuid, $2::uuid, $3::uuid, $4::text) "
    async with registry.opened(role) as connection:
        if role == "superuser":
            await connection.execute(PAST_TRIGGERS)
        outcome = await connection.fetch(f"{typed}{statement} RETURNING 1", *ids)
    assert outcome, statement


@pytest.mark.parametrize("name", ATTACKS)
async def test_what_is_not_refused_is_found_and_named(registry: Any, name: str) -> None:
    attack, made = ATTACKS[name], await registry.settled()
    assert await registry.verify() == []
    ids = [made.entry_id, made.event_id, made.key_id, made.work_key]
    async with registry.opened("superuser") as connection:
        work = await connection.fetchval("SELECT work_id FROM work WHERE key = $1", made.work_key)
    async with attacked(registry, attack, ids):
        wrong = await registry.verify()
    named = {"entry": made.entry_id, "event": made.event_id, "key": made.key_id, "work": work}
    expected = attack.found.format(**named)
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


async def test_a_key_that_a_call_has_destroyed_is_recorded_and_so_is_the_false_order(
    registry: Any,
) -> None:
    made = await registry.settled()
    order = (
        "INSERT INTO work (kind, key, due_at, traceparent, story)"
        " VALUES ('destroy_key', $1, service_now(), '', '') RETURNING work_id"
    )
    async with registry.opened("calls") as connection:
        work_id = await connection.fetchval(order, str(made.key_id))
    async with registry.opened("superuser") as connection:
        async with asyncio.timeout(60):
            while (entry_id := await connection.fetchval(_DESTROYED_BY, made.key_id)) is None:
                await asyncio.sleep(0.1)
        canonical = await connection.fetchval(
            "SELECT convert_from(canonical, 'UTF8') FROM audit WHERE entry_id = $1", entry_id
        )
    assert f'"object":"key:{made.key_id}"' in canonical
    assert await registry.verify() == [f"WORK_ALTERED work:{work_id}"]
    await registry.execute("superuser", "DELETE FROM work WHERE work_id = $1", work_id)
    assert await registry.verify() == []


async def test_an_entry_of_the_service_that_no_event_names_is_missed(registry: Any) -> None:
    """The last test of this file: what it does stays in the log."""
    made = await registry.settled()
    async with registry.opened("superuser") as connection:
        await connection.execute("BEGIN; LOCK TABLE audit_leaves IN EXCLUSIVE MODE")
        await registry.destroy(made.key_id)
        async with asyncio.timeout(60):
            while (entry_id := await connection.fetchval(_DESTROYED_BY, made.key_id)) is None:
                await asyncio.sleep(0.1)
        await connection.execute(PAST_TRIGGERS)
        await connection.execute("DELETE FROM audit_pending WHERE entry_id = $1", entry_id)
        await connection.execute("DELETE FROM audit WHERE entry_id = $1", entry_id)
        await connection.execute("COMMIT")
    async with asyncio.timeout(60):
        while f"ENTRY_LOST entry:{entry_id}" not in await registry.verify():
            await asyncio.sleep(1)
