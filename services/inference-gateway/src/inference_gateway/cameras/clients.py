"""Cached copies of cameras, in a table that is filled from the camera register and invalidated by
the register's events.

All instances of the service share the table, so an event consumed by one instance applies to all.
While the register is unavailable, an expired row is still used, but an invalidated row is not.
"""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import grpc
from chassis.channels import peers_refusals
from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import Kind, Refusal
from chassis.transaction import SYSTEM, Scope
from tartip.cameras.v1 import cameras_pb2, cameras_pb2_grpc

from inference_gateway.cameras import storage
from inference_gateway.cameras.model import Camera, CameraNotFound

CACHE_TTL = timedelta(hours=1)
REGISTER_SECONDS = 2.0


class Cameras:
    def __init__(self, db: Database, register: "RegisterClient", clock: Clock) -> None:
        self._db = db
        self._register = register
        self._clock = clock

    async def by_id(self, camera_id: UUID) -> Camera:
        """Return the camera, from the cache or the register; it may be retired.

        Raises CameraNotFound. If the register does not answer and the stored copy is missing or
        invalidated, raises a refusal of kind UNAVAILABLE or TIMEOUT.
        """
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
        """Return the camera, and the caller's scope narrowed to the camera's region. Raises
        CameraNotFound, also if an operator may not see that region."""
        camera = await self.by_id(camera_id)
        if caller.operator is not None and not caller.scope.sees(camera.region):
            raise CameraNotFound
        return camera, replace(caller.scope, regions=(camera.region,))

    async def _fetch(self, camera_id: UUID) -> Camera:
        camera = await self._register.camera(camera_id)
        async with self._db.begin(SYSTEM) as tx:
            await storage.cache_camera(tx, camera, self._clock())
        return camera


class RegisterClient:
    """The gRPC client of the camera register."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = cameras_pb2_grpc.CameraRegistryStub(channel)

    async def camera(self, camera_id: UUID) -> Camera:
        """Return the camera as it is now in the register.

        Raises CameraNotFound, or another refusal if the call fails: of kind UNAVAILABLE or TIMEOUT
        if the register does not answer, and of any other kind if the register refuses the call.
        """
        request = cameras_pb2.GetCameraRequest(camera_id=str(camera_id))
        try:
            with peers_refusals():
                answer = await self._stub.GetCamera(request, timeout=REGISTER_SECONDS)
        except Refusal as refusal:
            if refusal.kind is Kind.NOT_FOUND:
                raise CameraNotFound from refusal
            raise
        return _camera(answer.camera)


def _camera(message: cameras_pb2.Camera) -> Camera:
    description = message.description
    return Camera(
        camera_id=UUID(message.camera_id),
        region=description.place.region,
        version=message.version,
        serial=description.serial,
        device_key=description.device_key,
        retired=message.status == cameras_pb2.CAMERA_STATUS_RETIRED
        or message.HasField("retired_at"),
    )
