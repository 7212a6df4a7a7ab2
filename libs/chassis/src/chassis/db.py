"""The database: one pool a process, one visible transaction a decision.

    async with db.begin(caller.scope) as tx:
        row = (await tx.execute(select(...))).one()
        tx.emit(fact)          # outbox row, written with the effect
        tx.audit("…", …)       # audit row, likewise
    # committed here, before any reply

A transaction runs under a `Scope`: who asks, from which regions, in which roles. Row-level security
reads it. While one is open no call to a peer may be made; the client interceptors check the flag.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import rfc8785
from google.protobuf.message import Message
from sqlalchemy import Executable, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from chassis import tables
from chassis.audit_entry import CONFIDENTIAL, OPEN, AuditEntry
from chassis.clock import Clock, new_id
from chassis.refusals import ClockUnsure, IdReused
from chassis.sealing import DataKey, Keyring
from chassis.telemetry import SpanKind, current_story, span, traceparent

CLOCK_TOLERANCE_SECONDS = 2.0
# SQLSTATE: no connection, a shutdown, no room (disk, memory, connections), a failing disk, a
# transaction broken off for another's sake; then an idle session's end, a statement cut short and
# a lock not got in time.
_AWAY_CLASSES = ("08", "57P", "53", "58", "40")
_AWAY_STATES = frozenset({"25P03", "57014", "55P03"})
log = logging.getLogger(__name__)
_in_transaction: ContextVar[bool] = ContextVar("in_transaction", default=False)


def in_transaction() -> bool:
    return _in_transaction.get()


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
        """As entries of the audit log name it."""
        return f"{self.kind}/{self.name}"

    @property
    def sees_all_regions(self) -> bool:
        return "*" in self.regions

    def sees(self, region: str) -> bool:
        return self.sees_all_regions or region in self.regions


SYSTEM = Scope("system", "system", ("*",))


@dataclass(frozen=True)
class Event:
    """A fact to publish: `subject` in the past tense, `version` of the aggregate it tells about."""

    subject: str
    aggregate: str
    version: int
    region: str
    message: Message
    story: str = ""
    # Set for a fact that holds personal data: its row is sealed until the relay sends it.
    sealed: bool = False
    event_id: UUID = field(default_factory=new_id)


def storage_is_away(error: BaseException) -> bool:
    """Whether an error means that the database cannot do it now, rather than a wrong statement.

    It cannot be reached, has no room left, or broke off one of two transactions that stood in each
    other's way: the same again may work. So does one whose clock is not ours: nothing is decided
    there, and nothing given up.
    """
    if isinstance(error, ClockUnsure | PoolTimeout):
        return True
    if isinstance(error, DBAPIError):
        if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
            return True
        state = str(getattr(error.orig, "sqlstate", "") or "")
        return state.startswith(_AWAY_CLASSES) or state in _AWAY_STATES
    return isinstance(error, OSError | asyncio.TimeoutError)


class Tx:
    """An open transaction. Facts and audit entries are kept and written just before the commit."""

    def __init__(
        self, connection: AsyncConnection, scope: Scope, keyring: Keyring, clock: Clock
    ) -> None:
        self.scope = scope
        self._connection = connection
        self._keyring = keyring
        self._clock = clock
        self._events: list[dict[str, Any]] = []
        self._audit: list[dict[str, Any]] = []

    async def execute(self, statement: Executable, rows: Any = None) -> CursorResult[Any]:
        return await self._connection.execute(statement, rows)

    async def scalar(self, statement: Executable) -> Any:
        return await self._connection.scalar(statement)

    async def now(self) -> datetime:
        """The database's moment. Raises ClockUnsure when its clock is not ours."""
        asked_at = self._clock()
        theirs: datetime = await self._connection.scalar(_NOW)
        if _apart(asked_at, theirs, self._clock()) > CLOCK_TOLERANCE_SECONDS:
            raise ClockUnsure
        return theirs

    async def once(self, caller: str, request_id: UUID, content: bytes) -> bool:
        """True the first time a caller uses an id; False for the same content again.

        Raises IdReused for other content. Two at once: the second waits for the first's commit.
        """
        fingerprint = hashlib.sha256(content).digest()
        added = await self.execute(
            insert(tables.requests)
            .values(caller=caller, request_id=request_id, fingerprint=fingerprint)
            .on_conflict_do_nothing()
        )
        if added.rowcount:
            return True
        known = await self.scalar(
            select(tables.requests.c.fingerprint).where(
                tables.requests.c.caller == caller, tables.requests.c.request_id == request_id
            )
        )
        if bytes(known) != fingerprint:
            raise IdReused
        return False

    def emit(self, fact: Event) -> None:
        """The only way to publish."""
        story = fact.story or current_story()
        with span(
            f"publish {fact.subject}",
            kind=SpanKind.PRODUCER,
            story=story,
            attributes={
                "messaging.system": "nats",
                "messaging.destination.name": fact.subject,
                "tartip.event": str(fact.event_id),
            },
        ):
            parent = traceparent()
        self._events.append(
            {
                "event_id": fact.event_id,
                "subject": fact.subject,
                "aggregate": fact.aggregate,
                "version": fact.version,
                "region": fact.region,
                "story": story,
                "traceparent": parent,
                "sealed": fact.sealed,
                "payload": self._payload(fact),
            }
        )

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

        What is confidential is sealed like the rest and seen by no auditor.
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
        """Durable work: `kind` is done for `key` once, at or after `due_at`."""
        await self.execute(
            insert(tables.work)
            .values(
                kind=kind, key=key, due_at=due_at, traceparent=traceparent(), story=current_story()
            )
            .on_conflict_do_nothing()
        )

    async def reschedule(self, kind: str, key: str, due_at: datetime) -> None:
        """The same at another moment, and again where it was done already."""
        again = {"due_at": due_at, "attempts": 0, "leased_until": None, "last_error": None,
                 "done_at": None}  # fmt: skip
        row = {"kind": kind, "key": key, "traceparent": traceparent(), "story": current_story()}
        await self.execute(
            insert(tables.work)
            .values(**row, due_at=due_at)
            .on_conflict_do_update(index_elements=["kind", "key"], set_=again)
        )

    async def new_data_key(self, key_class: str) -> DataKey:
        """A key for one object."""
        return await self._store_key(key_class, None)

    async def data_key_of(self, key_class: str, person: str) -> DataKey:
        """The key of a person, named by a high-entropy value such as an IIN; made at first need."""
        index = self.blind_index(key_class, "person", person)
        found = await self._find_key(tables.data_keys.c.person == index, key_class)
        return found or await self._store_key(key_class, index)

    async def data_key(self, key_class: str, key_id: UUID) -> DataKey:
        """Raises KeyError when it was destroyed."""
        found = await self._find_key(tables.data_keys.c.key_id == key_id, key_class)
        if found is None:
            raise KeyError(key_id)
        return found

    async def destroy_data_key(self, key_id: UUID) -> None:
        """Erases for good what was sealed with it, backups included."""
        await self.execute(
            update(tables.data_keys)
            .where(tables.data_keys.c.key_id == key_id)
            .values(wrapped=None, destroyed_at=self._clock())
        )

    def blind_index(self, key_class: str, field_name: str, value: str) -> bytes:
        return self._keyring.blind_index(key_class, field_name, value)

    def _payload(self, fact: Event) -> bytes:
        content = fact.message.SerializeToString()
        if not fact.sealed:
            return content
        return self._keyring.own_key("outbox").seal(content, payload_place(fact.event_id))

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
        events, self._events = self._events, []
        audit, self._audit = self._audit, []
        if events:
            await self.execute(insert(tables.outbox), events)
        if audit:
            await self.execute(insert(tables.audit), audit)
            pending = [{"entry_id": row["entry_id"]} for row in audit]
            await self.execute(insert(tables.audit_pending), pending)

    async def _find_key(self, condition: Any, key_class: str) -> DataKey | None:
        row = (
            await self.execute(
                select(tables.data_keys).where(condition, tables.data_keys.c.key_class == key_class)
            )
        ).one_or_none()
        if row is None or row.wrapped is None:
            return None
        return self._keyring.unwrap(key_class, row.key_id, row.wrapped)

    async def _store_key(self, key_class: str, person: bytes | None) -> DataKey:
        key = self._keyring.new_data_key(key_class)
        added = await self.execute(
            insert(tables.data_keys)
            .values(key_id=key.key_id, key_class=key_class, person=person, wrapped=key.wrapped)
            .on_conflict_do_nothing()
        )
        if added.rowcount:
            return key
        other = await self._find_key(tables.data_keys.c.person == person, key_class)
        if other is None:  # the person was erased: nothing may be kept under that name again
            raise KeyError("erased")
        return other


def payload_place(event_id: UUID) -> str:
    return f"outbox.payload:{event_id}"


class Database:
    """The pool of one process and the transactions on it."""

    def __init__(
        self, url: str, *, service: str, keyring: Keyring, clock: Clock, pool_size: int = 4
    ) -> None:
        self._engine = create_async_engine(
            url.replace("postgresql://", "postgresql+asyncpg://", 1),
            pool_size=pool_size,
            max_overflow=4,
            pool_timeout=5,
            pool_recycle=1800,
            pool_pre_ping=True,
            connect_args={"timeout": 5, "server_settings": tables.session_settings(service)},
        )
        self.keyring = keyring
        self._clock = clock
        self._clock_is_sure = True

    @property
    def engine(self) -> AsyncEngine:
        return self._engine

    @property
    def clock(self) -> Clock:
        return self._clock

    @asynccontextmanager
    async def begin(self, scope: Scope) -> AsyncIterator[Tx]:
        """One transaction under `scope`; commits when the block ends, rolls back if it raises."""
        if not self._clock_is_sure:
            raise ClockUnsure
        async with self._engine.connect() as connection, connection.begin():
            token = _in_transaction.set(True)
            try:
                await connection.execute(
                    _SET_SCOPE,
                    {
                        "kind": scope.kind,
                        "name": scope.name,
                        "regions": ",".join(scope.regions),
                        "roles": ",".join(scope.roles),
                    },
                )
                tx = Tx(connection, scope, self.keyring, self._clock)
                yield tx
                await tx.flush()
            finally:
                _in_transaction.reset(token)

    async def ping(self) -> None:
        """Raises when the database cannot be reached, or ClockUnsure when its clock is not ours."""
        async with self._engine.connect() as connection:
            asked_at = self._clock()
            theirs = await connection.scalar(_NOW)
            told_at = self._clock()
        apart = _apart(asked_at, theirs, told_at)
        self._clock_is_sure = apart <= CLOCK_TOLERANCE_SECONDS
        if not self._clock_is_sure:
            log.error("the database's clock is %.1f s from ours: nothing is decided", apart)
            raise ClockUnsure

    @asynccontextmanager
    async def singleton(self, name: str) -> AsyncIterator[AsyncConnection]:
        """Waits until this process alone in its schema holds `name`; gives the holding connection.

        The lock lives and dies with the connection, so whoever lost it learns at the next query.
        """
        connection = await self._engine.connect()
        try:
            connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
            while not await connection.scalar(_TRY_LOCK, {"name": name}):  # noqa: ASYNC110
                await asyncio.sleep(1.0)  # another process holds it: nothing here can signal
            yield connection
        finally:
            # Never back into the pool: the lock would go with it.
            await connection.invalidate()
            await connection.close()

    async def close(self) -> None:
        await self._engine.dispose()


async def require_held(connection: AsyncConnection) -> None:
    """Raises when the connection of a singleton, and so its lock, was lost."""
    await connection.execute(text("SELECT 1"))


def _apart(asked_at: datetime, theirs: datetime, told_at: datetime) -> float:
    """Theirs lies between ours if the clocks agree, however long the answer took."""
    return max((asked_at - theirs).total_seconds(), (theirs - told_at).total_seconds())


_NOW: Any = select(tables.service_now)
_SET_SCOPE = text(
    "SELECT set_config('app.kind', :kind, true), set_config('app.name', :name, true),"
    " set_config('app.regions', :regions, true), set_config('app.roles', :roles, true)"
)
_TRY_LOCK = text(
    "SELECT pg_try_advisory_lock(hashtextextended(current_schema() || ':' || :name, 0))"
)


def canonical_json(value: dict[str, Any]) -> bytes:
    """RFC 8785; for what is signed or compared."""
    return rfc8785.dumps(json.loads(json.dumps(value)))
