"""Indexes the texts of registered reports in batches, about a second after registration, so that no
call waits for the index. Only one process at a time, the holder of a lease, does this.

The process also indexes all reports that are not indexed yet, at its start and every hour: older
ones, and those that were missed.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from chassis.clock import Clock
from chassis.db import Database, storage_is_away
from chassis.transaction import SYSTEM
from host.leases import hold

from citizen_reports.model.stems import stems_of
from citizen_reports.storage import text_index
from citizen_reports.storage.text_index import Registered

LOOK_SECONDS = 1.0
WHOLE_EVERY = timedelta(hours=1)  # tidy: our own promise, not a term
# Each search for new reports begins so long before the last one: a transaction may have committed
# later than its report's time of registration.
OVERLAP = timedelta(seconds=10)  # tidy: our own promise, not a term
LOOKED_AT = 2000
BATCH = 20
log = logging.getLogger(__name__)


class TextIndex:
    """The background loop that indexes texts. `db` must use the log-in for background work."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def run(self) -> None:
        """Index reports until cancelled, while this process holds the lease. Raises LeaseLost."""
        async with hold(self._db, "text index"):
            whole_at = since = self._clock()
            while True:
                now = self._clock()
                is_whole = now >= whole_at
                if await self._index_patiently(None if is_whole else since - OVERLAP):
                    since, whole_at = now, now + WHOLE_EVERY if is_whole else whole_at
                await asyncio.sleep(LOOK_SECONDS)

    async def _index_patiently(self, since: datetime | None) -> bool:
        """Index the reports registered from `since` on, or all for None. Returns False if the
        database is unavailable."""
        try:
            await (self.index_all() if since is None else self.index_new(since))
        except Exception as error:
            if not storage_is_away(error):
                raise
            log.warning("texts are indexed later: %s", type(error).__name__)
            return False
        return True

    async def index_all(self) -> int:
        """Index all reports that are not indexed yet; return the number of indexed reports."""
        indexed, after = 0, None
        while True:
            async with self._db.begin(SYSTEM) as tx:
                found, after = await text_index.page_to_index(tx, after, LOOKED_AT)
            indexed += await self._index(found)
            if after is None:
                return indexed

    async def index_new(self, since: datetime) -> int:
        """Index all reports registered from `since` on; return the number of indexed reports."""
        indexed = 0
        after: Registered | None = (since, UUID(int=0))
        while after is not None:
            async with self._db.begin(SYSTEM) as tx:
                found, after = await text_index.new_to_index(tx, after, LOOKED_AT)
            indexed += await self._index(found)
        return indexed

    async def _index(self, report_ids: Sequence[UUID]) -> int:
        indexed = 0
        for start in range(0, len(report_ids), BATCH):
            indexed += await self._index_batch(report_ids[start : start + BATCH])
        return indexed

    async def _index_batch(self, report_ids: Sequence[UUID]) -> int:
        async with self._db.begin(SYSTEM) as tx:
            found = await text_index.texts_to_index(tx, report_ids)
        # In another thread, since the stems of long texts take tens of milliseconds.
        texts = {each.report.report_id: each.text for each in found}
        stems = await asyncio.to_thread(_stems_of_all, texts)
        async with self._db.begin(SYSTEM) as tx:
            locked = await text_index.lock_to_index(tx, list(stems))
            for report in locked:
                text_index.add_stems(tx, report, stems[report.report_id])
        return len(locked)


def _stems_of_all(texts: dict[UUID, str]) -> dict[UUID, frozenset[str]]:
    return {report_id: stems_of(text) for report_id, text in texts.items()}
