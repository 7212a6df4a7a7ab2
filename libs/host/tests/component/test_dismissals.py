"""A dead letter that a person dismisses is kept as a row with the reason, and audited."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from chassis.db import Database
from chassis.event import Event
from chassis.tables import dead_letters as table
from chassis.transaction import SYSTEM
from google.protobuf.wrappers_pb2 import StringValue
from host.key_destruction import DISCARD_KEY, handlers_of
from sqlalchemy import insert
from tartip_cli.failures import Exit, Failure
from tartip_cli.provision.dead_letters import (
    dead_letters,
    dismiss,
    dismissed_letters,
    drive_again,
)
from vault import row_codes
from vault.keyring import Keyring

SCHEMA, SUBJECT = "chassis_scratch", "cameras.v1.registered"
WHY = {"by": "sre-1", "reason": "a test message of the partner's"}


@pytest.fixture
async def owner(postgres: Any, db: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres.database.url)
    await connection.execute(f"SET search_path = {SCHEMA}")
    yield connection
    await connection.close()


async def died(db: Database, *, in_outbox: bool = True) -> str:
    """An event that a consumer gave up; its producer is this schema too, or unknown."""
    fact = Event(SUBJECT, "test:x", 1, "KZ-75", StringValue(value="somebody's secret"))
    event_id = str(fact.event_id) if in_outbox else str(uuid4())
    async with db.begin(SYSTEM) as tx:
        if in_outbox:
            tx.emit(fact)
        key = await tx.keys.new("dead_letter")
        await tx.execute(
            insert(table).values(
                event_id=event_id,
                subject=SUBJECT,
                key_id=key.key_id,
                payload=key.seal(b"secret", f"dead_letters.payload:{event_id}"),
                headers="{}",
                error="poison: cannot be understood",
            )
        )
    return event_id


async def audited(owner: asyncpg.Connection, action: str) -> list[dict[str, Any]]:
    """Entries with this action that the sealer will find."""
    rows = await owner.fetch("SELECT canonical FROM audit JOIN audit_pending USING (entry_id)")
    entries = [json.loads(row["canonical"]) for row in rows]
    return [entry for entry in entries if entry["action"] == action]


async def test_a_dismissed_letter_says_who_and_why_and_is_listed_apart(
    db: Database, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    event_id, waits = await died(db), await died(db)
    [before, _] = await dead_letters(owner, [SCHEMA])
    [letter] = await dismiss(owner, [SCHEMA], event_id, keys=tmp_path, **WHY)
    assert letter.event_id == event_id
    assert [one.event_id for one in await dead_letters(owner, [SCHEMA])] == [waits]
    [gone] = await dismissed_letters(owner, [SCHEMA])
    assert (gone.event_id, gone.dismissed_by, gone.reason) == (event_id, *WHY.values())
    assert (gone.subject, gone.error) == (SUBJECT, "poison: cannot be understood")
    assert gone.died_at == before.died_at < gone.dismissed_at
    [entry] = await audited(owner, "dismiss_dead_letter")
    assert (entry["object"], entry["purpose"]) == (f"event:{event_id}", WHY["reason"])
    assert entry["facts"] == {"by": "sre-1", "subject": SUBJECT}


async def test_the_content_of_a_dismissed_letter_is_destroyed(
    db: Database, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    event_id = await died(db)
    key_id = await owner.fetchval("SELECT key_id FROM dead_letters WHERE event_id = $1", event_id)
    await dismiss(owner, [SCHEMA], event_id, keys=tmp_path, **WHY)
    [work] = await owner.fetch("SELECT * FROM work WHERE kind = $1", DISCARD_KEY)
    assert work["key"] == str(key_id)
    order = SimpleNamespace(**dict(work))
    assert row_codes.is_own_work(Keyring(tmp_path / SCHEMA), order), "as if the service gave it"
    await handlers_of(db)[DISCARD_KEY](str(key_id))
    key = await owner.fetchrow("SELECT * FROM data_keys WHERE key_id = $1", key_id)
    assert key["wrapped"] is None and key["destroyed_at"] is not None
    [row] = await owner.fetch("TABLE dismissed_letters")
    assert not dict(row).keys() & {"payload", "headers"}


async def test_a_dismissal_can_be_taken_back_while_the_event_is_kept(
    db: Database, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    kept, forgotten = await died(db), await died(db, in_outbox=False)
    await owner.execute("UPDATE outbox SET published_at = service_now()")
    for event_id in (kept, forgotten):
        await dismiss(owner, [SCHEMA], event_id, keys=tmp_path, **WHY)
    await drive_again(owner, [SCHEMA], kept, keys=tmp_path, by="sre-2")
    assert await owner.fetchval("SELECT redriven FROM outbox WHERE published_at IS NULL") == 1
    with pytest.raises(Failure, match="seven days"):
        await drive_again(owner, [SCHEMA], forgotten, keys=tmp_path, by="sre-2")
    assert [one.event_id for one in await dismissed_letters(owner, [SCHEMA])] == [forgotten]
    [entry] = await audited(owner, "redrive_dead_letter")
    assert (entry["object"], entry["facts"]["by"]) == (f"event:{kept}", "sre-2")


async def test_what_is_no_dead_letter_cannot_be_dismissed(
    db: Database, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    event_id = await died(db)
    await dismiss(owner, [SCHEMA], event_id, keys=tmp_path, **WHY)
    for unknown in (event_id, str(uuid4()), "CAMERAS:7"):
        with pytest.raises(Failure) as told:
            await dismiss(owner, [SCHEMA], unknown, keys=tmp_path, **WHY)
        assert told.value.code is Exit.NOT_FOUND
    assert len(await audited(owner, "dismiss_dead_letter")) == 1
