"""Updates the stored counts of cameras about once a second, so that statistics stay quick."""

import asyncio
from contextlib import AbstractAsyncContextManager

from chassis.db import Database
from chassis.transaction import SYSTEM
from host.leases import Lease, hold

from camera_registry.storage import cell_counts
from camera_registry.storage.counts import FOLDED_AT_ONCE, fold_changes

PAUSE_SECONDS = 1.0


class Tally:
    """Adds recorded changes to the stored counts of cameras, by region and by H3 cell.

    The database records each change. Statistics include the changes that are not yet added, so they
    are exact even while no update runs.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def alone(self) -> AbstractAsyncContextManager[Lease]:
        """Return a context manager that waits until no other replica updates the counts.

        It yields a lease, the exclusive right to update the counts, and releases the lease at the
        end.
        """
        return hold(self._db, "tally")

    async def run(self) -> None:
        async with self.alone() as lease:
            while True:
                if not await self.fold(lease):
                    await asyncio.sleep(PAUSE_SECONDS)

    async def fold(self, lease: Lease) -> bool:
        """Add the oldest recorded changes to the stored counts; return whether more changes may be
        left."""
        async with lease.begin(SYSTEM) as tx:
            is_more = await fold_changes(tx) >= FOLDED_AT_ONCE
        async with lease.begin(SYSTEM) as tx:
            return await cell_counts.fold_changes(tx) >= cell_counts.FOLDED_AT_ONCE or is_more
