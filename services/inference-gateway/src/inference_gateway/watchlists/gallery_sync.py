"""Keeps the galleries of this process in sync with the watch-lists in the database.

Any instance of the service may change the watch-lists. Each instance checks once a second whether
the watch-lists have a new version; the instance that made a change reads it immediately. Faces are
searched for only after the watch-lists have been read completely once.
"""

import asyncio
import logging
from typing import Final

import numpy as np
from chassis.db import Database, storage_is_away
from chassis.transaction import SYSTEM
from cryptography.exceptions import InvalidTag
from vision.arrays import Floats
from vision.faces.recognition import TEMPLATE_LENGTH

from inference_gateway.watchlists import storage
from inference_gateway.watchlists.gallery import Near, RegionGallery, one_thread
from inference_gateway.watchlists.model import ListsAway
from inference_gateway.watchlists.storage import KEY_CLASS, Changed

LOOK_EVERY_SECONDS: Final = 1.0
BATCH: Final = 2000
LAST: Final = 2**63 - 1
log = logging.getLogger(__name__)


class GallerySync:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._regions: dict[str, RegionGallery] = {}
        self._version = 0
        self._reading = asyncio.Lock()
        self._is_read = False
        one_thread()

    async def keep_reading(self) -> None:
        while True:
            try:
                await self.refresh()
            except Exception as error:
                if not storage_is_away(error):
                    raise
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def refresh(self) -> None:
        """Read from the database what changed in the watch-lists since the last call, and apply the
        changes to the galleries."""
        async with self._reading:
            async with self._db.begin(SYSTEM) as tx:
                version = await storage.version(tx)
            if version > self._version:
                await self._take_in()
            self._is_read = True

    def require_read(self) -> None:
        """Raise ListsAway if the watch-lists have not been read completely yet."""
        if not self._is_read:
            raise ListsAway

    def is_searching(self, region: str) -> bool:
        """Whether a region has any entry in force. Raises ListsAway if the watch-lists have not
        been read yet."""
        self.require_read()
        return bool(len(self._regions.get(region, ())))

    async def search(self, region: str, queries: Floats, *, within: float) -> list[list[Near]]:
        """Search the gallery of a region, as `RegionGallery.search` does. Raises ListsAway if the
        watch-lists have not been read yet."""
        self.require_read()
        gallery = self._regions.get(region)
        if gallery is None:
            return [[] for _ in queries]
        return await asyncio.to_thread(gallery.search, queries, within=within)

    async def _take_in(self) -> None:
        after = (self._version, LAST)
        while True:
            async with self._db.begin(SYSTEM) as tx:
                rows = await storage.changed(tx, after=after, most=BATCH)
            await asyncio.to_thread(self._apply, rows)
            if rows:
                after = (rows[-1].change, rows[-1].number)
                self._version = rows[-1].change
            if len(rows) < BATCH:
                return

    def _apply(self, rows: list[Changed]) -> None:
        for row in rows:
            gallery = self._regions.setdefault(row.region, RegionGallery())
            template = self._template(row)
            if template is None:
                gallery.remove(row.number)
            else:
                gallery.add(row.number, template)
                template.fill(0.0)

    def _template(self, row: Changed) -> Floats | None:
        if row.sealed is None or row.wrapped is None:
            return None
        try:
            key = self._db.keyring.unwrap(KEY_CLASS, row.key_id, row.wrapped)
            plain = key.open(row.sealed, storage.template_place(row.entry_id))
            return np.frombuffer(plain, np.float32).reshape(TEMPLATE_LENGTH).copy()
        except (InvalidTag, ValueError):
            # One that was damaged keeps nobody else from being searched for.
            log.error("entry %s: its template does not open, it is not searched for", row.entry_id)
            return None
