"""What a decision decided, as a hash in its audit entry, so that a record changed later is found.

A record is a row, or a group of rows, whose content somebody decided: a fine, its payment, a
camera. The audit entry of a decision holds in its facts, for each record that the decision made or
changed, the SHA-256 of all decided fields (`decided`). The record's row names that entry in the
columns `audit_entry` and `audit_hash`. Whoever changes a record without an entry, or takes an older
version of it from a backup, leaves a record that differs from the newest entry of its object.

The hash is over canonical JSON (RFC 8785). Binary fields, such as encrypted texts, are part of it
by their SHA-256. A record with personal data has them encrypted under random nonces or as keyed
hashes only, so that nobody can guess them from the hash.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from chassis.clock import new_id
from chassis.transaction import Tx
from sqlalchemy import Column, LargeBinary, Uuid

from audit_log.record_kinds import RecordKind

_CANONICAL = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)


@dataclass(frozen=True)
class Decision:
    """A decision for the audit log: its action, further facts, and the records of other kinds that
    it makes or changes beside the record of its object, each with its fields by name. `entry_id` is
    given if rows with the id of the entry have been written already."""

    action: str
    facts: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[RecordKind, Mapping[str, Any]] = field(default_factory=dict)
    entry_id: UUID | None = None


@dataclass(frozen=True)
class EntryOfRecord:
    """The audit entry that a record names: its id, and its hash (see `entry_hash`) if that was
    known when the record was written."""

    audit_entry: UUID
    audit_hash: bytes | None

    @property
    def columns(self) -> dict[str, Any]:
        """The values of the columns of a record's row, by name."""
        return {"audit_entry": self.audit_entry, "audit_hash": self.audit_hash}


def record_columns() -> tuple[Column[Any], Column[Any]]:
    """The columns of a record's table that name its audit entry; see `EntryOfRecord`."""
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
    """Write the audit entry of a decision, with the hashes of `records` and of those beside them.

    The entry is written with the other rows of `tx`. Returns what the rows of the records store.
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


def entry_hash(canonical: bytes) -> bytes:
    """The SHA-256 of an entry in its canonical form, by which a record names it.

    The list of the events that were written with the entry is left out, since it is not complete
    yet when the record is written.
    """
    content = json.loads(canonical)
    content.pop("events", None)
    return hashlib.sha256(_CANONICAL.encode(content).encode()).digest()


def hashes_of(
    records: Mapping[RecordKind, Mapping[str, Any]], entry_id: UUID, object_ref: str
) -> dict[str, str]:
    """The facts of an entry about `object_ref` that hold the hashes of `records`."""
    return {
        kind.fact_of(object_ref): decided(kind, row, entry_id=entry_id, object_ref=object_ref)
        for kind, row in records.items()
    }


def decided(kind: RecordKind, row: Mapping[str, Any], *, entry_id: UUID, object_ref: str) -> str:
    """The SHA-256 (hex) of a record's decided fields; what is None or absent is left out.

    The id of the entry is part of what is hashed, so that equal records have different hashes.
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
    match value:
        case Enum():
            return _plain(value.value)
        case None | bool() | str():
            return value
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
        case float() if value.is_integer():
            # PostgreSQL returns 43.0 where 43 was given for a column of floating-point numbers.
            return str(int(value))
        case _:
            return str(value)
