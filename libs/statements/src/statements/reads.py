"""A SELECT that is compiled once, and prepared once on each connection.

For reads that a service does for every call; all others are SQLAlchemy's to execute.
"""

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import asyncpg
from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.exc import DBAPIError

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


class Read:
    """A SELECT whose bind parameters get their values at each `rows`."""

    def __init__(self, select: Select[Any]) -> None:
        compiled: Any = select.compile(dialect=_DIALECT)
        self._sql = compiled.string
        self._names: tuple[str, ...] = tuple(compiled.positiontup or ())
        self._prepare: dict[str, Callable[[Any], Any]] = dict(compiled._bind_processors)
        names = [column.name for column in select.selected_columns]
        self._row: Callable[..., Any] = namedtuple("Row", names)  # type: ignore[misc]
        processors = [
            column.type.dialect_impl(_DIALECT).result_processor(_DIALECT, None)
            for column in select.selected_columns
        ]
        self._processors = [(n, each) for n, each in enumerate(processors) if each is not None]

    async def rows(self, driver: Any, **values: Any) -> list[Any]:
        """The rows, named as the columns are, read with asyncpg's connection `driver`.

        Raises KeyError without a value for each parameter; otherwise as `writes.write` does.
        """
        arguments = [self._value(name, values[name]) for name in self._names]
        try:
            records = await driver.fetch(self._sql, *arguments)
        except asyncpg.PostgresError as error:
            raise DBAPIError("a read", None, error) from error
        return [self._row(*self._processed(record)) for record in records]

    def _value(self, name: str, value: Any) -> Any:
        prepare = self._prepare.get(name)
        return value if prepare is None else prepare(value)

    def _processed(self, record: Any) -> Any:
        if not self._processors:
            return record
        cells = list(record)
        for place, process in self._processors:
            cells[place] = process(cells[place])
        return cells
