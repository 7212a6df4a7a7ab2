"""The configurations of cameras, cached for two seconds."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from chassis.db import Database
from chassis.transaction import SYSTEM

from inference_gateway.camera_rules import storage
from inference_gateway.camera_rules.messages import stored_functions
from inference_gateway.camera_rules.model import DEFAULT, CameraFunctions

TTL_SECONDS = 2.0
CAMERAS_MAX = 4096


@dataclass(frozen=True)
class _Known:
    functions: CameraFunctions
    version: int
    until: float


class Configurations:
    """The functions of cameras, each read again every two seconds it is asked for.

    So whatever copy of the service took a new configuration, all go by it within that time. The
    same object is given until the version changes.
    """

    def __init__(self, db: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._clock = clock
        self._known: dict[UUID, _Known] = {}

    async def of(self, camera_id: UUID) -> CameraFunctions:
        known, now = self._known.get(camera_id), self._clock()
        if known is not None and now < known.until:
            return known.functions
        async with self._db.begin(SYSTEM) as tx:
            stored = await storage.configuration(tx, camera_id)
        if known is not None and known.version == stored.version:
            functions = known.functions
        else:
            functions = stored_functions(stored.content) if stored.version else DEFAULT
        self._known.pop(camera_id, None)
        self._known[camera_id] = _Known(functions, stored.version, now + TTL_SECONDS)
        if len(self._known) > CAMERAS_MAX:
            self._known.pop(next(iter(self._known)))
        return functions

    def forget(self, camera_id: UUID) -> None:
        self._known.pop(camera_id, None)
