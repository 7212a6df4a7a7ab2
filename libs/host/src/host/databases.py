"""A service's log-ins to its database schema, each with a connection pool of its own.

Each log-in is a database role with rights of its own (`host.log_ins`), so that no log-in can hide
what another one did. The log-in `calls` serves RPCs. The log-in `work` publishes events, handles
events of other services, and runs scheduled work and background loops. The log-in `seal` adds
waiting entries to the sealed audit log.

A service with sealed cases has one more log-in, `desk`, for calls that need none of these cases.
Row-level security hides them from this log-in whatever the session's scope is
(`schema.keep_from_desk`).
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chassis.clock import new_id, system_clock
from chassis.db import Database
from chassis.settings import PREFIX, Settings
from chassis.transaction import Scope, Tx
from statements.reads import Read
from vault.keyring import Keyring

CALLS_POOL, WORK_POOL, DESK_POOL = 8, 8, 8
# For the sealer's transaction and the heartbeat of its lease.
SEAL_POOL = 2
IsAtDesk = Callable[[Scope], bool]


class DividedCalls(Database):
    """The log-in `calls`, which leaves transactions to the log-in `desk` if `is_at_desk` is true of
    their scope."""

    def __init__(self, url: str, desk: Database, is_at_desk: IsAtDesk, **given: Any) -> None:
        """`given` are the further arguments of `Database`."""
        super().__init__(url, **given)
        self.desk = desk
        self._is_at_desk = is_at_desk

    @asynccontextmanager
    async def begin(self, scope: Scope, *, shared: bool = False) -> AsyncIterator[Tx]:
        begin = self.desk.begin if self._is_at_desk(scope) else super().begin
        async with begin(scope, shared=shared) as tx:
            yield tx

    async def read(self, scope: Scope, select: Read, **values: Any) -> list[Any]:
        if self._is_at_desk(scope):
            return await self.desk.read(scope, select, **values)
        return await super().read(scope, select, **values)

    def committed_entries(self) -> list[UUID]:
        """Return the audit entries committed since the last call, of both log-ins."""
        return super().committed_entries() + self.desk.committed_entries()

    async def ping(self) -> None:
        """Check both log-ins, as `Database.ping` does. Neither decides after ClockUnsure."""
        try:
            await self.desk.ping()
        finally:
            await super().ping()

    async def close(self) -> None:
        """Close both pools."""
        await self.desk.close()
        await super().close()


@dataclass(frozen=True)
class Databases:
    calls: Database
    work: Database
    seal: Database

    @classmethod
    def connect(
        cls, settings: Settings, *, service: str, is_at_desk: IsAtDesk | None = None
    ) -> "Databases":
        """Return the databases with the URLs in `settings`; they connect when first used.

        With `is_at_desk`, the scopes for which it is true use the log-in `desk`. Exits with a
        message that names the variables of missing URLs.
        """
        urls = {
            "database_url": settings.database_url,
            "work_database_url": settings.work_database_url,
            "seal_database_url": settings.seal_database_url,
        }
        if is_at_desk:
            urls["desk_database_url"] = settings.desk_database_url
        if missing := [PREFIX + name.upper() for name, url in urls.items() if not url]:
            raise SystemExit(f"{', '.join(missing)}: each log-in of {service} needs its URL")
        keyring = Keyring(settings.keys_dir, new_id=new_id)
        given: dict[str, Any] = {"service": service, "keyring": keyring, "clock": system_clock}

        def connect(url: str, size: int) -> Database:
            return Database(url, pool_size=size, **given)

        url, size = settings.database_url, CALLS_POOL
        if is_at_desk:
            desk = connect(settings.desk_database_url, DESK_POOL)
            calls: Database = DividedCalls(url, desk, is_at_desk, pool_size=size, **given)
        else:
            calls = connect(url, size)
        work = connect(settings.work_database_url, WORK_POOL)
        return cls(calls, work, connect(settings.seal_database_url, SEAL_POOL))

    @property
    def pools(self) -> dict[str, Database]:
        """The databases by the names that their pools have in metrics."""
        desk = {"desk": self.calls.desk} if isinstance(self.calls, DividedCalls) else {}
        return {**vars(self), **desk}

    async def close(self) -> None:
        """Close all pools."""
        for database in (self.calls, self.work, self.seal):
            await database.close()
