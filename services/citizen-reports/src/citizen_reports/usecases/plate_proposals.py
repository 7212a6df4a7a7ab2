"""Scheduled work that reads plates in photographs of traffic violations, for operators to judge.

The handler may run more than once for one photograph. While the models are unavailable or busy, the
handler raises, and is called again later.
"""

import logging
from typing import Protocol
from uuid import UUID

from chassis.db import Database
from chassis.refusals import Kind, Refusal
from chassis.transaction import SYSTEM

from citizen_reports.model.media import Media
from citizen_reports.model.proposed_plates import ProposedPlate, surest, wants_plates
from citizen_reports.storage import contents, proposed_plates, reports
from citizen_reports.usecases.recording import audit, bind_trace

PROPOSE_PLATES = "propose_plates"
# The gateway has no such photograph, or no model can examine it: another try would find the same.
# Everything else is tried again, damaged evidence too, since its bytes may be restored.
_UNREADABLE = frozenset({Kind.NOT_FOUND, Kind.STATE, Kind.INVALID})
log = logging.getLogger(__name__)


class PlateReader(Protocol):
    async def read_plates(self, item: Media) -> list[ProposedPlate]:
        """Return the plates read in a photograph of the evidence store. Raises a Refusal."""
        ...


class PlateProposals:
    def __init__(self, db: Database, reader: PlateReader) -> None:
        self._db = db
        self._reader = reader

    async def propose(self, key: str) -> None:
        """Read the plates in a photograph, and store those of the highest confidence. Does nothing
        if that was done before, or `wants_plates` is False now. `key` is "report id:media id"."""
        report_id, media_id = map(UUID, key.split(":"))
        async with self._db.begin(SYSTEM) as tx:
            report = await reports.get(tx, report_id)
            bind_trace(report)
            item = await contents.find_media(tx, report_id, media_id)
            is_done = await proposed_plates.was_read(tx, report_id, media_id)
        if item is None or is_done or not wants_plates(report, item):
            return
        plates = surest(await self._read(item))
        async with self._db.begin(SYSTEM) as tx:
            report = await reports.get_for_update(tx, report_id)
            report_key = await contents.find_report_key(tx, report_id)
            if report_key is None:
                return
            proposed_plates.add_plates(tx, report_id, media_id, plates, report_key)
            audit(tx, "propose_plates", report, media=str(media_id), plates=str(len(plates)))

    async def _read(self, item: Media) -> list[ProposedPlate]:
        """The plates that the models read; [] if the photograph cannot be examined."""
        try:
            return await self._reader.read_plates(item)
        except Refusal as refusal:
            if refusal.kind not in _UNREADABLE:
                raise
            log.warning("no plate is read in a photograph: %s", refusal.reason)
            return []
