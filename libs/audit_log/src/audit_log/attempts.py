"""Audits attempts to open records hidden from the caller, and reports them to internal security.

A caller who asks for a hidden record gets "not found", as for a record that does not exist.
Attempts to open a record that does not exist are audited too. Both cases take the same steps:
neither the answer nor the time that it takes reveals whether the record exists.
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

    If the field `confidential` is true, no auditor sees attempts to open the record.
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

        `asked` is the requested record as "type:id". `find` looks up this record among all records,
        including those hidden from the caller. Nothing is recorded for a service that calls on its
        own behalf rather than for an operator.
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
