"""What a transaction writes, in one statement: request id, rows of the effect, events, audit.

Rows are inserted only where the request id, if there is one, is used for the first time. Several
transactions of one scope can be written by one statement and share its commit (`shared_commits`).

The statement sets the scope itself: sent outside of a transaction it is one of its own, which takes
a single round trip. Row-level security holds: a row exists only after the scope was set, because
all rows are joined to the scope's. Rows of one statement do not see each other, so no policy may
look up a row that is added together with its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.exc import DBAPIError, IntegrityError

from statements.scopes import SCOPE, settings_of_scope

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


class RowExists(IntegrityError):
    """An added row exists already; `key` is the name of the unique constraint."""

    def __init__(self, error: asyncpg.UniqueViolationError) -> None:
        super().__init__("the rows of a transaction", None, error)
        self.key: str = error.constraint_name or ""


@dataclass(frozen=True)
class RequestId:
    """An id that a caller made for a request, and the SHA-256 of the request's content."""

    caller: str
    request_id: UUID
    fingerprint: bytes


@dataclass(frozen=True)
class Rows:
    """The table and columns of added rows; `or_ignored`: a row that exists is left as it is."""

    table: Table
    columns: tuple[str, ...]
    or_ignored: bool


@dataclass
class Writes:
    """What one transaction writes at its end."""

    request: RequestId | None = None
    rows: dict[Rows, list[Mapping[str, Any]]] = field(default_factory=dict)

    def add(self, table: Table, row: Mapping[str, Any], *, or_ignored: bool = False) -> None:
        """Add a row; columns that it leaves out get their defaults."""
        self.rows.setdefault(Rows(table, tuple(sorted(row)), or_ignored), []).append(row)

    @property
    def shape(self) -> "Shape":
        """The shape of the statement; writes of one shape can be written together."""
        kinds = sorted(self.rows, key=lambda kind: (kind.table.name, kind.columns))
        return Shape(self.request is not None, tuple(kinds))

    def __bool__(self) -> bool:
        return self.request is not None or bool(self.rows)


@dataclass(frozen=True)
class Shape:
    """What a statement inserts, without the values."""

    has_request: bool
    rows: tuple[Rows, ...]


async def write(driver: Any, scope: Mapping[str, str], together: Sequence[Writes]) -> set[int]:
    """Insert the writes of one shape with asyncpg's connection `driver`, all or none.

    `scope` has a value for each setting in SCOPE. Returns the positions in `together` of what was
    written: all whose request id was not used before. No two may have the same request id. Raises
    SQLAlchemy's DBAPIError, or asyncpg's InterfaceError or OSError for a broken connection.
    """
    shape = together[0].shape
    try:
        written = await driver.fetch(_statement(shape), *_arguments(shape, scope, together))
    except asyncpg.UniqueViolationError as error:
        raise RowExists(error) from error
    except asyncpg.IntegrityConstraintViolationError as error:
        raise IntegrityError("the rows of a transaction", None, error) from error
    except asyncpg.PostgresError as error:
        raise DBAPIError("the rows of a transaction", None, error) from error
    return {record[0] for record in written}


def _arguments(shape: Shape, scope: Mapping[str, str], together: Sequence[Writes]) -> list[Any]:
    """The values of the statement's parameters, in the order in which `_statement` numbers them."""
    values: list[Any] = [*(scope[name] for name in SCOPE), list(range(len(together)))]
    if shape.has_request:
        requests = [each.request for each in together if each.request is not None]
        values += [[request.caller for request in requests]]
        values += [[request.request_id for request in requests]]
        values += [[request.fingerprint for request in requests]]
    for kind in shape.rows:
        rows = [(item, row) for item, each in enumerate(together) for row in each.rows[kind]]
        values.append([item for item, _ in rows])
        for name in kind.columns:
            process = _processor(kind.table, name)
            column = [row[name] for _, row in rows]
            values.append(list(map(process, column)) if process else column)
    return values


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
    else:
        parts.append(
            f"item AS MATERIALIZED (SELECT _item FROM scope CROSS JOIN {items}) AS row(_item))"
        )
    parts += [f"rows_{place} AS ({_insert(kind, number)})" for place, kind in enumerate(shape.rows)]
    return f"WITH {', '.join(parts)} SELECT _item FROM item"


def _insert(kind: Rows, number: "count[int]") -> str:
    """The insertion of the rows of one kind, in the order in which they were added."""
    columns = ", ".join(f'"{name}"' for name in kind.columns)
    types = ("int", *(_type(kind.table, name) for name in kind.columns))
    arrays = ", ".join(f"${next(number)}::{each}[]" for each in types)
    ignored = " ON CONFLICT DO NOTHING" if kind.or_ignored else ""
    return (
        f'INSERT INTO "{kind.table.name}" ({columns}) SELECT {columns} FROM item'
        f" JOIN unnest({arrays}) WITH ORDINALITY AS row(_item, {columns}, _place) USING (_item)"
        f" ORDER BY _place{ignored}"
    )


@lru_cache(maxsize=1024)
def _type(table: Table, name: str) -> str:
    return str(table.c[name].type.compile(dialect=_DIALECT))


@lru_cache(maxsize=1024)
def _processor(table: Table, name: str) -> Callable[[Any], Any] | None:
    """How SQLAlchemy prepares a value of this column for the driver; None: not at all."""
    return table.c[name].type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
