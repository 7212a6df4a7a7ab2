"""Leases, by which only one process of a service at a time does certain work, such as publishing.

    async with hold(db, "relay") as lease:
        async with lease.begin(SYSTEM) as tx:  # raises LeaseLost once another process holds it
            await tx.execute(...)

The holder renews its lease every `RENEW_SECONDS`. If the holder stops or loses the database, a
waiting process takes the lease over after `EXPIRY_SECONDS`, with the next generation (a fencing
token). `Lease.begin` opens every transaction of the work. It checks the generation and locks the
lease's row until the transaction ends: a take-over waits for the end, and a former holder that
resumes late writes nothing. The database ends such a transaction if it is idle for `IDLE_SECONDS`.
Effects outside of the database are not fenced, so they must be safe to repeat.

Expiry is measured by the database's own clock, since `service_now()` may be moved and differ
between processes. If the database's clock jumps, a living holder may lose its lease, but two
holders never both write. After a jump back, a lease may expire more than `EXPIRY_SECONDS` in the
future. Such a lease counts as expired.
"""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from chassis.db import Database, storage_is_away
from chassis.transaction import Scope, Tx
from sqlalchemy import BigInteger, Column, DateTime, MetaData, Table, Text, TextClause, text

from host.schema import Operations, grant

EXPIRY_SECONDS = 6
RENEW_SECONDS = 2.0
RENEWAL_TIMEOUT_SECONDS = 1.5  # so that a second attempt fits before the expiry
POLL_SECONDS = 1.0
IDLE_SECONDS = 4
log = logging.getLogger(__name__)

leases = Table(
    "leases",
    MetaData(),
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)


def install_leases(op: Operations, runtime_role: str) -> None:
    """Create the table `leases` in a migration, and grant `runtime_role` its rights on it."""
    leases.create(op.get_bind())
    grant(op, leases.name, "SELECT, INSERT, UPDATE", runtime_role)


class LeaseLost(Exception):
    """Another process has taken the lease over; the transaction wrote nothing."""


class Lease:
    """A lease that this process holds; `begin` opens the transactions of the protected work."""

    def __init__(self, db: Database, name: str, generation: int) -> None:
        self.name = name
        self.generation = generation
        self._db = db
        self._values = {"name": name, "generation": generation}
        self._fence = _FENCE.bindparams(**self._values)

    @asynccontextmanager
    async def begin(self, scope: Scope) -> AsyncIterator[Tx]:
        """Run the block in a transaction under `scope`, as `Database.begin` does.

        Raises LeaseLost if another process has taken the lease over, or if `release` was called.
        """
        async with self._db.begin(scope) as tx:
            if await tx.scalar(self._fence) is None:
                raise LeaseLost(self.name)
            yield tx

    async def keep(self) -> None:
        """Renew the lease until cancelled. Raises LeaseLost once another process holds it.

        While the database is unavailable the lease may expire, but nobody can take it either.
        """
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                async with asyncio.timeout(RENEWAL_TIMEOUT_SECONDS):
                    is_renewed = await _scalar(self._db, _RENEW, self._values) is not None
            except Exception as error:
                if not storage_is_away(error):
                    raise
                log.warning("lease %s is not renewed: %s", self.name, type(error).__name__)
                continue
            if not is_renewed:
                raise LeaseLost(self.name)

    async def release(self) -> None:
        """Give the lease up, so that another process can take it at once.

        If the database is unavailable, the lease expires instead.
        """
        try:
            async with asyncio.timeout(RENEWAL_TIMEOUT_SECONDS):
                await _scalar(self._db, _RELEASE, self._values)
        except Exception as error:
            if not storage_is_away(error):
                raise
            log.warning("lease %s is not released: %s", self.name, type(error).__name__)


@asynccontextmanager
async def hold(db: Database, name: str) -> AsyncIterator[Lease]:
    """Wait for the lease `name` of this database schema; hold it while the block runs.

    If another process takes the lease over, the block is cancelled and LeaseLost is raised.
    """
    lease = Lease(db, name, await _taken(db, name))
    try:
        async with asyncio.TaskGroup() as group:
            heartbeat = group.create_task(lease.keep())
            try:
                yield lease
            finally:
                heartbeat.cancel()
    except BaseExceptionGroup as failed:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from failed
        raise failed.exceptions[0] from None  # the error as the block or the heartbeat raised it
    finally:
        await lease.release()


async def _taken(db: Database, name: str) -> int:
    """Wait until the lease is free or expired, take it, and return its new generation."""
    holder = f"{socket.gethostname()}/{os.getpid()}"
    await _scalar(db, _ADD, {"name": name})
    taken = {"name": name, "holder": holder}
    while (generation := await _scalar(db, _TAKE, taken)) is None:  # noqa: ASYNC110
        await asyncio.sleep(POLL_SECONDS)  # another process holds it: nothing here can signal
    log.info("lease %s is taken, generation %s", name, generation)
    return int(generation)


async def _scalar(db: Database, statement: TextClause, values: Mapping[str, Any]) -> Any:
    """Execute a statement in a transaction of its own; the first column of its first row."""
    async with db.engine.connect() as connection:
        return await connection.scalar(statement, values)


_ADD = text(
    "INSERT INTO leases (name, holder, generation, expires_at) VALUES (:name, '', 0, '-infinity')"
    " ON CONFLICT DO NOTHING RETURNING name"
)
_SERVER_NOW = "clock_timestamp()"  # tidy: of the server, for all processes alike
_EXPIRY = f"{_SERVER_NOW} + interval '{EXPIRY_SECONDS} seconds'"
# FOR UPDATE excludes the transactions that hold the row by `_FENCE`; renewals do not.
_TAKE = text(
    "WITH free AS (SELECT name FROM leases WHERE name = :name"
    f" AND expires_at NOT BETWEEN {_SERVER_NOW} AND {_EXPIRY} FOR UPDATE SKIP LOCKED)"
    f" UPDATE leases SET holder = :holder, generation = generation + 1, expires_at = {_EXPIRY}"
    " FROM free WHERE leases.name = free.name RETURNING generation"
)
_RENEW = text(
    f"UPDATE leases SET expires_at = {_EXPIRY} WHERE name = :name AND generation = :generation"
    " RETURNING name"
)
_RELEASE = text(
    "UPDATE leases SET holder = '', expires_at = '-infinity'"
    " WHERE name = :name AND generation = :generation RETURNING name"
)
_FENCE = text(
    f"SELECT set_config('idle_in_transaction_session_timeout', '{IDLE_SECONDS}s', true)"
    " FROM leases WHERE name = :name AND generation = :generation AND holder <> ''"
    " FOR KEY SHARE"
)
