"""An open transaction, under the scope of the one on whose behalf it reads and writes.

`Tx` executes statements and commits with its `Database`; what is written with an effect (events,
audit entries, work, used ids, data keys) each has a module of its own, which a `Tx` lends.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, select
from sqlalchemy.dialects.postgresql import insert
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
    """On whose behalf rows are read and written."""

    kind: str
    name: str
    regions: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    purpose: str = ""

    @property
    def actor(self) -> str:
        """The name in audit entries: "kind/name", as "service/fines"."""
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
        """Raises SQLAlchemy's errors, whose text may hold a row: never log it."""
        return await self._connection.execute(statement, rows)

    async def scalar(self, statement: Executable) -> Any:
        """The first column of the first row, None where there is none."""
        return await self._connection.scalar(statement)

    async def now(self) -> datetime:
        """The database's time, in UTC. Raises ClockUnsure when it differs from our clock."""
        asked_at = self._clock()
        theirs: datetime = await self._connection.scalar(DATABASE_TIME)
        if seconds_apart(asked_at, theirs, self._clock()) > CLOCK_TOLERANCE_SECONDS:
            raise ClockUnsure
        return theirs

    async def once(self, caller: str, request_id: UUID, content: bytes) -> bool:
        """True the first time a caller uses an id; False for the same content again.

        Raises IdReused for other content. Two at once: the second waits for the first's commit.
        """
        return await idempotency.is_first_use(self._connection, caller, request_id, content)

    def emit(self, fact: Event) -> None:
        """Publishes an event once the transaction commits; there is no other way to publish."""
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
        """Who did or saw what and why: ids only. `object_ref` is "type:id". Gives the entry's id.

        What is confidential is sealed like the rest and shown to no auditor.
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
        """Schedules durable work: `kind` is done for `key` once, at or after `due_at`."""
        await work.schedule(self._connection, kind, key, due_at)

    async def reschedule(self, kind: str, key: str, due_at: datetime) -> None:
        """Moves scheduled work to `due_at`; work that was already done is done again."""
        await work.reschedule(self._connection, kind, key, due_at)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A part that may fail by itself: nothing of it stays then, its facts and audit included.

        What it raises is raised on; who catches that goes on with the transaction.
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
        """Writes the events and audit entries collected so far."""
        events, self._events = self._events, []
        audit, self._audit = self._audit, []
        if events:
            await self.execute(insert(tables.outbox), events)
        if audit:
            await self.execute(insert(tables.audit), audit)
            pending = [{"entry_id": row["entry_id"]} for row in audit]
            await self.execute(insert(tables.audit_pending), pending)


def seconds_apart(asked_at: datetime, theirs: datetime, answered_at: datetime) -> float:
    """Seconds by which the database's clock lies outside of the interval in which it was asked."""
    return max((asked_at - theirs).total_seconds(), (theirs - answered_at).total_seconds())


DATABASE_TIME: Any = select(tables.service_now)
