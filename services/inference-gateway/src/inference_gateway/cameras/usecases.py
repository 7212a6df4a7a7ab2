"""Cameras as this service knows them: a table, filled from the register and aged by its events.

The table is shared by all copies of the service, so an event that one of them consumes is known to
all. A copy that is merely old stays in use while the register is away; one that an event has
overtaken does not.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import Kind, Refusal
from chassis.transaction import SYSTEM, Scope

from inference_gateway.cameras import storage
from inference_gateway.cameras.model import Camera, CameraNotFound

CACHE_TTL = timedelta(hours=1)


class CameraRegister(Protocol):
    """The peer that owns cameras."""

    async def camera(self, camera_id: UUID) -> Camera:
        """Raises CameraNotFound, or a refusal of kind UNAVAILABLE or TIMEOUT."""


class Cameras:
    def __init__(self, db: Database, register: CameraRegister, clock: Clock) -> None:
        self._db = db
        self._register = register
        self._clock = clock

    async def by_id(self, camera_id: UUID) -> Camera:
        """Raises CameraNotFound; a retired camera is given, its state in it."""
        async with self._db.begin(SYSTEM) as tx:
            cached = await storage.cached_camera(tx, camera_id)
        if cached.camera is not None and cached.camera.retired:
            return cached.camera
        if cached.camera is not None and cached.fetched_at is not None:
            if self._clock() - cached.fetched_at < CACHE_TTL:
                return cached.camera
            try:
                return await self._fetch(camera_id)
            except Refusal as refusal:
                if refusal.kind not in (Kind.UNAVAILABLE, Kind.TIMEOUT):
                    raise
                return cached.camera
        return await self._fetch(camera_id)

    async def for_caller(self, camera_id: UUID, caller: Caller) -> tuple[Camera, Scope]:
        """The camera, and the scope in which its rows are written. Raises CameraNotFound."""
        camera = await self.by_id(camera_id)
        if caller.operator is not None and not caller.scope.sees(camera.region):
            raise CameraNotFound
        return camera, replace(caller.scope, regions=(camera.region,))

    async def _fetch(self, camera_id: UUID) -> Camera:
        camera = await self._register.camera(camera_id)
        async with self._db.begin(SYSTEM) as tx:
            await storage.cache_camera(tx, camera, self._clock())
        return camera
