"""Finds rows that were deleted or changed in the database directly, without the service's code.

Rows come in pairs that refer to each other:

- an audit entry, and an event that was written with it;
- the destruction of a data key, and its audit entry;
- an audit entry, and its leaf in the tree or its row among those that wait to be sealed.

If one row of a pair is missing, the other one shows it. Each check reads the rows of a table in
order, a part at a time, with one SQL statement for each comparison.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis.audit_entry import AuditEntry, read_entry
from chassis.tables import audit, audit_leaves, audit_pending, data_keys, outbox
from chassis.transaction import Tx
from host.key_destruction import DESTROY_KEY
from host.log_ins import BEFORE
from host.outbox import KEEP_DAYS
from sqlalchemy import Select, select
from vault import row_codes
from vault.keyring import Keyring

from audit_log.lost_entries import LOSE_ENTRY

# An event is looked for while it cannot have been forgotten yet.
LOOKED_FOR = timedelta(days=KEEP_DAYS - 1)


@dataclass(frozen=True)
class Fault:
    """A contradiction: its code (see the proto message `RecordFault`), and the row as "kind:id"."""

    code: str
    record: str


@dataclass
class Checked:
    """The result of checking part of a table.

    `faults` are the contradictions found, `published` the outbox rows of published events, and
    `keys` the sort keys of all rows that were checked.
    """

    faults: list[Fault] = field(default_factory=list)
    published: list[Any] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


Check = Callable[[Tx, str, int], Awaitable[Checked]]


async def check_entries(tx: Tx, after: str, limit: int) -> Checked:
    """Check at most `limit` audit entries after the position `after` ("" for the first part).

    An entry must be sealed or wait to be sealed, its events must be in the outbox, and it must not
    record the loss of another entry (`lost_entries`). Events older than LOOKED_FOR are not looked
    up, since the outbox may have deleted them.
    """
    is_sealed = select(audit_leaves.c.entry_id).where(audit_leaves.c.entry_id == audit.c.entry_id)
    waits = select(audit_pending.c.entry_id).where(audit_pending.c.entry_id == audit.c.entry_id)
    known = (is_sealed.exists() | waits.exists()).label("is_known")
    query = select(audit, known).where(audit.c.position > int(after or 0))
    rows = (await tx.execute(query.order_by(audit.c.position).limit(limit))).all()
    checked = Checked(keys=[str(row.position) for row in rows])
    unsealed = [row.entry_id for row in rows if not row.is_known]
    checked.faults += faults_of("ENTRY_UNSEALED", "entry", unsealed)
    entries = [entry for row in rows if (entry := read_entry(bytes(row.canonical)))]
    lost = [entry.object_ref for entry in entries if entry.action == LOSE_ENTRY]
    checked.faults += [Fault("ENTRY_LOST", record) for record in lost]
    named = _recent_events(entries, await tx.now())
    there = await _those_of(tx, select(outbox.c.event_id).where(outbox.c.event_id.in_(named)))
    checked.faults += faults_of("EVENT_MISSING", "event", [i for i in named if i not in there])
    return checked


def _recent_events(entries: Sequence[AuditEntry], now: datetime) -> list[UUID]:
    """The ids of the events that entries of the last days name."""
    return [UUID(id) for entry in entries if entry.at > now - LOOKED_FOR for id in entry.events]


async def check_leaves(tx: Tx, after: str, limit: int) -> Checked:
    """Check that the entry of each leaf exists, for at most `limit` leaves after the index `after`.

    `after` is "" for the first part.
    """
    query = (
        select(audit_leaves.c.leaf_index, audit.c.position)
        .outerjoin(audit, audit.c.entry_id == audit_leaves.c.entry_id)
        .where(audit_leaves.c.leaf_index > int(after or -1))
        .order_by(audit_leaves.c.leaf_index)
        .limit(limit)
    )
    rows = (await tx.execute(query)).all()
    gone = [row.leaf_index for row in rows if row.position is None]
    return Checked(faults_of("ENTRY_MISSING", "leaf", gone), [], [str(r.leaf_index) for r in rows])


async def check_waiting(tx: Tx, after: str, limit: int) -> Checked:
    """Check that entries waiting to be sealed exist, for at most `limit` ids after `after`.

    `after` is "" for the first part.
    """
    query = (
        select(audit_pending.c.entry_id, audit.c.position)
        .outerjoin(audit, audit.c.entry_id == audit_pending.c.entry_id)
        .order_by(audit_pending.c.entry_id)
        .limit(limit)
    )
    if after:
        query = query.where(audit_pending.c.entry_id > UUID(after))
    rows = (await tx.execute(query)).all()
    gone = [row.entry_id for row in rows if row.position is None]
    return Checked(faults_of("ENTRY_MISSING", "entry", gone), [], [str(r.entry_id) for r in rows])


def event_check(keyring: Keyring) -> Check:
    """Return a check of events: the audit entries that they name must exist, and only the service
    may mark an event as published, with the sequence number of its message in a NATS stream."""

    async def check_events(tx: Tx, after: str, limit: int) -> Checked:
        query = select(outbox).where(outbox.c.position > int(after or 0))
        rows = (await tx.execute(query.order_by(outbox.c.position).limit(limit))).all()
        named = {UUID(id) for row in rows for id in row.audit_entries.split()}
        there = await _those_of(tx, select(audit.c.entry_id).where(audit.c.entry_id.in_(named)))
        published = [row for row in rows if row.published_at is not None]
        not_sent = [row.event_id for row in published if not row_codes.is_sent(keyring, row)]
        faults = faults_of("ENTRY_MISSING", "entry", sorted(named - there))
        faults += faults_of("EVENT_NOT_SENT", "event", not_sent)
        sent = [row for row in published if row.stream_sequence]
        return Checked(faults, sent, [str(row.position) for row in rows])

    return check_events


def key_check(destroyed_unrecorded: Select[tuple[UUID]] | None) -> Check:
    """Return the check that finds destroyed data keys whose destruction no audit entry records.

    `destroyed_unrecorded` selects the ids of keys that need no entry.
    """

    async def check_keys(tx: Tx, after: str, limit: int) -> Checked:
        query = select(data_keys.c.key_id, data_keys.c.destroyed_by)
        query = query.where(data_keys.c.wrapped.is_(None)).order_by(data_keys.c.key_id)
        if after:
            query = query.where(data_keys.c.key_id > UUID(after))
        rows = (await tx.execute(query.limit(limit))).all()
        unrecorded = {row.key_id: row.destroyed_by for row in rows if row.destroyed_by != BEFORE}
        ids = [entry_id for entry_id in unrecorded.values() if entry_id]
        by_entry = select(audit.c.canonical).where(audit.c.entry_id.in_(ids))
        for canonical in (await tx.execute(by_entry)).scalars():
            entry = read_entry(bytes(canonical))
            if entry and entry.action == DESTROY_KEY:
                unrecorded.pop(UUID(entry.object_ref.partition(":")[2]), None)
        if destroyed_unrecorded is not None:
            column = destroyed_unrecorded.selected_columns[0]
            found = destroyed_unrecorded.where(column.in_(list(unrecorded)))
            for key_id in await _those_of(tx, found):
                unrecorded.pop(key_id, None)
        return Checked(
            faults_of("KEY_DESTROYED", "key", list(unrecorded)), [], [str(r.key_id) for r in rows]
        )

    return check_keys


async def _those_of(tx: Tx, query: Select[tuple[UUID]]) -> set[UUID]:
    return set((await tx.execute(query)).scalars())


def faults_of(code: str, kind: str, ids: Sequence[object]) -> list[Fault]:
    """Return a fault of this code for each row of this kind."""
    return [Fault(code, f"{kind}:{id}") for id in ids]
