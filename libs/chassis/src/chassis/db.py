"""The database: one connection pool per process, one explicit transaction per decision.

    async with db.begin(caller.scope) as tx:
        row = (await tx.execute(select(...))).one()
        tx.emit(event)         # adds an outbox row to this transaction
        tx.audit("…", …)       # adds an audit row to this transaction
    # committed here, before any reply

A transaction runs under a `Scope` (the caller, its regions and roles), which row-level security
reads. While it is open, no other service may be called; the gRPC client interceptors check this.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any
from uuid import UUID

import asyncpg
import rfc8785
from sqlalchemy import event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util import greenlet_spawn
from statements import scopes
from statements.reads import Read
from statements.shared_commits import SharedCommits
from statements.writes import RowExists as RowExists
from statements.writes import Writes, write
from vault.keyring import Keyring

from chassis import tables
from chassis.clock import Clock
from chassis.idempotency import require_same_content
from chassis.refusals import ClockUnsure
from chassis.transaction import (
    CLOCK_TOLERANCE_SECONDS,
    DATABASE_TIME,
    Scope,
    Tx,
    driver_of,
    seconds_apart,
)

# SQLSTATE: no connection, a shutdown, no room (disk, memory, connections), a failing disk, a
# transaction broken off for another's sake; then an idle session's end, a statement cut short and
# a lock not got in time.
_AWAY_CLASSES = ("08", "57P", "53", "58", "40")
_AWAY_STATES = frozenset({"25P03", "57014", "55P03"})
# A statement without an answer. A living server ends it earlier, by `statement_timeout`.
COMMAND_SECONDS = 10.0
# Audit entries whose ids are kept for `committed_entries`.
COMMITTED_MAX = 100_000
log = logging.getLogger(__name__)
_in_transaction: ContextVar[bool] = ContextVar("in_transaction", default=False)


def in_transaction() -> bool:
    """Whether this task has a transaction open."""
    return _in_transaction.get()


def storage_is_away(error: BaseException) -> bool:
    """Whether an error means that the database is unavailable now, not that a statement is wrong.

    True if the database cannot be reached, has no room left, timed out or aborted one of two
    conflicting transactions, so that a retry may succeed. Also true for ClockUnsure: the database's
    clock differs from this process's clock.
    """
    if isinstance(error, ClockUnsure | PoolTimeout):
        return True
    if isinstance(error, DBAPIError):
        if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
            return True
        return _means_away(error.orig)
    # SQLAlchemy's, if no connection could be made; InternalClientError, if the server ended it.
    unmade = AsyncAdapt_asyncpg_dbapi
    if isinstance(error, asyncpg.PostgresError | unmade.Error):
        return _means_away(error) or isinstance(error, unmade.InterfaceError)
    return isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError | OSError)


def _means_away(error: BaseException | None) -> bool:
    state = str(getattr(error, "sqlstate", "") or "")
    return state.startswith(_AWAY_CLASSES) or state in _AWAY_STATES


class CountingPool(AsyncAdaptedQueuePool):
    """A connection pool that counts, in `awaited`, the tasks that wait for a connection."""

    awaited = 0

    def _do_get(self) -> Any:
        self.awaited += 1
        try:
            return super()._do_get()
        finally:
            self.awaited -= 1


class Database:
    """The connection pool of one process, and its transactions."""

    def __init__(
        self, url: str, *, service: str, keyring: Keyring, clock: Clock, pool_size: int = 8
    ) -> None:
        self._engine = create_async_engine(
            url.replace("postgresql://", "postgresql+asyncpg://", 1),
            poolclass=CountingPool,
            pool_size=pool_size,
            max_overflow=0,  # a connection made for one call costs more than the call
            pool_timeout=5,
            pool_recycle=1800,
            # `begin` writes BEGIN itself, with the scope, in one round trip.
            isolation_level="AUTOCOMMIT",
            connect_args={
                "timeout": 5,
                "command_timeout": COMMAND_SECONDS,
                "server_settings": tables.session_settings(service),
            },
        )
        event.listen(self._engine.sync_engine, "checkout", _refuse_closed)
        self.keyring = keyring
        self._clock = clock
        self._clock_is_sure = True
        # By how much the clocks were apart at the last ping; never negative.
        self.clock_skew_seconds = 0.0
        self._committed: list[UUID] = []
        self._shared_commits = SharedCommits(self._write_together, concerns_all=storage_is_away)

    @property
    def engine(self) -> AsyncEngine:
        """SQLAlchemy's engine, for statements outside of a `Tx`."""
        return self._engine

    @property
    def pool(self) -> CountingPool:
        """The connection pool, for measurements."""
        pool = self._engine.pool
        assert isinstance(pool, CountingPool)
        return pool

    @property
    def clock(self) -> Clock:
        """The clock that the service uses, usually `clock.system_clock`."""
        return self._clock

    @asynccontextmanager
    async def begin(self, scope: Scope, *, shared: bool = False) -> AsyncIterator[Tx]:
        """Run the block in a transaction under `scope`; commit at its end, roll back on error.

        With `shared`, a block that executes no statement may be committed together with other
        blocks under the same scope. Raises ClockUnsure after a `ping` raised it, until a later
        `ping` succeeds.
        """
        if not self._clock_is_sure:
            raise ClockUnsure
        async with AsyncExitStack() as stack:

            async def connect() -> AsyncConnection:
                connection = await stack.enter_async_context(self._engine.connect())
                await stack.enter_async_context(_transaction(connection, scope))
                return connection

            token = _in_transaction.set(True)
            try:
                tx = Tx(connect, scope, self.keyring, self._clock)
                yield tx
                if tx.connection is not None:
                    await tx.flush()
                elif writes := tx.taken():
                    is_met = await self._write(scope, writes, shared=shared)
                    tx.was_first = tx.was_current = is_met
            finally:
                _in_transaction.reset(token)
        if tx.was_first and tx.was_current:
            self._committed += tx.entries[: COMMITTED_MAX - len(self._committed)]

    def committed_entries(self) -> list[UUID]:
        """Return the ids of the audit entries committed since the last call, at most COMMITTED_MAX.

        If more were committed, the latest are left out.
        """
        taken, self._committed = self._committed, []
        return taken

    async def _write(self, scope: Scope, writes: Writes, *, shared: bool) -> bool:
        """Commit writes by one statement; return whether their condition was met: that the request
        id is new, or that the row to replace is unchanged."""
        if shared:
            is_new = await self._shared_commits.write(scope, writes)
        else:
            is_new = bool(await self._write_together(scope, [writes]))
        if writes.request is not None and not is_new:
            async with self._engine.connect() as connection:
                await require_same_content(connection, writes.request)
        return is_new

    async def read(self, scope: Scope, select: Read, **values: Any) -> list[Any]:
        """Execute a prepared SELECT; return the rows that `scope` may see, in a single round trip.

        `values` are the parameters; rows are named tuples. Raises ClockUnsure as `begin` does.
        """
        if not self._clock_is_sure:
            raise ClockUnsure
        async with self._driver() as driver:
            return await select.rows_under(driver, scope.settings, **values)

    async def _write_together(self, scope: Scope, together: Sequence[Writes]) -> set[int]:
        async with self._driver() as driver:
            return await write(driver, scope.settings, together)

    @asynccontextmanager
    async def _driver(self) -> AsyncIterator[Any]:
        """A connection of asyncpg for a single statement, without SQLAlchemy's cost of one."""
        lent = await greenlet_spawn(self._engine.sync_engine.raw_connection)
        driver: Any = lent.driver_connection
        try:
            yield driver
        except (asyncio.CancelledError, asyncpg.InternalClientError):
            driver.terminate()  # it may be in the middle of an answer, or at its end
            raise
        finally:
            await greenlet_spawn(lent.close)

    async def ping(self) -> None:
        """Check that the database answers and that its clock agrees with this process's.

        Raises a database error or ClockUnsure. After ClockUnsure, `begin` and `read` raise it too,
        until a later `ping` succeeds.
        """
        async with self._engine.connect() as connection:
            asked_at = self._clock()
            theirs = await connection.scalar(DATABASE_TIME)
            answered_at = self._clock()
        apart = seconds_apart(asked_at, theirs, answered_at)
        self.clock_skew_seconds = max(0.0, apart)
        self._clock_is_sure = apart <= CLOCK_TOLERANCE_SECONDS
        if not self._clock_is_sure:
            log.error("the database's clock is %.1f s from ours: nothing is decided", apart)
            raise ClockUnsure

    async def close(self) -> None:
        """Close the pool."""
        await self._engine.dispose()


@asynccontextmanager
async def _transaction(connection: AsyncConnection, scope: Scope) -> AsyncIterator[None]:
    """Send BEGIN and the scope in one round trip; then COMMIT, or ROLLBACK if the block raises.

    The connection is closed if it is not certain that its transaction has ended.
    """
    begin = scopes.begin(tuple(scope.settings.items()))
    driver = driver_of(connection)
    ended = False
    try:
        await driver.execute(begin)
        try:
            yield
        except BaseException:
            with suppress(Exception):  # the caller learns the error of the block
                await driver.execute("ROLLBACK")
                ended = True
            raise
        # PostgreSQL answers ROLLBACK if an earlier statement failed and its error was suppressed.
        committed = await driver.execute("COMMIT")
        ended = True
        if committed != "COMMIT":
            raise RuntimeError(f"COMMIT was answered with {committed}")
    finally:
        if not ended:
            driver.terminate()


def _refuse_closed(connection: Any, record: Any, proxy: Any) -> None:
    """Have the pool replace a connection that the server has closed."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def canonical_json(value: dict[str, Any]) -> bytes:
    """Canonical JSON (RFC 8785) in UTF-8, for values that are signed or compared."""
    return rfc8785.dumps(json.loads(json.dumps(value)))
