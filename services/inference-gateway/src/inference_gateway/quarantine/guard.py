"""Stores the unverified data of suspicious frames before the frames are refused. Each frame has a
transaction of its own."""

import asyncio
import logging
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from chassis.clock import Clock, new_id
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import Refusal
from chassis.telemetry import current_story
from chassis.transaction import SYSTEM, Scope

from inference_gateway import metrics
from inference_gateway.cameras.model import Camera
from inference_gateway.frames.model import ArrivedFrame
from inference_gateway.frames.storage import last_counter
from inference_gateway.quarantine import storage
from inference_gateway.quarantine.model import KEPT, ROWS_A_DAY, Quarantined, is_suspect

SHA256_BYTES = 32
SWEEP_SECONDS = 6 * 3600.0
log = logging.getLogger(__name__)


class QuarantineGuard:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def quarantine(
        self, refused: Refusal, frame: ArrivedFrame, camera: Camera, caller: Caller, scope: Scope
    ) -> None:
        """Store the unverified data of a refused frame if the refusal may indicate an attack. At
        most 100 frames per sender and day are stored; further frames are only counted."""
        now = self._clock()
        if is_suspect(refused, frame, now):
            await self._keep(claims(frame, camera, caller, refused, now), camera, scope)

    async def _keep(self, one: Quarantined, camera: Camera, scope: Scope) -> None:
        async with self._db.begin(scope) as tx:
            kept = await storage.count(tx, one) <= ROWS_A_DAY
            if kept:
                before = await last_counter(tx, camera.device_key)
                await storage.keep(tx, replace(one, counter_before=before))
                tx.audit(
                    "quarantine",
                    f"camera:{one.camera_id}",
                    region=one.region,
                    facts={
                        "frame": str(one.frame_id),
                        "reason": one.reason,
                        "quarantine": str(one.quarantine_id),
                    },
                )
        metrics.frames_quarantined.add(1, {"reason": one.reason, "kept": str(kept).lower()})

    async def page(
        self,
        camera_id: UUID | None,
        *,
        after: tuple[datetime, UUID] | None,
        size: int,
        caller: Caller,
    ) -> list[Quarantined]:
        """Return at most `size` quarantined frames of a camera, or of all cameras in the caller's
        regions if `camera_id` is None, newest first. `after` is the arrival time and
        `quarantine_id` of the previous page's last frame."""
        async with self._db.begin(caller.scope) as tx:
            return await storage.page(tx, camera_id=camera_id, after=after, size=size)

    async def keep_sweeping(self) -> None:
        """Every six hours, delete the data of frames quarantined more than 180 days ago; never
        returns. Several instances of the service may run this at once."""
        while True:
            async with self._db.begin(SYSTEM) as tx:
                gone = await storage.forget(tx, self._clock() - KEPT)
            if gone:
                log.info("%s quarantined frames were forgotten", gone)
            await asyncio.sleep(SWEEP_SECONDS)


def claims(
    frame: ArrivedFrame, camera: Camera, caller: Caller, refusal: Refusal, now: datetime
) -> Quarantined:
    """Return the quarantine record of a refused frame, with a new id. `caller` is the sender of the
    frame. The record's `counter_before` is still None; it must be filled in before storage."""
    readings = frame.readings.readings if frame.readings else None
    return Quarantined(
        quarantine_id=new_id(),
        camera_id=camera.camera_id,
        region=camera.region,
        sender=caller.key,
        reason=refusal.reason,
        frame_id=frame.frame_id,
        captured_at=frame.captured_at,
        picture_sha256=frame.picture_sha256,
        signed_sha256=_digest(readings.frame_sha256) if readings else None,
        counter=readings.counter if readings else None,
        counter_before=None,
        device_time=readings.device_time if readings else None,
        story=current_story(),
        arrived_at=now,
    )


def _digest(claimed: bytes) -> bytes | None:
    """The digest; None unless as long as a SHA-256, so that no other data can be stored."""
    return claimed if len(claimed) == SHA256_BYTES else None
