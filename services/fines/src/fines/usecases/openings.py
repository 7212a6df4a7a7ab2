"""Opening one fine for an operator.

A fine of another region is answered like one that does not exist; that he asked is recorded, and
internal security is told.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from audit_log.attempts import Attempts, Record
from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.transaction import Tx

from fines.events import access_refused
from fines.model.refusals import FineNotFound
from fines.storage import fines


class Openings:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._attempts = Attempts(db, clock, access_refused)

    @asynccontextmanager
    async def begin(self, number: str, caller: Caller) -> AsyncIterator[Tx]:
        """A transaction that opens one fine for the caller."""

        async def find(tx: Tx) -> Record | None:
            region = await fines.region_of(tx, number)
            return None if region is None else Record(asked, region)

        asked = f"fine:{number}"
        async with (
            self._attempts.recorded(caller, asked, find, FineNotFound),
            self._db.begin(caller.scope) as tx,
        ):
            yield tx
