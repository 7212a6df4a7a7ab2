"""Adds the changes of the counts of cameras to the stored counts, to keep statistics quick."""

import asyncio
from contextlib import AbstractAsyncContextManager

from chassis.db import Database
from chassis.transaction import SYSTEM
from host.leases import Lease, hold

from camera_registry.storage.counts import FOLDED_AT_ONCE, fold_changes

PAUSE_SECONDS = 1.0


class Tally:
    """Adds the changes of the counts of cameras to the counts, again and again.

    Statistics sum up both, so they are exact whether it runs or not.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def alone(self) -> AbstractAsyncContextManager[Lease]:
        """Return a context manager that waits until no other replica adds changes to the counts.

        It yields a lease, the exclusive right to do so, and releases it at the end.
        """
        return hold(self._db, "tally")

    async def run(self) -> None:
        async with self.alone() as lease:
            while True:
                if not await self.fold(lease):
                    await asyncio.sleep(PAUSE_SECONDS)

    async def fold(self, lease: Lease) -> bool:
        """Add the oldest changes to the counts; return whether there may be more."""
        async with lease.begin(SYSTEM) as tx:
            return await fold_changes(tx) >= FOLDED_AT_ONCE
