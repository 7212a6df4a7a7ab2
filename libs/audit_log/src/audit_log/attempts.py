"""Audits attempts to open records hidden from the caller, and reports them to internal security.

The caller gets "not found", as for a record that does not exist; attempts to open such records are
audited too. Both cases take the same steps, so that neither the answer nor its timing reveals
whether the record exists.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.audit_entry import HIDDEN, OPEN_REFUSED, UNKNOWN
from chassis.clock import Clock
from chassis.db import Database
from chassis.event import Event
from chassis.identity import Caller
from chassis.refusals import Refusal
from chassis.transaction import SYSTEM, Tx


@dataclass(frozen=True)
class Record:
    """A record that a caller asked for, named by `object_ref` ("type:id").

    If it is `confidential`, no auditor sees attempts to open it.
    """

    object_ref: str
    region: str = ""
    confidential: bool = False


@dataclass(frozen=True)
class Attempt:
    attempt_id: UUID
    region: str
    attempted_at: datetime


# Finds a record in a transaction that sees every row; None if it does not exist.
Find = Callable[[Tx], Awaitable[Record | None]]


class Attempts:
    def __init__(self, db: Database, clock: Clock, event: Callable[[Attempt], Event]) -> None:
        self._db = db
        self._clock = clock
        self._event = event

    @asynccontextmanager
    async def recorded(
        self, caller: Caller, asked: str, find: Find, *refusals: type[Refusal]
    ) -> AsyncIterator[None]:
        """Run a block; if it raises one of `refusals`, record an attempt and re-raise the refusal.

        `asked` is the requested record as "type:id"; `find` looks it up among all records, also
        those hidden from the caller. Nothing is recorded for a service that calls on its own behalf
        rather than for an operator.
        """
        try:
            yield
        except refusals:
            if caller.operator is not None or caller.kind != "service":
                await self._record(caller, asked, find)
            raise

    async def _record(self, caller: Caller, asked: str, find: Find) -> None:
        async with self._db.begin(SYSTEM) as tx:
            hidden = await find(tx)
        record, at = hidden or Record(asked), self._clock()
        async with self._db.begin(caller.scope) as tx:
            entry = tx.audit(
                OPEN_REFUSED,
                record.object_ref,
                region=record.region,
                facts={"record": HIDDEN if hidden else UNKNOWN},
                confidential=record.confidential,
            )
            if hidden:
                tx.emit(self._event(Attempt(entry.entry_id, hidden.region, at)))
