"""Merging a camera that is registered twice."""

from uuid import UUID

from audit_log.decisions import Decision
from chassis.db import Database
from chassis.identity import Caller

from camera_registry.events import camera_changed, camera_retired
from camera_registry.model.camera import Camera
from camera_registry.model.merging import Seen, is_merged, merge
from camera_registry.storage import cameras
from camera_registry.usecases.register import Register


class Merging:
    """The use case of administrators who found one camera under two ids."""

    def __init__(self, db: Database, register: Register) -> None:
        self._db = db
        self._register = register

    async def merge(
        self, camera_id: UUID, duplicate_id: UUID, *, seen: Seen, reason: str, caller: Caller
    ) -> Camera:
        """Merge the camera `duplicate_id` into the camera `camera_id`: retire the duplicate and
        return the camera that is kept. A repeated merge changes nothing. `seen` has the versions of
        both cameras that the caller read.

        Raises CameraNotFound for either camera, CameraRetired, CameraChangedMeanwhile, KindsDiffer
        or BadRequest.
        """
        async with self._db.begin(caller.scope) as tx:
            kept, duplicate = await cameras.get_both_for_update(tx, camera_id, duplicate_id)
            if not is_merged(kept, duplicate):
                now = await tx.now()
                changed, retired = merge(kept, duplicate, seen=seen, why=reason, now=now)
                # First: afterwards its serial number is free.
                retirement = Decision("retire", {"reason": reason, "merged_into": str(camera_id)})
                await cameras.save(tx, retired, retirement, held_from=now)
                tx.emit(camera_retired(retired))
                merger = _merger(changed, retired, reason)
                if changed is kept:
                    region = kept.description.place.region
                    tx.audit(merger.action, kept.object_ref, region=region, facts=merger.facts)
                else:
                    await cameras.save(tx, changed, merger, held_from=now)
                    tx.emit(camera_changed(changed, now))
        return await self._register.get(camera_id, caller=caller)


def _merger(kept: Camera, retired: Camera, reason: str) -> Decision:
    facts = {
        "duplicate": str(retired.camera_id),
        "version": str(kept.version),
        "reason": reason,
    }
    return Decision("merge", facts)
