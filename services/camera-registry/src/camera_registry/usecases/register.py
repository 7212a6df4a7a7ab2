"""Registering, changing, retiring and reading cameras."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import IdReused
from chassis.transaction import Scope

from camera_registry.events import camera_changed, camera_registered, camera_retired
from camera_registry.model.camera import Camera, CameraNotRegisteredThen, RegionNotYours
from camera_registry.model.description import Description
from camera_registry.model.map_view import Cluster, MapView
from camera_registry.model.seeing import SIGHTS_MAX, Sight, Spot, sight_of
from camera_registry.storage import cameras, cell_counts, life, search, seeing
from camera_registry.storage.cameras import Known
from camera_registry.storage.cell_counts import MapFilters
from camera_registry.storage.counts import RegionCounts, read_counts
from camera_registry.storage.search import Filters, Place


class Register:
    """The use cases of camera administrators (register, change, retire) and all reads of cameras.

    A version of a camera is valid from the database's time at the change. That time is read while
    the camera's row is locked, so later versions always have later times.
    """

    def __init__(self, db: Database, clock: Clock, *, silence: timedelta) -> None:
        self._db = db
        self._clock = clock
        # What was known at a look of the watch is known for this time: a camera that was silent for
        # up to an interval then is UNKNOWN at most one and a half intervals after its heartbeat.
        self._known_for = silence / 2

    async def register(
        self, camera_id: UUID, description: Description, *, content: bytes, caller: Caller
    ) -> Camera:
        """Register a camera and return it. A repeated call with the same id and `content` (the
        serialised description) returns the stored camera.

        Raises RegionNotYours, IdReused for an id used with other content, or SerialTaken.
        """
        _require_region(caller.scope, description)
        async with self._db.begin(caller.scope) as tx:
            if not await tx.once(caller.key, camera_id, content):
                return await cameras.get(tx, camera_id, self._known())
            camera = Camera.register(camera_id, description, await tx.now())
            if not await cameras.add(tx, camera):
                raise IdReused
            tx.emit(camera_registered(camera))
            before = await cameras.retired_with_serial(tx, description)
            facts = {"serial_of_retired": str(before)} if before else {}
            region = description.place.region
            tx.audit("register", f"camera:{camera_id}", region=region, facts=facts)
        return camera

    async def change(
        self, camera_id: UUID, description: Description, *, from_version: int, caller: Caller
    ) -> Camera:
        """Replace the description and return the new version; the same description changes nothing.

        Raises RegionNotYours, CameraNotFound, CameraRetired, CameraChangedMeanwhile or SerialTaken.
        """
        _require_region(caller.scope, description)
        async with self._db.begin(caller.scope) as tx:
            current = await cameras.get_for_update(tx, camera_id)
            changed = current.change(description, from_version=from_version)
            if changed is current:
                return current
            now = await tx.now()
            await cameras.save(tx, changed, held_from=now)
            tx.emit(camera_changed(changed, now))
            tx.audit(
                "change",
                f"camera:{camera_id}",
                region=description.place.region,
                facts={"version": str(changed.version)},
            )
        return changed

    async def retire(self, camera_id: UUID, *, reason: str, caller: Caller) -> Camera:
        """Retire a camera; one that is retired already is unchanged. Raises CameraNotFound."""
        async with self._db.begin(caller.scope) as tx:
            current = await cameras.get_for_update(tx, camera_id)
            now = await tx.now()
            retired = current.retire(now, why=reason)
            if retired is current:
                return current
            await cameras.save(tx, retired, held_from=now)
            tx.emit(camera_retired(retired))
            region = retired.description.place.region
            tx.audit("retire", f"camera:{camera_id}", region=region, facts={"reason": reason})
        return retired

    async def get(
        self, camera_id: UUID, *, as_of: datetime | None = None, caller: Caller
    ) -> Camera:
        """Return a camera, described as it is now or was at `as_of`. Raises CameraNotFound or
        CameraNotRegisteredThen."""
        if as_of is None:
            return await cameras.get_alone(self._db, caller.scope, camera_id, self._known())
        async with self._db.begin(caller.scope) as tx:
            camera = await cameras.get(tx, camera_id, self._known())
            described = await cameras.described_at(tx, camera_id, as_of)
        if described is None:
            raise CameraNotRegisteredThen
        return replace(camera, description=described)

    async def page(
        self, filters: Filters, *, after: Place | None, size: int, caller: Caller
    ) -> list[Camera]:
        """Return up to `size` cameras that match the filters, starting after `after`.

        None starts at the first camera. Cameras are ordered by id or, if an area is given, by H3
        cell and then id.
        """
        async with self._db.begin(caller.scope) as tx:
            return await search.page(tx, filters, after=after, size=size, known=self._known())

    async def statistics(self, region: str, *, caller: Caller) -> list[RegionCounts]:
        """Counts of cameras not retired, by region; "" selects every region the caller may see."""
        known = self._known()
        async with self._db.begin(caller.scope) as tx:
            is_watched = await life.watched(tx, known.parameters)
            return await read_counts(tx, region, is_watched=is_watched)

    async def clusters(
        self, view: MapView, filters: MapFilters, *, caller: Caller
    ) -> list[Cluster]:
        """Count the cameras in service by the cells of a map view."""
        async with self._db.begin(caller.scope) as tx:
            return await cell_counts.clusters(tx, view, filters, self._known())

    async def seeing(self, spot: Spot, at: datetime | None, *, caller: Caller) -> list[Sight]:
        """The cameras that saw a spot at a moment, at most SIGHTS_MAX; the nearest come first.

        None stands for now.
        """
        async with self._db.begin(caller.scope) as tx:
            near = await seeing.cameras_near(tx, spot, at or await tx.now(), self._known())
        sights = (sight_of(camera, spot) for camera in near)
        found = sorted(
            (sight for sight in sights if sight is not None),
            key=lambda sight: (sight.distance_metres, sight.camera.camera_id),
        )
        return found[:SIGHTS_MAX]

    def _known(self) -> Known:
        now = self._clock()
        return Known(now - self._known_for, now)


def _require_region(scope: Scope, description: Description) -> None:
    if not scope.sees(description.place.region):
        raise RegionNotYours
