"""Gives an audit entry to older records that have none, in a migration of the service.

The entry (action `baseline`) holds the hash of the record as it was when the migration ran. A
migration runs only once, so that nobody can get a `baseline` entry for a record changed later.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from chassis.audit_entry import CONFIDENTIAL, OPEN, AuditEntry
from chassis.clock import new_id
from chassis.tables import audit, audit_pending
from host.schema import Operations
from sqlalchemy import Connection, MetaData, Table, and_, bindparam, insert, select, text, tuple_
from sqlalchemy import true as always
from sqlalchemy import update as change

from audit_log.decisions import entry_hash, hashes_of
from audit_log.record_kinds import BASELINE, RecordKind

ACTOR = "system/migration"
AT_ONCE = 1000
Row = Mapping[str, Any]


@dataclass(frozen=True)
class OldRecord:
    """A record without an audit entry; `row` has the fields that decisions determine, by name.

    `keys` are primary keys, as dicts. They name the rows of the record's table in which the id and
    the hash of the new entry are stored.
    """

    object_ref: str
    region: str
    row: Row
    keys: Sequence[Row]
    is_confidential: bool = False


def add_record_columns(op: Operations, *tables: str) -> None:
    """Add the columns `audit_entry` and `audit_hash` to tables in a migration."""
    for table in tables:
        op.execute(f"ALTER TABLE {table} ADD COLUMN audit_entry uuid, ADD COLUMN audit_hash bytea")


def vouch_for_rows(
    op: Operations,
    table: str,
    kind: RecordKind,
    to_record: Callable[[Row], OldRecord],
    *,
    where: str = "",
) -> None:
    """Give an audit entry to each row of `table` that meets the SQL condition `where`.

    Each row is one record of `kind`, which `to_record` makes from the row. The id and the hash of
    the entry are stored in the row itself; the `keys` of the record are not used.
    """
    found = _reflected(op, table)
    key = list(found.primary_key.columns)
    after: tuple[Any, ...] = ()
    while True:
        query = select(found).where(text(where) if where else always())
        if after:
            query = query.where(tuple_(*key) > tuple_(*after))
        found_rows = op.get_bind().execute(query.order_by(*key).limit(AT_ONCE))
        rows: list[Row] = [row._asdict() for row in found_rows]
        if not rows:
            return
        after = tuple(rows[-1][column.name] for column in key)
        own = [[{column.name: row[column.name] for column in key}] for row in rows]
        _vouch(op, found, kind, list(zip(map(to_record, rows), own, strict=True)))


def vouch_for(op: Operations, table: str, kind: RecordKind, records: Iterator[OldRecord]) -> None:
    """Give an audit entry to each of `records`; a record is one or more rows of `table`.

    The id and the hash of the entry are stored in the rows that the record's `keys` name.
    """
    found = _reflected(op, table)
    while batch := list(islice(records, AT_ONCE)):
        _vouch(op, found, kind, [(record, record.keys) for record in batch])


def as_system(op: Operations, *, ends: bool = False) -> None:
    """Let the migration see and change all rows despite row-level security.

    With `ends`, check all deferred constraints, and then put row-level security into force again.
    """
    if ends:
        # Else nothing could alter a table whose constraint triggers wait for the commit.
        op.execute("SET CONSTRAINTS ALL IMMEDIATE")
        op.execute("SET CONSTRAINTS ALL DEFERRED")
    op.execute(f"SELECT set_config('app.kind', '{'' if ends else 'system'}', true)")


def _reflected(op: Operations, table: str) -> Table:
    return Table(table, MetaData(), autoload_with=op.get_bind())


def _vouch(
    op: Operations,
    table: Table,
    kind: RecordKind,
    records: Sequence[tuple[OldRecord, Sequence[Row]]],
) -> None:
    connection = op.get_bind()
    entries = _entries(connection, kind, [record for record, _ in records])
    connection.execute(
        insert(audit),
        [{"entry_id": each.entry_id, "canonical": each.canonical()} for each in entries],
    )
    connection.execute(insert(audit_pending), [{"entry_id": each.entry_id} for each in entries])
    columns: dict[str, Any] = {
        name: bindparam(f"new_{name}") for name in ("audit_entry", "audit_hash")
    }
    own = (each == bindparam(f"of_{each.name}") for each in table.primary_key.columns)
    connection.execute(
        change(table).where(and_(*own)).values(columns),
        [
            {f"of_{name}": value for name, value in key.items()}
            | {"new_audit_entry": entry.entry_id, "new_audit_hash": entry_hash(entry.canonical())}
            for entry, (_, keys) in zip(entries, records, strict=True)
            for key in keys
        ],
    )


def _entries(
    connection: Connection, kind: RecordKind, records: Sequence[OldRecord]
) -> list[AuditEntry]:
    now, entries = connection.scalar(text("SELECT service_now()")), []
    for record in records:
        entry_id = new_id()
        entries.append(
            AuditEntry(
                entry_id,
                now,
                BASELINE,
                record.object_ref,
                actor=ACTOR,
                purpose="",
                region=record.region,
                facts=hashes_of({kind: record.row}, entry_id, record.object_ref),
                audit_class=CONFIDENTIAL if record.is_confidential else OPEN,
            )
        )
    return entries
