"""What is decided about cameras: one method, one decision, one transaction."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from chassis.clock import Clock
from chassis.db import SYSTEM, Database, Scope, require_held
from chassis.identity import Caller
from chassis.refusals import IdReused

from camera_registry import storage
from camera_registry.events import (
    camera_changed,
    camera_registered,
    camera_retired,
    camera_status_changed,
)
from camera_registry.model import (
    SILENCE,
    Camera,
    CameraNotRegisteredThen,
    Description,
    RegionNotYours,
)
from camera_registry.storage import Counts, Filters

SWEEP_SECONDS = 15.0
SWEEP_BATCH = 1000


class Register:
    """The administrator's writes and everybody's reads.

    A version holds from the moment that the database's clock told when its change was decided: the
    row was locked by then, so moments and versions of a camera are in the same order.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def register(self, camera_id: UUID, description: Description, *, content: bytes,
                       caller: Caller) -> Camera:  # fmt: skip
        """`content` is what a second registration under the same id is compared with."""
        _require_region(caller.scope, description)
        async with self._db.begin(caller.scope) as tx:
            if not await tx.once(caller.key, camera_id, content):
                return await storage.get(tx, camera_id)
            camera = Camera.register(camera_id, description, await tx.now())
            if not await storage.add(tx, camera):
                raise IdReused
            tx.emit(camera_registered(camera))
            tx.audit("register", f"camera:{camera_id}", region=description.place.region)
        return camera

    async def change(self, camera_id: UUID, description: Description, *, from_version: int,
                     caller: Caller) -> Camera:  # fmt: skip
        _require_region(caller.scope, description)
        async with self._db.begin(caller.scope) as tx:
            current = await storage.get(tx, camera_id, for_update=True)
            changed = current.change(description, from_version=from_version)
            now = await tx.now()
            await storage.save(tx, changed, held_from=now)
            tx.emit(camera_changed(changed, now))
            tx.audit("change", f"camera:{camera_id}", region=description.place.region,
                     facts={"version": str(changed.version)})  # fmt: skip
        return changed

    async def retire(self, camera_id: UUID, *, reason: str, caller: Caller) -> Camera:
        async with self._db.begin(caller.scope) as tx:
            current = await storage.get(tx, camera_id, for_update=True)
            now = await tx.now()
            retired = current.retire(now, why=reason)
            if retired is current:
                return current
            await storage.save(tx, retired, held_from=now)
            tx.emit(camera_retired(retired))
            region = retired.description.place.region
            tx.audit("retire", f"camera:{camera_id}", region=region)
        return retired

    async def get(self, camera_id: UUID, *, as_of: datetime | None = None,
                  caller: Caller) -> Camera:  # fmt: skip
        """As it is described now, or was at a moment. Raises CameraNotRegisteredThen."""
        async with self._db.begin(caller.scope) as tx:
            camera = await storage.get(tx, camera_id)
            if as_of is None:
                return camera
            described = await storage.described_at(tx, camera_id, as_of)
        if described is None:
            raise CameraNotRegisteredThen
        return replace(camera, description=described)

    async def page(self, filters: Filters, *, after: UUID | None, size: int,
                   caller: Caller) -> list[Camera]:  # fmt: skip
        async with self._db.begin(caller.scope) as tx:
            return await storage.page(tx, filters, after=after, size=size)

    async def statistics(self, region: str, *, caller: Caller) -> list[Counts]:
        async with self._db.begin(caller.scope) as tx:
            return await storage.counts(tx, region)


class Watch:
    """Signs of life: a status is written down when it changes, a heartbeat only remembered."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def hear(self, beats: Mapping[UUID, tuple[str, datetime]]) -> int:
        """One transaction for a batch of heartbeats, id → (region, moment)."""
        now = self._clock()
        fresh = {
            camera_id: (region, min(sent_at, now))
            for camera_id, (region, sent_at) in beats.items()
            if now - sent_at < SILENCE
        }
        async with self._db.begin(SYSTEM) as tx:
            woken = await storage.heard(tx, fresh)
            for camera in woken:
                tx.emit(camera_status_changed(camera))
        return len(woken)

    async def look_for_silence(self, hears_since: datetime | None) -> int:
        """Silence counts only while we listen: who is deaf must not call others dumb."""
        now = self._clock()
        if hears_since is None or now - hears_since < SILENCE:
            return 0
        async with self._db.begin(SYSTEM) as tx:
            silent = await storage.fall_silent(tx, before=now - SILENCE, now=now, limit=SWEEP_BATCH)
            for camera in silent:
                tx.emit(camera_status_changed(camera))
        return len(silent)

    async def keep_looking_for_silence(self, hears_since: Callable[[], datetime | None]) -> None:
        async with self._db.singleton("silence") as connection:
            while True:
                await require_held(connection)
                while await self.look_for_silence(hears_since()) == SWEEP_BATCH:
                    pass
                await asyncio.sleep(SWEEP_SECONDS)


def _require_region(scope: Scope, description: Description) -> None:
    if not scope.sees(description.place.region):
        raise RegionNotYours
