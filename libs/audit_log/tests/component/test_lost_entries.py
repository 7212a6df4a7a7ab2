"""An entry that is deleted before it was sealed is missed by the process that wrote it."""

from collections.abc import Awaitable, Callable

import pytest
from audit_log.lost_entries import LOSE_ENTRY, LostEntries
from audit_log.records import check_entries
from chassis.audit_entry import AuditEntry, read_entry
from chassis.clock import new_id
from chassis.db import Database
from chassis.tables import audit
from chassis.transaction import SYSTEM
from sqlalchemy import select

from .test_audit import seal

OwnerExecute = Callable[..., Awaitable[None]]


async def look_up(db: Database, name: str) -> AuditEntry:
    """Write an entry that no event names, as a look-up does."""
    async with db.begin(SYSTEM) as tx:
        return tx.audit("look_up", f"thing:{name}")


async def recorded(db: Database) -> list[str]:
    """The objects of the entries that record a loss."""
    async with db.begin(SYSTEM) as tx:
        stored = (await tx.execute(select(audit.c.canonical))).scalars()
        entries = [read_entry(bytes(canonical)) for canonical in stored]
    return [entry.object_ref for entry in entries if entry and entry.action == LOSE_ENTRY]


async def delete(owner_execute: OwnerExecute, entry: AuditEntry) -> None:
    for table in ("audit_pending", "audit"):
        await owner_execute(f"DELETE FROM {table} WHERE entry_id = :id", {"id": entry.entry_id})


async def test_a_deleted_entry_is_recorded_once_and_named(
    db: Database, owner_execute: OwnerExecute
) -> None:
    lost, entry = LostEntries((db,)), await look_up(db, "gone")
    await look_up(db, "kept")
    await lost.look()
    await delete(owner_execute, entry)
    await lost.look()
    await lost.look()
    assert await recorded(db) == [f"entry:{entry.entry_id}"]
    async with db.begin(SYSTEM) as tx:
        checked = await check_entries(tx, "", 100)
    found = [(fault.code, fault.record) for fault in checked.faults]
    assert found == [("ENTRY_LOST", f"entry:{entry.entry_id}")]


async def test_whoever_deletes_the_record_of_the_loss_is_recorded_too(
    db: Database, owner_execute: OwnerExecute
) -> None:
    lost, entry = LostEntries((db,)), await look_up(db, "gone")
    await delete(owner_execute, entry)
    await lost.look()
    await owner_execute("DELETE FROM audit_pending", {})
    await owner_execute("DELETE FROM audit", {})
    await lost.look()
    assert len(await recorded(db)) == 1


async def test_a_sealed_entry_is_no_longer_awaited(
    db: Database, owner_execute: OwnerExecute
) -> None:
    lost, entry = LostEntries((db,)), await look_up(db, "sealed")
    assert await seal(db) == 1
    await lost.look()
    # From here on its leaf misses it.
    await owner_execute("DELETE FROM audit WHERE entry_id = :id", {"id": entry.entry_id})
    await lost.look()
    assert await recorded(db) == []


async def test_only_what_was_committed_is_awaited(db: Database) -> None:
    request, content = new_id(), b"content"
    for _ in range(2):
        async with db.begin(SYSTEM) as tx:
            tx.write_once("bank", request, content)
            once = tx.audit("open", "thing:once")
        if tx.was_first:
            first = once
    assert db.committed_entries() == [first.entry_id]
    with pytest.raises(LookupError):
        async with db.begin(SYSTEM) as tx:
            tx.audit("open", "thing:rolled-back")
            await tx.flush()
            raise LookupError
    assert db.committed_entries() == []
    async with db.begin(SYSTEM) as tx:
        before = tx.audit("open", "thing:before")
        with pytest.raises(LookupError):
            async with tx.savepoint():
                tx.audit("open", "thing:undone")
                await tx.flush()
                raise LookupError
        after = tx.audit("open", "thing:after")
    assert db.committed_entries() == [before.entry_id, after.entry_id]
