"""An open transaction, and the scope of the caller for whom it reads and writes.

`Tx` executes statements; `Database` commits. Added rows, scheduled work, events and audit entries
are buffered and written by one statement at the end. Before any other statement is executed, the
added rows and scheduled work are written.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, Table, select
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection
from statements.links import Links
from statements.reads import Read
from statements.writes import Replacement, Rows, Writes, write
from vault.data_keys import DataKeys
from vault.keyring import Keyring

from chassis import idempotency, tables, work
from chassis.audit_entry import CONFIDENTIAL, OPEN, AuditEntry
from chassis.clock import Clock, new_id
from chassis.event import Event, outbox_row
from chassis.refusals import ClockUnsure
from chassis.telemetry import current_story

CLOCK_TOLERANCE_SECONDS = 2.0


@dataclass(frozen=True)
class Scope:
    """The caller of a transaction; row-level security shows the rows that this scope may see."""

    kind: str
    name: str
    regions: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    purpose: str = ""
    # The key of what is looked up, as "kind:value", where a policy shows only the rows under it.
    lookup: str = ""

    @property
    def actor(self) -> str:
        """The caller as audit entries name it: "kind/name", such as "service/fines"."""
        return f"{self.kind}/{self.name}"

    @cached_property
    def settings(self) -> dict[str, str]:
        """The values of the session settings `app.<key>`, by key; row-level security reads them."""
        regions = ("*",) if self.sees_all_regions else self.regions
        lists = {"regions": json.dumps(regions), "roles": json.dumps(self.roles)}
        return {"kind": self.kind, "name": self.name, **lists, "lookup": self.lookup}

    @property
    def sees_all_regions(self) -> bool:
        """Whether the scope sees the rows of every region."""
        return "*" in self.regions

    def sees(self, region: str) -> bool:
        """Whether the scope sees rows of a region; "" stands for rows that belong to no region."""
        return self.sees_all_regions or region in self.regions


SYSTEM = Scope("system", "system", ("*",))


class Tx:
    """An open transaction; in the database it begins with the first executed statement.

    A transaction that executes no statement, but adds rows, events or audit entries, takes a single
    round trip.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[AsyncConnection]],
        scope: Scope,
        keyring: Keyring,
        clock: Clock,
    ) -> None:
        """`connect` begins the transaction in the database."""
        self.scope = scope
        self.keys = DataKeys(self, keyring, clock, self._list_erasure)
        # Whether the id of `write_once` was new; known after the commit.
        self.was_first = True
        # Whether the row of `replace` was unchanged; known after the commit.
        self.was_current = True
        self.connection: AsyncConnection | None = None
        # The ids of the audit entries that were written; they are in the log after the commit.
        self.entries: list[UUID] = []
        self._connect = connect
        self._keyring = keyring
        self._clock = clock
        self._forget()

    async def execute(self, statement: Executable, rows: Any = None) -> CursorResult[Any]:
        """Execute a statement, with the parameter values `rows` if any; return the result. Raises
        SQLAlchemy's errors; never log their text, which may quote a row."""
        return await (await self._ready()).execute(statement, rows)

    async def scalar(self, statement: Executable) -> Any:
        """Execute a statement; return the first column of its first row, or None without rows."""
        return await (await self._ready()).scalar(statement)

    async def read(self, select: Read, **values: Any) -> list[Any]:
        """Execute a prepared SELECT with these parameters; return its rows as named tuples."""
        return await select.rows(driver_of(await self._ready()), **values)

    async def now(self) -> datetime:
        """Return the database's time, in UTC.

        Raises ClockUnsure if this process's clock differs by more than CLOCK_TOLERANCE_SECONDS.
        """
        connection = await self._ready()
        asked_at = self._clock()
        theirs: datetime = await connection.scalar(DATABASE_TIME)
        if seconds_apart(asked_at, theirs, self._clock()) > CLOCK_TOLERANCE_SECONDS:
            raise ClockUnsure
        return theirs

    async def once(self, caller: str, request_id: UUID, content: bytes) -> bool:
        """Store a request id of a caller (`Caller.key`); return True if new, False if repeated.

        Raises IdReused if the id was used with other content. While another transaction uses the
        same id, this waits until that transaction ends.
        """
        return await idempotency.is_first_use(await self._ready(), caller, request_id, content)

    def write_once(self, caller: str, request_id: UUID, content: bytes) -> None:
        """Have the commit store a caller's request id, and the added rows only if the id is new.

        After the commit, `was_first` is True if the id was new. If the id was used with other
        content, the end of the transaction raises IdReused. The transaction must not execute
        statements: RuntimeError is raised if one was executed before, or is executed later.
        """
        self._require_no_statement()
        self._facts.request = idempotency.request_id_of(caller, request_id, content)

    def replace(
        self, table: Table, row: Mapping[str, Any], *, version: int, waits: bool = True
    ) -> None:
        """Have the commit replace the stored row of this primary key if its version is `version`.

        If it is not, the rows added to this transaction are not written either. After the commit,
        `was_current` is True if all was written. `table` needs a column `version`; `row` needs a
        value for each column without a default. Without `waits`, a row that another transaction has
        locked counts as changed. The transaction must not execute statements: RuntimeError is
        raised if one was executed before, or is executed later.
        """
        self._require_no_statement()
        kind = Rows(table, tuple(sorted(row)), or_ignored=False)
        self._facts.replaced = Replacement(kind, row, version, waits)

    def add(self, table: Table, row: Mapping[str, Any], *, or_ignored: bool = False) -> None:
        """Add a row, to be inserted before the next executed statement or at the transaction's end.

        Columns that are missing get their defaults. If the row exists already, inserting raises
        RowExists, or does nothing with `or_ignored`.
        """
        self._rows.add(table, row, or_ignored=or_ignored)

    def emit(self, fact: Event) -> None:
        """Publish an event once the transaction commits; there is no other way to publish."""
        row = outbox_row(fact, self._keyring)
        self._facts.add(tables.outbox, row)
        self._links.add_event(row)

    def audit(
        self,
        action: str,
        object_ref: str,
        *,
        region: str = "",
        facts: Mapping[str, str] | None = None,
        confidential: bool = False,
        entry_id: UUID | None = None,
    ) -> AuditEntry:
        """Add an audit entry, to be written at the commit; return it. `object_ref` is "type:id".

        Entries hold no personal data beside ids. A confidential entry is sealed in the log like all
        others, but no auditor may read it.
        """
        entry = AuditEntry(
            entry_id or new_id(),
            self._clock(),
            action,
            object_ref,
            actor=self.scope.actor,
            purpose=self.scope.purpose,
            region=region,
            facts=facts or {},
            audit_class=CONFIDENTIAL if confidential else OPEN,
            trace=current_story(),
        )
        row = {"entry_id": entry.entry_id, "canonical": entry.canonical()}
        self._facts.add(tables.audit, row)
        self._facts.add(tables.audit_pending, {"entry_id": entry.entry_id})
        self._links.add_entry((entry, row))
        return entry

    async def schedule(self, kind: str, key: str, due_at: datetime) -> None:
        """Schedule durable work: the handler of `kind` is called with `key`, at or after `due_at`.

        Work that was scheduled before for this kind and key is left unchanged.
        """
        self.add(tables.work, work.row_of(self._keyring, kind, key, due_at), or_ignored=True)

    async def reschedule(self, kind: str, key: str, due_at: datetime) -> None:
        """Schedule work, or move scheduled work to `due_at`; finished work is done again."""
        await work.reschedule(await self._ready(), work.row_of(self._keyring, kind, key, due_at))

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Run the block in a savepoint; if it raises, undo the rows, events and entries it added.

        The exception is re-raised; a caller that catches it can continue the transaction.
        """
        connection = await self._ready()
        await self.flush()
        written = len(self.entries)
        try:
            async with connection.begin_nested():
                yield
                await self.flush()
        except BaseException:
            self._forget()
            del self.entries[written:]
            raise

    async def flush(self) -> None:
        """Write the rows, events and audit entries added so far, without ending the transaction."""
        await self._write(await self._begun(), self.taken())

    def taken(self) -> Writes:
        """Return the buffered writes and empty the buffer, for `Database` to write them.

        Events and audit entries name each other, so that neither can be deleted unnoticed.
        """
        for group in self._links.groups():
            events = tuple(str(row["event_id"]) for row in group.events)
            for entry, row in group.entries if events else ():
                row["canonical"] = replace(entry, events=events).canonical()
            for row in group.events:
                row["audit_entries"] = " ".join(str(entry.entry_id) for entry, _ in group.entries)
            self.entries += (entry.entry_id for entry, _ in group.entries)
        rows, facts = self._rows, self._facts
        self._forget()
        return Writes(facts.request, facts.replaced, {**rows.rows, **facts.rows})

    def _forget(self) -> None:
        """Empty the buffers."""
        self._rows, self._facts = Writes(), Writes()
        self._links = Links[dict[str, Any], tuple[AuditEntry, dict[str, Any]]]()

    def _list_erasure(self, key_id: UUID) -> None:
        row = work.row_of(self._keyring, work.LIST_ERASURE, str(key_id), self._clock())
        self.add(tables.work, row, or_ignored=True)

    def _require_no_statement(self) -> None:
        if self.connection is not None:
            raise RuntimeError("the transaction has executed statements already")

    async def _ready(self) -> AsyncConnection:
        """The connection, once the transaction has begun and the added rows are written."""
        if self._facts.condition is not None:
            raise RuntimeError("a transaction that writes once executes no statement")
        connection = await self._begun()
        rows, self._rows = self._rows, Writes()
        await self._write(connection, rows)
        return connection

    async def _begun(self) -> AsyncConnection:
        if self.connection is None:
            self.connection = await self._connect()
        return self.connection

    async def _write(self, connection: AsyncConnection, writes: Writes) -> None:
        if writes:
            await write(driver_of(connection), self.scope.settings, [writes])


def driver_of(connection: AsyncConnection) -> Any:
    """Return the asyncpg connection that a SQLAlchemy connection uses."""
    assert connection.sync_connection is not None
    return connection.sync_connection.connection.driver_connection


def seconds_apart(asked_at: datetime, theirs: datetime, answered_at: datetime) -> float:
    """Return by how many seconds `theirs` is before `asked_at` or after `answered_at`.

    The database's clock gives `theirs`, this process's clock the two others. The result is 0 or
    less if `theirs` lies between them.
    """
    return max((asked_at - theirs).total_seconds(), (theirs - answered_at).total_seconds())


DATABASE_TIME: Any = select(tables.service_now)
