"""What is decided about cameras: one method, one decision, one transaction."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from chassis.clock import Clock
from chassis.db import Database, require_held
from chassis.identity import Caller
from chassis.refusals import IdReused
from chassis.transaction import SYSTEM, Scope

from camera_registry.events import (
    camera_changed,
    camera_registered,
    camera_retired,
    camera_status_changed,
)
from camera_registry.model import (
    Camera,
    CameraNotRegisteredThen,
    CameraStatus,
    Description,
    RegionNotYours,
    verdict_on_silence,
)
from camera_registry.storage import cameras, life
from camera_registry.storage.cameras import Counts, Filters

# Heartbeats written, and cameras judged, in one transaction.
BATCH = 1000
CHUNK = 5000
SWEEPS_PER_SILENCE = 12


class Register:
    """The administrator's writes and everybody's reads.

    A version holds from the moment that the database's clock told when its change was decided: the
    row was locked by then, so moments and versions of a camera are in the same order.
    """

    def __init__(self, db: Database, clock: Clock, *, silence: timedelta) -> None:
        self._db = db
        self._clock = clock
        # By then the watch has judged a silence, if there is a watch.
        self._doubt = silence * (1 + 2 / SWEEPS_PER_SILENCE)

    async def register(
        self, camera_id: UUID, description: Description, *, content: bytes, caller: Caller
    ) -> Camera:
        """`content` is what a second registration under the same id is compared with."""
        _require_region(caller.scope, description)
        async with self._db.begin(caller.scope) as tx:
            if not await tx.once(caller.key, camera_id, content):
                return await cameras.get(tx, camera_id, alive_since=self._alive_since())
            camera = Camera.register(camera_id, description, await tx.now())
            if not await cameras.add(tx, camera):
                raise IdReused
            tx.emit(camera_registered(camera))
            tx.audit("register", f"camera:{camera_id}", region=description.place.region)
        return camera

    async def change(
        self, camera_id: UUID, description: Description, *, from_version: int, caller: Caller
    ) -> Camera:
        _require_region(caller.scope, description)
        async with self._db.begin(caller.scope) as tx:
            current = await cameras.get_for_update(tx, camera_id)
            changed = current.change(description, from_version=from_version)
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
        """As it is described now, or was at a moment. Raises CameraNotRegisteredThen."""
        async with self._db.begin(caller.scope) as tx:
            camera = await cameras.get(tx, camera_id, alive_since=self._alive_since())
            if as_of is None:
                return camera
            described = await cameras.described_at(tx, camera_id, as_of)
        if described is None:
            raise CameraNotRegisteredThen
        return replace(camera, description=described)

    async def page(
        self, filters: Filters, *, after: UUID | None, size: int, caller: Caller
    ) -> list[Camera]:
        async with self._db.begin(caller.scope) as tx:
            return await cameras.page(
                tx, filters, after=after, size=size, alive_since=self._alive_since()
            )

    async def statistics(self, region: str, *, caller: Caller) -> list[Counts]:
        async with self._db.begin(caller.scope) as tx:
            return await cameras.counts(tx, region, alive_since=self._alive_since())

    def _alive_since(self) -> datetime:
        """What is written as alive and was last heard of before is known no more."""
        return self._clock() - self._doubt


class Watch:
    """Signs of life and their absence: a status is a fact when it changes, a heartbeat is none."""

    def __init__(self, db: Database, *, silence: timedelta) -> None:
        self._db = db
        self.silence = silence
        self.sweep_seconds = silence.total_seconds() / SWEEPS_PER_SILENCE

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Waits until no other copy of the service watches; what it gives raises when one may."""
        async with self._db.singleton("heartbeats") as connection:
            yield lambda: require_held(connection)

    async def hear(self, beats: life.Beats, now: datetime) -> None:
        """A transaction for each batch of heartbeats, id → (region, moment)."""
        fresh = [beat for beat in beats.items() if now - beat[1][1] < self.silence]
        for start in range(0, len(fresh), BATCH):
            async with self._db.begin(SYSTEM) as tx:
                batch = dict(fresh[start : start + BATCH])
                for camera in await life.heard(tx, batch, now=now):
                    tx.emit(camera_status_changed(camera))

    def verdict(self, hears_since: datetime | None, now: datetime) -> CameraStatus:
        """What a camera silent for an interval is now."""
        return verdict_on_silence(hears_since, now, self.silence)

    async def judge_silent(
        self, after: UUID | None, hears_since: datetime | None, now: datetime
    ) -> UUID | None:
        """Judges the next chunk of cameras; where the one after it begins, None at the end."""
        async with self._db.begin(SYSTEM) as tx:
            until = await life.chunk_end(tx, after=after, size=CHUNK)
            silent = await life.fall_silent(
                tx,
                after=after,
                until=until,
                before=now - self.silence,
                now=now,
                status=self.verdict(hears_since, now),
            )
            for camera in silent:
                tx.emit(camera_status_changed(camera))
        return until


def _require_region(scope: Scope, description: Description) -> None:
    if not scope.sees(description.place.region):
        raise RegionNotYours
