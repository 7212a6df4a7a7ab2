"""An open transaction, and the scope of the caller for whom it reads and writes.

`Tx` executes statements; its `Database` commits. Events, audit entries, work, used ids and data
keys are written in the same transaction as the effect, each by a module of its own.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, select
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection
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
    """The caller for whom a transaction reads and writes rows."""

    kind: str
    name: str
    regions: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    purpose: str = ""

    @property
    def actor(self) -> str:
        """The name in audit entries: "kind/name", such as "service/fines"."""
        return f"{self.kind}/{self.name}"

    @property
    def sees_all_regions(self) -> bool:
        """Whether the scope sees the rows of every region."""
        return "*" in self.regions

    def sees(self, region: str) -> bool:
        """Whether the scope sees rows of a region; "" (no region) only if it sees all."""
        return self.sees_all_regions or region in self.regions


SYSTEM = Scope("system", "system", ("*",))


class Tx:
    """An open transaction. Events and audit entries are written just before it commits."""

    def __init__(
        self, connection: AsyncConnection, scope: Scope, keyring: Keyring, clock: Clock
    ) -> None:
        self.scope = scope
        self.keys = DataKeys(connection, keyring, clock)
        self._connection = connection
        self._keyring = keyring
        self._clock = clock
        self._events: list[dict[str, Any]] = []
        self._audit: list[dict[str, Any]] = []

    async def execute(self, statement: Executable, rows: Any = None) -> CursorResult[Any]:
        """Execute a statement. Errors are SQLAlchemy's; their text may hold a row: never log it."""
        return await self._connection.execute(statement, rows)

    async def scalar(self, statement: Executable) -> Any:
        """The first column of the first row; None if there is no row."""
        return await self._connection.scalar(statement)

    async def now(self) -> datetime:
        """The database's time, in UTC. Raises ClockUnsure when it differs from our clock."""
        asked_at = self._clock()
        theirs: datetime = await self._connection.scalar(DATABASE_TIME)
        if seconds_apart(asked_at, theirs, self._clock()) > CLOCK_TOLERANCE_SECONDS:
            raise ClockUnsure
        return theirs

    async def once(self, caller: str, request_id: UUID, content: bytes) -> bool:
        """Whether a caller uses an id for the first time; False if repeated with the same content.

        Raises IdReused for other content. A concurrent use waits until the first transaction ends.
        """
        return await idempotency.is_first_use(self._connection, caller, request_id, content)

    def emit(self, fact: Event) -> None:
        """Publish an event once the transaction commits; there is no other way to publish."""
        self._events.append(outbox_row(fact, self._keyring))

    def audit(
        self,
        action: str,
        object_ref: str,
        *,
        region: str = "",
        facts: Mapping[str, str] | None = None,
        confidential: bool = False,
    ) -> UUID:
        """Write an audit entry, which holds ids only; return its id. `object_ref` is "type:id".

        A confidential entry is sealed like all others and shown to no auditor.
        """
        entry = AuditEntry(
            new_id(),
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
        self._audit.append({"entry_id": entry.entry_id, "canonical": entry.canonical()})
        return entry.entry_id

    async def schedule(self, kind: str, key: str, due_at: datetime) -> None:
        """Schedule durable work: `kind` is done for `key` once, at or after `due_at`."""
        await work.schedule(self._connection, kind, key, due_at)

    async def reschedule(self, kind: str, key: str, due_at: datetime) -> None:
        """Move scheduled work to `due_at`; work that was already done is done again."""
        await work.reschedule(self._connection, kind, key, due_at)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Run the block in a savepoint; if it raises, undo its rows, events and audit entries.

        The exception is re-raised; a caller that catches it can continue the transaction.
        """
        await self.flush()
        try:
            async with self._connection.begin_nested():
                yield
                await self.flush()
        except BaseException:
            self._events, self._audit = [], []
            raise

    async def flush(self) -> None:
        """Write the events and audit entries collected so far."""
        events, self._events = self._events, []
        audit, self._audit = self._audit, []
        if events or audit:
            rows = {"outbox": events, "audit": audit}
            await self.execute(tables.ADD_FACTS, tables.columns_of(rows))


def seconds_apart(asked_at: datetime, theirs: datetime, answered_at: datetime) -> float:
    """Seconds by which the database's time is outside of the interval in which it was read."""
    return max((asked_at - theirs).total_seconds(), (theirs - answered_at).total_seconds())


DATABASE_TIME: Any = select(tables.service_now)
