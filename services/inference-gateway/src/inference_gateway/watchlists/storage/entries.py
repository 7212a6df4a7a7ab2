"""SQL statements for the entries of watch-lists."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.refusals import IdReused
from chassis.tables import data_keys
from chassis.transaction import Tx
from host.key_destruction import schedule_destruction
from sqlalchemy import (
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from inference_gateway.watchlists.model import (
    Basis,
    CandidateState,
    Entry,
    EntryNotFound,
    EntryState,
)
from inference_gateway.watchlists.storage.tables import KEY_CLASS, candidates, changes, entries


@dataclass(frozen=True)
class Changed:
    """An entry that came into force or was closed. Each such change gives the watch-lists a new
    version, the field `change`. In galleries the entry is identified by the field `number`.

    The field `sealed` is the encrypted template; None if the entry was closed. `key_id` is the id
    of the data key that decrypts the template. The field `wrapped` is that key, itself encrypted;
    None if the key was destroyed.
    """

    change: int
    number: int
    region: str
    entry_id: UUID
    key_id: UUID
    wrapped: bytes | None
    sealed: bytes | None


@dataclass(frozen=True)
class Closing:
    """By whom, when and why an entry is closed (withdrawn or expired)."""

    by: str
    at: datetime
    reason: str = ""


def template_place(entry_id: UUID) -> str:
    return f"watch_entries.template:{entry_id}"


async def add_entry(tx: Tx, entry: Entry, template: bytes, *, story: str) -> None:
    """Store a new entry, with its face template encrypted by a new data key. `story` is a
    correlation id. Raises IdReused if another caller has used the id."""
    key = await tx.keys.new(KEY_CLASS)
    added = await tx.execute(
        insert(entries)
        .values(
            entry_id=entry.entry_id,
            region=entry.region,
            basis=entry.basis.value,
            case_number=entry.case_number,
            purpose=entry.purpose,
            requested_by=entry.requested_by,
            requested_at=entry.requested_at,
            expires_at=entry.expires_at,
            state=entry.state.value,
            key_id=key.key_id,
            template_sealed=key.seal(template, template_place(entry.entry_id)),
            story=story,
        )
        .on_conflict_do_nothing()
    )
    if not added.rowcount:
        raise IdReused


async def entry(tx: Tx, entry_id: UUID, *, for_update: bool = False) -> Entry:
    """Return the entry; with `for_update`, also lock its row. Raises EntryNotFound, also if the
    entry is outside the regions of the transaction's scope."""
    query = select(entries).where(entries.c.entry_id == entry_id)
    row = (await tx.execute(query.with_for_update() if for_update else query)).one_or_none()
    if row is None:
        raise EntryNotFound
    return _entry(row)


async def put_in_force(tx: Tx, entry: Entry) -> None:
    await tx.execute(
        update(entries)
        .where(entries.c.entry_id == entry.entry_id)
        .values(
            state=entry.state.value,
            approved_by=entry.approved_by,
            approved_at=entry.approved_at,
            change=await _next_version(tx),
        )
    )


async def close(tx: Tx, entry: Entry, closing: Closing) -> list[UUID]:
    """Close an entry: store its new state, delete its template, schedule the destruction of the
    template's key, and dismiss the entry's open candidates. Returns the ids of these candidates."""
    closed = await tx.execute(
        update(entries)
        .where(entries.c.entry_id == entry.entry_id)
        .values(
            state=entry.state.value,
            template_sealed=None,
            closed_by=closing.by,
            closed_at=closing.at,
            close_reason=closing.reason,
            change=await _next_version(tx),
        )
        .returning(entries.c.key_id)
    )
    await schedule_destruction(tx, closed.one().key_id)
    # Nobody is searched for any more: who was seen is left alone, and no lead comes of it.
    dismissed = await tx.execute(
        update(candidates)
        .where(
            candidates.c.entry_id == entry.entry_id,
            candidates.c.state == CandidateState.OPEN.value,
        )
        .values(state=CandidateState.DISMISSED.value, decided_at=closing.at)
        .returning(candidates.c.candidate_id)
    )
    return [row.candidate_id for row in dismissed]


async def entries_page(
    tx: Tx, state: EntryState | None, *, after: UUID | None, size: int
) -> list[Entry]:
    query = select(entries).order_by(entries.c.entry_id).limit(size)
    if state is not None:
        query = query.where(entries.c.state == state.value)
    if after is not None:
        query = query.where(entries.c.entry_id > after)
    return [_entry(row) for row in await tx.execute(query)]


async def overdue(tx: Tx, now: datetime, *, most: int) -> list[Entry]:
    """Return at most `most` entries that are past `expires_at` but not closed. Locks their rows;
    rows locked by other transactions are skipped."""
    query = (
        select(entries)
        .where(entries.c.template_sealed.is_not(None), entries.c.expires_at <= now)
        .order_by(entries.c.expires_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return [_entry(row) for row in await tx.execute(query)]


async def version(tx: Tx) -> int:
    """Return the version of the watch-lists. The version increases whenever an entry comes into
    force or is closed."""
    return int(await tx.scalar(select(changes.c.version)))


async def changed(tx: Tx, *, after: tuple[int, int], most: int) -> list[Changed]:
    """Return at most `most` entries that came into force or were closed, ordered by the fields
    `change` and `number`. `after` has these two fields of the last entry that the caller has
    already read."""
    query = (
        select(entries, data_keys.c.wrapped)
        .join(data_keys, data_keys.c.key_id == entries.c.key_id)
        .where(tuple_(entries.c.change, entries.c.number) > tuple_(*after), entries.c.change > 0)
        .order_by(entries.c.change, entries.c.number)
        .limit(most)
    )
    return [
        Changed(
            row.change,
            row.number,
            row.region,
            row.entry_id,
            row.key_id,
            row.wrapped,
            row.template_sealed,
        )
        for row in await tx.execute(query)
    ]


async def entry_ids(tx: Tx, numbers: Iterable[int]) -> dict[int, UUID]:
    """Return the ids of the entries with these numbers, by number. Entries that are not in state
    IN_FORCE are left out."""
    found = await tx.execute(
        select(entries.c.number, entries.c.entry_id).where(
            entries.c.number.in_(list(numbers)), entries.c.state == EntryState.IN_FORCE.value
        )
    )
    return {row.number: row.entry_id for row in found}


async def hold_in_force(tx: Tx, entry_id: UUID, now: datetime) -> bool:
    """Return whether an entry is in force at `now`. If so, lock the entry's row until `tx` ends."""
    found = await tx.scalar(
        select(entries.c.entry_id)
        .where(
            entries.c.entry_id == entry_id,
            entries.c.state == EntryState.IN_FORCE.value,
            entries.c.expires_at > now,
        )
        .with_for_update()
    )
    return found is not None


async def region_of_entry(tx: Tx, entry_id: UUID) -> str | None:
    """Return the region of an entry, None if there is no such entry."""
    query = select(entries.c.region).where(entries.c.entry_id == entry_id)
    found: str | None = await tx.scalar(query)
    return found


async def _next_version(tx: Tx) -> int:
    """Increment the version. The version's row stays locked until commit, so versions appear in
    order."""
    grown = await tx.execute(
        update(changes).values(version=changes.c.version + 1).returning(changes.c.version)
    )
    return int(grown.scalar_one())


def _entry(row: Any) -> Entry:
    return Entry(
        row.entry_id,
        row.region,
        Basis(row.basis),
        row.case_number,
        row.purpose,
        row.requested_by,
        row.requested_at,
        row.expires_at,
        EntryState(row.state),
        row.approved_by or "",
        row.approved_at,
    )
