"""SELECTs that are compiled once, and prepared once on each connection.

They are for reads that a service does in every call; SQLAlchemy executes all other reads. If a
call needs only one read, one round trip suffices: the statement itself sets the scope that
row-level security reads.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import asyncpg
from sqlalchemy import Float, Numeric, Select, literal_column
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from statements.scopes import SCOPE, settings_of_scope

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
# True, and known only once the scope is set.
_SCOPE_IS_SET = literal_column("scope.kind").is_not(None)


@dataclass(frozen=True)
class _Prepared:
    """A statement, its parameters in order, and the values of those that never change."""

    sql: str
    names: tuple[str, ...]
    constants: dict[str, Any]
    processors: Mapping[str, Any]

    @classmethod
    def of(cls, select: Select[Any]) -> "_Prepared":
        compiled: Any = select.compile(dialect=_DIALECT)
        given = {name: None for name, bind in compiled.binds.items() if bind.required}
        # Of a list, each item gets a parameter of its own.
        expanded = compiled.construct_expanded_state(given)
        constants = {
            name: value for name, value in expanded.parameters.items() if name not in given
        }
        processors = {**compiled._bind_processors, **expanded.processors}
        return cls(expanded.statement, tuple(expanded.positiontup or ()), constants, processors)

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The values of the statement's parameters, in order. Raises KeyError if one is missing."""
        found = []
        for name in self.names:
            value = self.constants[name] if name in self.constants else values[name]
            process = self.processors.get(name)
            found.append(value if process is None else process(value))
        return found


class Read:
    """A SELECT, compiled once, that can be executed with new parameter values each time.

    Bind parameters whose value is set in the SELECT itself keep that value.
    """

    def __init__(self, select: Select[Any]) -> None:
        self._alone = _Prepared.of(select)
        self._under_scope = _under_scope(select)
        names = [column.name for column in select.selected_columns]
        self._row: Callable[..., Any] = namedtuple("Row", names)  # type: ignore[misc]
        processors = [_result_processor(column.type) for column in select.selected_columns]
        self._processors = [(n, each) for n, each in enumerate(processors) if each is not None]

    async def rows(self, driver: Any, **values: Any) -> list[Any]:
        """Execute the SELECT in the open transaction of an asyncpg connection, `driver`.

        Returns named tuples whose fields are the columns. Raises KeyError if a parameter has no
        value, SQLAlchemy's DBAPIError for errors of PostgreSQL, and asyncpg's InterfaceError or
        OSError for a broken connection.
        """
        return await self._fetch(driver, self._alone.sql, self._alone.arguments(values))

    async def rows_under(self, driver: Any, scope: Mapping[str, str], **values: Any) -> list[Any]:
        """Execute the SELECT outside of a transaction; return the rows that `scope` may see.

        `scope` has a value for each setting in `SCOPE`. Rows and exceptions are as in `rows`.
        """
        prepared = self._under_scope
        arguments = [*prepared.arguments(values), *(scope[name] for name in SCOPE)]
        return await self._fetch(driver, prepared.sql, arguments)

    async def _fetch(self, driver: Any, sql: str, arguments: list[Any]) -> list[Any]:
        try:
            records = await driver.fetch(sql, *arguments)
        except asyncpg.PostgresError as error:
            raise DBAPIError("a read", None, error) from error
        return [self._row(*self._processed(record)) for record in records]

    def _processed(self, record: Any) -> Any:
        if not self._processors:
            return record
        cells = list(record)
        for place, process in self._processors:
            cells[place] = process(cells[place])
        return cells


def _result_processor(kind: TypeEngine[Any]) -> Callable[[Any], Any] | None:
    """How SQLAlchemy turns the driver's value into the column's; None: not at all."""
    if isinstance(kind, Numeric | Float):
        return None  # asyncpg gives floats and decimals as the column has them
    processor: Callable[[Any], Any] | None = kind.dialect_impl(_DIALECT).result_processor(
        _DIALECT, None
    )
    return processor


def _under_scope(select: Select[Any]) -> _Prepared:
    """The SELECT, in a statement that sets the scope first.

    PostgreSQL cannot but set it first: a lateral subquery that refers to the scope's row is run for
    that row, and OFFSET keeps the planner from taking the subquery apart.
    """
    inner = _Prepared.of(select.where(_SCOPE_IS_SET).offset(literal_column("0")))
    settings = settings_of_scope(count(len(inner.names) + 1))
    sql = (
        f"WITH scope AS MATERIALIZED (SELECT {settings})"
        f" SELECT found.* FROM scope CROSS JOIN LATERAL ({inner.sql}) AS found"
    )
    return replace(inner, sql=sql)
