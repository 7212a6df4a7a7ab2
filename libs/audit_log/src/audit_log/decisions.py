"""Puts a hash of what was decided into a decision's audit entry, so that later changes are found.

A record is a row, or a group of rows, whose content somebody decided: a fine, its payment, a
camera. The facts of a decision's audit entry have, for each record that the decision made or
changed, the SHA-256 of the record's decided fields (see the function `decided`). The record's row
names the entry in the columns `audit_entry` and `audit_hash`. If someone changes a record without
an entry, or restores an older version of the record from a backup, the record differs from the
newest entry about it. Records that are decided at once, such as imported cameras, share one entry
(see `audit_batch`).

The hash is over canonical JSON (RFC 8785); binary fields, such as encrypted texts, are replaced by
their SHA-256. A record contains personal data only as keyed hashes or encrypted with random nonces.
So nobody can guess the data from the record's hash.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from chassis.clock import new_id
from chassis.transaction import Tx
from sqlalchemy import Column, LargeBinary, Uuid

from audit_log.record_kinds import RecordKind, lines_of

_CANONICAL = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)


@dataclass(frozen=True)
class Decision:
    """A decision for the audit log: its `action`, and further `facts` to state in the entry.

    In addition to its main record, a decision may make or change records of other kinds. `beside`
    has the fields of these records, by kind and name. `entry_id` is given if rows with the id of
    the audit entry have been written already.
    """

    action: str
    facts: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[RecordKind, Mapping[str, Any]] = field(default_factory=dict)
    entry_id: UUID | None = None


@dataclass(frozen=True)
class EntryOfRecord:
    """The audit entry that a record names: the entry's id and hash (see `entry_hash`).

    The hash is None if it was not known when the record was written.
    """

    audit_entry: UUID
    audit_hash: bytes | None

    @property
    def columns(self) -> dict[str, Any]:
        """The values to store in the record's row, by column name (see `record_columns`)."""
        return {"audit_entry": self.audit_entry, "audit_hash": self.audit_hash}


def record_columns() -> tuple[Column[Any], Column[Any]]:
    """Return new columns `audit_entry` and `audit_hash` for a table; see `EntryOfRecord`."""
    return Column("audit_entry", Uuid), Column("audit_hash", LargeBinary)


def audit_decision(
    tx: Tx,
    object_ref: str,
    decision: Decision,
    records: Mapping[RecordKind, Mapping[str, Any]],
    *,
    region: str,
    confidential: bool = False,
) -> EntryOfRecord:
    """Write the audit entry of a decision about `object_ref`, with the hashes of the records.

    The records are `records` and `decision.beside`: for each kind, the fields by name. The entry is
    written together with the other rows of `tx`. With `confidential`, no auditor may read the
    entry. Returns the values for the columns that name the entry in the records' rows.
    """
    entry_id = decision.entry_id or new_id()
    entry = tx.audit(
        decision.action,
        object_ref,
        region=region,
        facts={
            **decision.facts,
            **hashes_of({**records, **decision.beside}, entry_id, object_ref),
        },
        confidential=confidential,
        entry_id=entry_id,
    )
    return EntryOfRecord(entry_id, hashlib.sha256(entry.canonical()).digest())


def audit_batch(
    tx: Tx,
    batch_ref: str,
    decision: Decision,
    kind: RecordKind,
    rows: Iterable[tuple[str, Mapping[str, Any]]],
    *,
    region: str,
) -> UUID:
    """Write the one audit entry of a decision about many records of a kind; return its id.

    The entry is about the object `batch_ref`, and every auditor of the region may read it. `rows`
    has one item for each record: the record's object ("camera:123") and its fields by name. The
    entry states the hashes in the form that `lines_of` returns. The rows of all records name this
    entry.
    """
    entry_id = decision.entry_id or new_id()
    facts = {**decision.facts, **hashes_of(decision.beside, entry_id, batch_ref)}
    hashes = {name: decided(kind, row, entry_id=entry_id, object_ref=name) for name, row in rows}
    if hashes:
        facts[kind.fact_of_batch] = lines_of(hashes)
    tx.audit(decision.action, batch_ref, region=region, facts=facts, entry_id=entry_id)
    return entry_id


def entry_hash(canonical: bytes) -> bytes:
    """Return an entry's hash, which records store beside the entry's id.

    It is the SHA-256 of the canonical form without the list of events. That list may still grow
    after the record is written.
    """
    content = json.loads(canonical)
    content.pop("events", None)
    return hashlib.sha256(_CANONICAL.encode(content).encode()).digest()


def hashes_of(
    records: Mapping[RecordKind, Mapping[str, Any]], entry_id: UUID, object_ref: str
) -> dict[str, str]:
    """Return the facts of an audit entry that state the hashes (hex) of `records`.

    The keys are the names of the facts (`RecordKind.fact_of`). The entry has the id `entry_id` and
    is about `object_ref`.
    """
    return {
        kind.fact_of(object_ref): decided(kind, row, entry_id=entry_id, object_ref=object_ref)
        for kind, row in records.items()
    }


def decided(kind: RecordKind, row: Mapping[str, Any], *, entry_id: UUID, object_ref: str) -> str:
    """Return the SHA-256 (hex) of a record's decided fields; fields that are None are left out.

    The object, the kind and the id of the entry are hashed too, so that equal records have
    different hashes.
    """
    content = {
        "entry": str(entry_id),
        "object": object_ref,
        "kind": kind.name,
        "fields": {
            name: _plain(value) for name in kind.fields if (value := row.get(name)) is not None
        },
    }
    return hashlib.sha256(_CANONICAL.encode(content).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """A value in the one form that it has in JSON, whether it comes from a decision or a row."""
    # The most frequent types stand first: an import takes this way for millions of values.
    match value:
        case str() | None | bool():
            return value
        case Enum():
            return _plain(value.value)
        case float() if value.is_integer():
            # PostgreSQL returns 43.0 where 43 was given for a column of floating-point numbers.
            return str(int(value))
        case int() | float():
            return str(value)
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return hashlib.sha256(value).hexdigest()
        case Mapping():
            return {str(name): _plain(each) for name, each in value.items()}
        case Sequence():
            return [_plain(each) for each in value]
        case _:
            return str(value)
