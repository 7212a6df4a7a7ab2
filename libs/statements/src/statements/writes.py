"""Inserts all rows of a transaction with a single statement.

The rows are those of the request id, the change itself, its events and its audit entries. If there
is a request id, rows are inserted only if the id was not used before. Instead of a request id, a
transaction can have a row that replaces a stored row. Its other rows are then inserted only if the
stored row still has the version that was read. Several transactions of one scope can be written by
one statement and share its commit (`shared_commits`).

The statement itself sets the scope that row-level security reads, so it can also be executed alone,
without BEGIN and COMMIT, in a single round trip. All rows are joined to the row that sets the
scope, so that the scope is set before row-level security checks the rows. Rows of one statement do
not see each other: no policy may look up a row that the same statement adds.

The most frequent case, one transaction with one row of each kind, has a statement with single
values, which costs the driver and PostgreSQL less than one with lists.
"""

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import ARRAY, Table
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.exc import DBAPIError, IntegrityError

from statements.scopes import SCOPE, settings_of_scope

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


class RowExists(IntegrityError):
    """A row to be added violates a unique constraint, whose name is `key`."""

    def __init__(self, error: asyncpg.UniqueViolationError) -> None:
        super().__init__("the rows of a transaction", None, error)
        self.key: str = error.constraint_name or ""


@dataclass(frozen=True)
class RequestId:
    """The id that a caller chose for a request, with the SHA-256 of the request's content.

    A repeated request has the same id, so that it takes effect only once.
    """

    caller: str
    request_id: UUID
    fingerprint: bytes


@dataclass(frozen=True)
class Rows:
    """The table and columns into which rows are inserted.

    With `or_ignored`, a row that would violate a unique constraint is skipped without an error.
    """

    table: Table
    columns: tuple[str, ...]
    or_ignored: bool


@dataclass(frozen=True)
class Replacement:
    """A row that replaces the stored row with the same primary key, if that row has this `version`.

    The table has a column `version`. With `waits`, the statement waits for a row that another
    transaction has locked. Otherwise such a row counts as changed, so that the other writes of the
    statement need not wait.
    """

    kind: Rows
    row: Mapping[str, Any]
    version: int
    waits: bool


@dataclass
class Writes:
    """The rows that a transaction adds at its end, and their condition, if any: a request id that
    must be new, or a row to replace that must be unchanged. There is at most one condition."""

    request: RequestId | None = None
    replaced: Replacement | None = None
    rows: dict[Rows, list[Mapping[str, Any]]] = field(default_factory=dict)

    def add(self, table: Table, row: Mapping[str, Any], *, or_ignored: bool = False) -> None:
        """Add a row; columns that are missing in it get the table's defaults.

        With `or_ignored`, the row is skipped if one with the same unique key exists.
        """
        self.rows.setdefault(Rows(table, tuple(sorted(row)), or_ignored), []).append(row)

    @property
    def shape(self) -> "Shape":
        """The tables and columns to be written; writes of equal shape can be written together."""
        kinds = tuple(sorted(self.rows, key=lambda kind: (kind.table.name, kind.columns)))
        if self.replaced is None:
            return Shape(self.request is not None, kinds)
        return Shape(False, kinds, self.replaced.kind, self.replaced.waits)

    @property
    def condition(self) -> Hashable | None:
        """The caller and request id, or the primary key of the row to replace; None if there is no
        condition. Writes with equal conditions must not share a statement."""
        if self.request is not None:
            return self.request.caller, self.request.request_id
        if self.replaced is not None:
            row = self.replaced.row
            return tuple(row[name] for name in _key_of(self.replaced.kind.table))
        return None

    def __bool__(self) -> bool:
        return self.condition is not None or bool(self.rows)


@dataclass(frozen=True)
class Shape:
    """What a statement writes: tables and columns into which it inserts, whether it stores request
    ids, and the table in which it replaces rows, if any. Also whether it waits for locked rows."""

    has_request: bool
    rows: tuple[Rows, ...]
    replaced: Rows | None = None
    waits: bool = False


async def write(driver: Any, scope: Mapping[str, str], together: Sequence[Writes]) -> set[int]:
    """Insert several writes of the same shape by one statement, which takes effect as a whole.

    `driver` is an asyncpg connection; `scope` has a value for each setting in `SCOPE`. Writes whose
    request id was used before, or whose row to replace has changed, are skipped. No two writes may
    have the same request id or replace the same row. Returns the positions in `together` of the
    writes that were not skipped.

    Raises RowExists if a row violates a unique constraint, SQLAlchemy's IntegrityError for a
    constraint of another kind, SQLAlchemy's DBAPIError for any other error that PostgreSQL reports,
    and asyncpg's InterfaceError or OSError if the connection is broken.
    """
    shape = together[0].shape
    if _are_single(together):
        statement, arguments = _single_statement(shape), _single_arguments(shape, scope, *together)
    else:
        statement, arguments = _statement(shape), _arguments(shape, scope, together)
    try:
        written = await driver.fetch(statement, *arguments)
    except asyncpg.UniqueViolationError as error:
        raise RowExists(error) from error
    except asyncpg.IntegrityConstraintViolationError as error:
        raise IntegrityError("the rows of a transaction", None, error) from error
    except asyncpg.PostgresError as error:
        raise DBAPIError("the rows of a transaction", None, error) from error
    return {record[0] for record in written}


def _are_single(together: Sequence[Writes]) -> bool:
    """Whether `_single_statement` can write these: a single transaction that replaces nothing and
    has one row of each kind."""
    if len(together) > 1 or together[0].replaced is not None:
        return False
    return all(len(rows) == 1 for rows in together[0].rows.values())


def _single_arguments(shape: Shape, scope: Mapping[str, str], writes: Writes) -> list[Any]:
    """The values of the parameters of `_single_statement`."""
    values: list[Any] = [scope[name] for name in SCOPE]
    if writes.request is not None:
        values += (writes.request.caller, writes.request.request_id, writes.request.fingerprint)
    for kind in shape.rows:
        [row] = writes.rows[kind]
        for name in kind.columns:
            process, value = _single_processor(kind.table, name), row[name]
            values.append(process(value) if process else value)
    return values


@lru_cache(maxsize=256)
def _single_statement(shape: Shape) -> str:
    number = count(1)
    parts = [f"scope AS MATERIALIZED (SELECT {settings_of_scope(number)})"]
    source = "scope"
    if shape.has_request:
        values = ", ".join(f"${next(number)}::{kind}" for kind in ("text", "uuid", "bytea"))
        parts.append(
            "used AS (INSERT INTO requests (caller, request_id, fingerprint)"
            f" SELECT {values} FROM scope ON CONFLICT DO NOTHING RETURNING caller)"
        )
        source = "used"
    parts.append(f"item AS MATERIALIZED (SELECT 0 AS _item FROM {source})")
    for place, kind in enumerate(shape.rows):
        parts.append(f"rows_{place} AS ({_single_insert(kind, number)})")
    return f"WITH {', '.join(parts)} SELECT _item FROM item"


def _single_insert(kind: Rows, number: "count[int]") -> str:
    columns = ", ".join(f'"{name}"' for name in kind.columns)
    types = (kind.table.c[name].type.compile(dialect=_DIALECT) for name in kind.columns)
    values = ", ".join(f"${next(number)}::{each}" for each in types)
    ignored = " ON CONFLICT DO NOTHING" if kind.or_ignored else ""
    return f'INSERT INTO "{kind.table.name}" ({columns}) SELECT {values} FROM item{ignored}'


def _arguments(shape: Shape, scope: Mapping[str, str], together: Sequence[Writes]) -> list[Any]:
    """The values of the statement's parameters, in the order in which `_statement` numbers them."""
    values: list[Any] = [*(scope[name] for name in SCOPE), list(range(len(together)))]
    if shape.has_request:
        requests = [each.request for each in together if each.request is not None]
        values += [[request.caller for request in requests]]
        values += [[request.request_id for request in requests]]
        values += [[request.fingerprint for request in requests]]
    if shape.replaced is not None:
        replaced = [each.replaced for each in together if each.replaced is not None]
        values += [[each.version for each in replaced]]
        values += _columns(shape.replaced, [each.row for each in replaced])
    for kind in shape.rows:
        rows = [(item, row) for item, each in enumerate(together) for row in each.rows[kind]]
        values.append([item for item, _ in rows])
        values += _columns(kind, [row for _, row in rows])
    return values


def _columns(kind: Rows, rows: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """The values of rows of one kind as the driver takes them, column by column."""
    columns = []
    for name in kind.columns:
        process = _processor(kind.table, name)
        column = [row[name] for row in rows]
        columns.append(list(map(process, column)) if process else column)
    return columns


@lru_cache(maxsize=256)
def _statement(shape: Shape) -> str:
    number = count(1)
    settings = settings_of_scope(number)
    items = f"unnest(${next(number)}::int[]"
    parts = [f"scope AS MATERIALIZED (SELECT {settings})"]
    if shape.has_request:
        arrays = ", ".join(f"${next(number)}::{kind}[]" for kind in ("text", "uuid", "bytea"))
        parts += [
            "request AS MATERIALIZED (SELECT row.* FROM scope CROSS JOIN"
            f" {items}, {arrays}) AS row(_item, caller, request_id, fingerprint))",
            "used AS (INSERT INTO requests (caller, request_id, fingerprint)"
            " SELECT caller, request_id, fingerprint FROM request ON CONFLICT DO NOTHING"
            " RETURNING caller, request_id)",
            "item AS MATERIALIZED (SELECT _item FROM request JOIN used USING (caller, request_id))",
        ]
    elif shape.replaced is not None:
        parts += _replacement(shape.replaced, items, number, waits=shape.waits)
    else:
        parts.append(
            f"item AS MATERIALIZED (SELECT _item FROM scope CROSS JOIN {items}) AS row(_item))"
        )
    parts += [f"rows_{place} AS ({_insert(kind, number)})" for place, kind in enumerate(shape.rows)]
    return f"WITH {', '.join(parts)} SELECT _item FROM item"


def _replacement(
    kind: Rows, items: str, number: "count[int]", *, waits: bool
) -> tuple[str, str, str]:
    """The parts of a statement that replace rows. `item` are those that were as they had been read.

    A row is locked by a lateral subquery that refers to the rows joined to the scope, so that the
    scope is set before. PostgreSQL could begin an UPDATE with the table, which row-level security
    would then hide; an INSERT that meets the locked row looks it up when the scope is set.
    """
    table, columns = kind.table.name, [f'"{name}"' for name in kind.columns]
    key = [f'"{name}"' for name in _key_of(kind.table)]
    types = ("bigint", *(_type(kind.table, name) for name in kind.columns))
    arrays = ", ".join(f"${next(number)}::{each}[]" for each in types)
    is_same = " AND ".join(f"held.{name} = given.{name}" for name in key)
    values = ", ".join(_value(kind.table, name) for name in kind.columns)
    new = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    lock = "FOR UPDATE" if waits else "FOR UPDATE SKIP LOCKED"
    return (
        f"given AS MATERIALIZED (SELECT row.* FROM scope CROSS JOIN {items}, {arrays})"
        f" AS row(_item, _version, {', '.join(columns)}))",
        "item AS MATERIALIZED (SELECT given.* FROM given CROSS JOIN LATERAL"
        f' (SELECT FROM "{table}" AS held WHERE {is_same} AND held.version = given._version'
        f" OFFSET 0 {lock}) AS found)",
        f'saved AS (INSERT INTO "{table}" ({", ".join(columns)}) SELECT {values} FROM item'
        f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {new})",
    )


def _insert(kind: Rows, number: "count[int]") -> str:
    """The insertion of the rows of one kind, in the order in which they were added."""
    columns = ", ".join(f'"{name}"' for name in kind.columns)
    values = ", ".join(_value(kind.table, name) for name in kind.columns)
    types = ("int", *(_type(kind.table, name) for name in kind.columns))
    arrays = ", ".join(f"${next(number)}::{each}[]" for each in types)
    ignored = " ON CONFLICT DO NOTHING" if kind.or_ignored else ""
    return (
        f'INSERT INTO "{kind.table.name}" ({columns}) SELECT {values}'
        f" FROM (SELECT _item FROM item) AS item JOIN unnest({arrays})"
        f" WITH ORDINALITY AS row(_item, {columns}, _place) USING (_item)"
        f" ORDER BY _place{ignored}"
    )


def _value(table: Table, name: str) -> str:
    """The value of a column in a row; that of an array column is given as JSON."""
    kind = table.c[name].type
    if not isinstance(kind, ARRAY):
        return f'"{name}"'
    return f'ARRAY(SELECT jsonb_array_elements_text("{name}"))::{kind.compile(dialect=_DIALECT)}'


def _key_of(table: Table) -> list[str]:
    return [column.name for column in table.primary_key.columns]


@lru_cache(maxsize=1024)
def _type(table: Table, name: str) -> str:
    """The type of a column's parameter. PostgreSQL has no array of arrays of different lengths."""
    kind = table.c[name].type
    return "JSONB" if isinstance(kind, ARRAY) else str(kind.compile(dialect=_DIALECT))


@lru_cache(maxsize=1024)
def _processor(table: Table, name: str) -> Callable[[Any], Any] | None:
    """How SQLAlchemy prepares a value of this column for the driver; None: not at all."""
    kind = table.c[name].type
    if isinstance(kind, ARRAY):
        return json.dumps
    return _single_processor(table, name)


@lru_cache(maxsize=1024)
def _single_processor(table: Table, name: str) -> Callable[[Any], Any] | None:
    """As `_processor`, where an array is given as one."""
    return table.c[name].type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
