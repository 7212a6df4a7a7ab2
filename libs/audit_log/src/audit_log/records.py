"""Compares what the database holds, to find what somebody with a role of it did unseen.

An audit entry and the events that were written with it name each other; the destruction of a data
key names its entry; an entry is in the tree or waits to be sealed. What was deleted leaves the
other side behind. Each check goes over the rows of a table in order, a part at a time, and is one
statement for each thing compared, so that it sees what one moment holds.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis.audit_entry import read_entry
from chassis.tables import audit, audit_leaves, audit_pending, data_keys, outbox
from chassis.transaction import Tx
from host.key_destruction import DESTROY_KEY
from host.log_ins import BEFORE
from host.outbox import KEEP_DAYS
from sqlalchemy import Select, select

# An event is looked for while it cannot have been forgotten yet.
LOOKED_FOR = timedelta(days=KEEP_DAYS - 1)


@dataclass(frozen=True)
class Fault:
    """What contradicts the rest: a code of `RecordFault`, and the record as "kind:id"."""

    code: str
    record: str


@dataclass
class Checked:
    """The faults in a part of a table, the published events in it, and the key of each row."""

    faults: list[Fault] = field(default_factory=list)
    published: list[Any] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


Check = Callable[[Tx, str, int], Awaitable[Checked]]


async def check_entries(tx: Tx, after: str, limit: int) -> Checked:
    """Entries after a position: each is sealed or waits, and its events are in the outbox."""
    is_sealed = select(audit_leaves.c.entry_id).where(audit_leaves.c.entry_id == audit.c.entry_id)
    waits = select(audit_pending.c.entry_id).where(audit_pending.c.entry_id == audit.c.entry_id)
    known = (is_sealed.exists() | waits.exists()).label("is_known")
    query = select(audit, known).where(audit.c.position > int(after or 0))
    rows = (await tx.execute(query.order_by(audit.c.position).limit(limit))).all()
    checked = Checked(keys=[str(row.position) for row in rows])
    unsealed = [row.entry_id for row in rows if not row.is_known]
    checked.faults += _faults("ENTRY_UNSEALED", "entry", unsealed)
    named = _recent_events([bytes(row.canonical) for row in rows], await tx.now())
    there = await _those_of(tx, select(outbox.c.event_id).where(outbox.c.event_id.in_(named)))
    checked.faults += _faults("EVENT_MISSING", "event", [i for i in named if i not in there])
    return checked


def _recent_events(entries: Sequence[bytes], now: datetime) -> list[UUID]:
    """The ids of the events that entries of the last days name."""
    read = [entry for canonical in entries if (entry := read_entry(canonical))]
    return [UUID(id) for entry in read if entry.at > now - LOOKED_FOR for id in entry.events]


async def check_leaves(tx: Tx, after: str, limit: int) -> Checked:
    """Leaves after an index: each has its entry."""
    query = (
        select(audit_leaves.c.leaf_index, audit.c.position)
        .outerjoin(audit, audit.c.entry_id == audit_leaves.c.entry_id)
        .where(audit_leaves.c.leaf_index > int(after or -1))
        .order_by(audit_leaves.c.leaf_index)
        .limit(limit)
    )
    rows = (await tx.execute(query)).all()
    gone = [row.leaf_index for row in rows if row.position is None]
    return Checked(_faults("ENTRY_MISSING", "leaf", gone), [], [str(r.leaf_index) for r in rows])


async def check_waiting(tx: Tx, after: str, limit: int) -> Checked:
    """Entries that wait to be sealed, after an id: each is there."""
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
    return Checked(_faults("ENTRY_MISSING", "entry", gone), [], [str(r.entry_id) for r in rows])


async def check_events(tx: Tx, after: str, limit: int) -> Checked:
    """Events after a position: the entries that they name are there, and what is marked as
    published has a number in a stream."""
    columns = (outbox.c.position, outbox.c.event_id, outbox.c.subject, outbox.c.published_at)
    query = select(*columns, outbox.c.stream_sequence, outbox.c.audit_entries)
    query = query.where(outbox.c.position > int(after or 0)).order_by(outbox.c.position)
    rows = (await tx.execute(query.limit(limit))).all()
    named = {UUID(id) for row in rows for id in row.audit_entries.split()}
    there = await _those_of(tx, select(audit.c.entry_id).where(audit.c.entry_id.in_(named)))
    published = [row for row in rows if row.published_at is not None]
    not_sent = [row.event_id for row in published if row.stream_sequence is None]
    faults = _faults("ENTRY_MISSING", "entry", sorted(named - there))
    faults += _faults("EVENT_NOT_SENT", "event", not_sent)
    sent = [row for row in published if row.stream_sequence]
    return Checked(faults, sent, [str(row.position) for row in rows])


def key_check(destroyed_unrecorded: Select[tuple[UUID]] | None) -> Check:
    """The check of data keys: an entry records the destruction of each.

    `destroyed_unrecorded` selects the ids of those that are destroyed as a rule, without an entry.
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
            _faults("KEY_DESTROYED", "key", list(unrecorded)), [], [str(r.key_id) for r in rows]
        )

    return check_keys


class RecordChecks:
    """All checks of one service's records, one after the other."""

    def __init__(self, destroyed_unrecorded: Select[tuple[UUID]] | None) -> None:
        """`destroyed_unrecorded` is as for `key_check`."""
        keys = key_check(destroyed_unrecorded)
        self._checks = (check_entries, check_leaves, check_waiting, check_events, keys)

    async def page(
        self, tx: Tx, after: tuple[str, ...], size: int
    ) -> tuple[Checked, list[tuple[str, ...]]]:
        """Check the rows after `after`, the sort key of the last page's last row, or () at first.

        Goes on with further tables until one has `size` rows or more; returns what was found, and
        the sort keys of the last table's rows.
        """
        first, key = (int(after[0]), after[1]) if after else (0, "")
        found = Checked()
        for number in range(first, len(self._checks)):
            part = await self._checks[number](tx, key, size)
            found.faults += part.faults
            found.published += part.published
            if len(part.keys) >= size:
                return found, [(str(number), key) for key in part.keys]
            key = ""
        return found, []


async def _those_of(tx: Tx, query: Select[tuple[UUID]]) -> set[UUID]:
    return set((await tx.execute(query)).scalars())


def _faults(code: str, kind: str, ids: Sequence[object]) -> list[Fault]:
    return [Fault(code, f"{kind}:{id}") for id in ids]
