"""Holds are placed and released for the service that owns the reason, which is not told here."""

from uuid import UUID

from chassis.clock import Clock
from chassis.db import Database
from chassis.refusals import IdReused
from chassis.transaction import SYSTEM

from inference_gateway.holds import storage
from inference_gateway.holds.model import EvidenceHold


class EvidenceHolds:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def place(self, hold: EvidenceHold) -> int:
        """Keep what a camera saw until the hold is released, and return how many frames with
        evidence that is now. Placing the same hold again counts anew and changes nothing.

        The camera need not be known: its frames may arrive later. Raises IdReused if the id is that
        of a hold on another camera or window.
        """
        async with self._db.begin(SYSTEM) as tx:
            if await storage.add_hold(tx, hold, self._clock()):
                tx.audit("hold_evidence", f"hold:{hold.hold_id}", confidential=True)
            elif await storage.hold_with_id(tx, hold.hold_id) != hold:
                raise IdReused
            return await storage.count_frames(tx, hold)

    async def release(self, hold_id: UUID) -> None:
        """End a hold; nothing happens if there is none with this id that holds."""
        async with self._db.begin(SYSTEM) as tx:
            if await storage.release_hold(tx, hold_id, self._clock()):
                tx.audit("release_evidence", f"hold:{hold_id}", confidential=True)
