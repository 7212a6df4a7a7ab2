"""Compares records with the audit entries of their decisions; `CheckDecisions` returns the result.

A service passes its records as sources (`RecordSource`), most of which are tables (`RecordTable`).
For each record, two hashes are returned: the hash of the record's present fields, and the hash in
the audit entry that the record names. The verifier, who reads the whole log, checks whether there
is a newer entry about the record.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from chassis.audit_entry import read_entry
from chassis.tables import audit, audit_leaves, audit_pending
from chassis.transaction import Tx
from sqlalchemy import Column, ColumnElement, Row, Select, literal, select, tuple_
from tartip.audit.v1 import audit_pb2

from audit_log.decisions import decided, entry_hash
from audit_log.merkle import leaf_hash
from audit_log.record_kinds import RecordKind, hashes_in

# In what is answered, a record whose entry is not sealed yet, or that names none.
NOT_SEALED = -1
# Hidden objects are named by a keyed hash, by which a verifier can match entries and records.
ALIAS = "hidden:"


@dataclass(frozen=True)
class StoredRecord:
    """A record as it is stored now; `row` has the fields that decisions determine, by name.

    `audit_entry` and `audit_hash` are as in `EntryOfRecord`, or None if the record names no entry.
    `contradictions` are English sentences on other faults that the service itself found, such as a
    fine that does not agree with the bookkeeping.
    """

    kind: RecordKind
    object_ref: str
    row: Any
    audit_entry: UUID | None
    audit_hash: bytes | None
    is_confidential: bool = False
    contradictions: tuple[str, ...] = ()


class RecordSource(Protocol):
    """A source of all records of one kind in a service's storage, ordered by a key."""

    async def page(
        self, tx: Tx, after: tuple[str, ...], size: int
    ) -> tuple[list[StoredRecord], tuple[str, ...] | None]:
        """Return the records of the next `size` rows, and the key of the last of these rows.

        `after` is the key of the last row of the previous page, () for the first page. The returned
        key is None if there are no further rows.
        """
        ...


def _is_open(_: Row[Any]) -> bool:
    return False


@dataclass(frozen=True)
class RecordTable:
    """A source of records that are rows of a table.

    `query` selects the fields that decisions determine, and the columns `audit_entry` and
    `audit_hash`; `key` has the columns of a unique key in `query`.
    """

    kind: RecordKind
    query: Select[Any]
    key: tuple[Column[Any], ...]
    object_ref: Callable[[Row[Any]], str]
    is_confidential: Callable[[Row[Any]], bool] = _is_open

    async def page(
        self, tx: Tx, after: tuple[str, ...], size: int
    ) -> tuple[list[StoredRecord], tuple[str, ...] | None]:
        """Return a page of records and the key of its last row; see `RecordSource.page`."""
        query = self.query.order_by(*self.key).limit(size)
        if after:
            query = query.where(tuple_(*self.key) > tuple_(*map(_value, self.key, after)))
        rows = (await tx.execute(query)).all()
        last = tuple(str(getattr(rows[-1], each.name)) for each in self.key) if rows else ()
        return [self._record(row) for row in rows], last if len(rows) == size else None

    def _record(self, row: Row[Any]) -> StoredRecord:
        return StoredRecord(
            self.kind,
            self.object_ref(row),
            row._mapping,
            row.audit_entry,
            bytes(row.audit_hash) if row.audit_hash else None,
            self.is_confidential(row),
        )


class DecisionChecks:
    """Reads and checks the records of all `sources` of a service, page by page."""

    def __init__(self, sources: Sequence[RecordSource]) -> None:
        self._sources = sources

    async def page(
        self, tx: Tx, after: tuple[str, ...], size: int
    ) -> tuple[list[audit_pb2.DecidedRecord], tuple[str, ...]]:
        """Check at most `size` records; return a message for each, and the key of the last one.

        `after` is the returned key of the previous page, () for the first page. The returned key is
        () if no records follow. `tx` must see all rows despite row-level security.
        """
        number, key = (int(after[0]), after[1:]) if after else (0, ())
        while number < len(self._sources):
            records, last = await self._sources[number].page(tx, key, size)
            number, key = (number + 1, ()) if last is None else (number, last)
            if records:
                following = (str(number), *key) if number < len(self._sources) else ()
                return await _checked(tx, records), following
        return [], ()


@dataclass(frozen=True)
class _Named:
    """An entry that records name, of a batch many: its row, its leaf hash, and the record hashes
    in it by object and kind."""

    row: Row[Any]
    leaf_hash: bytes
    hashes: Mapping[tuple[str, str], str]

    @classmethod
    def of(cls, row: Row[Any]) -> "_Named":
        canonical = bytes(row.canonical)
        entry = read_entry(canonical)
        hashes = hashes_in(entry.object_ref, entry.facts) if entry else {}
        return cls(row, leaf_hash(canonical), hashes)


async def _checked(tx: Tx, records: Sequence[StoredRecord]) -> list[audit_pb2.DecidedRecord]:
    named = [record.audit_entry for record in records if record.audit_entry is not None]
    found = await tx.execute(
        select(
            audit.c.entry_id,
            audit.c.canonical,
            audit_leaves.c.leaf_index,
            audit_pending.c.entry_id.label("waits"),
        )
        .outerjoin(audit_leaves, audit_leaves.c.entry_id == audit.c.entry_id)
        .outerjoin(audit_pending, audit_pending.c.entry_id == audit.c.entry_id)
        .where(audit.c.entry_id.in_(named))
    )
    entries = {row.entry_id: _Named.of(row) for row in found}
    return [_check(tx, record, entries.get(record.audit_entry)) for record in records]


def _check(tx: Tx, record: StoredRecord, named: _Named | None) -> audit_pb2.DecidedRecord:
    """Compare a record with the entry that it names, None if there is no such entry."""
    hidden = record.is_confidential
    check = audit_pb2.DecidedRecord(
        kind=record.kind.name,
        object=alias_of(tx, record.object_ref) if hidden else record.object_ref,
        leaf_index=NOT_SEALED,
        contradictions=record.contradictions,
    )
    if named is None or record.audit_entry is None:
        return check
    if named.row.leaf_index is not None:
        check.leaf_index = named.row.leaf_index
    elif named.row.waits is None:
        check.contradictions.append("its entry is not in the tree and does not wait for it")
    check.leaf_hash = named.leaf_hash
    # Rows of a batch have no hash of its entry, which it would take long to make for each of them.
    if record.audit_hash is None or record.audit_hash == entry_hash(bytes(named.row.canonical)):
        check.decided_sha256 = _decided_by(record, named)
    now = decided(
        record.kind, record.row, entry_id=record.audit_entry, object_ref=record.object_ref
    )
    check.current_sha256 = bytes.fromhex(now)
    return check


def _decided_by(record: StoredRecord, named: _Named) -> bytes:
    """The hash in the entry that a record names; b"" if the entry did not decide the record."""
    try:
        return bytes.fromhex(named.hashes.get((record.object_ref, record.kind.name), ""))
    except ValueError:
        return b""


def alias_of(tx: Tx, object_ref: str) -> str:
    """Return the name ("hidden:" and a keyed hash) that replaces the name of a confidential object.

    An object always has the same alias. Without the service's keys, nobody can find the object from
    the alias.
    """
    return ALIAS + tx.keys.blind_index("records", "object", object_ref).hex()


def _value(column: Column[Any], text: str) -> ColumnElement[Any]:
    """The value of a column in a page's key, from its text."""
    return literal(column.type.python_type(text), column.type)
