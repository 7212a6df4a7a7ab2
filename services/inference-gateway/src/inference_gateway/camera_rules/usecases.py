"""The use cases of a camera's configuration: read it, and replace it in one transaction."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from uuid import UUID

from chassis.db import Database
from chassis.identity import Caller

from inference_gateway.camera_rules import storage
from inference_gateway.camera_rules.model import Configuration, ConfigurationChangedMeanwhile
from inference_gateway.camera_rules.storage import Configurations
from inference_gateway.cameras.clients import Cameras
from inference_gateway.cameras.model import check_camera_in_use

OutsideModels = Callable[[], Awaitable[Mapping[str, Iterable[str]]]]


class RulesDesk:
    def __init__(
        self, db: Database, cameras: Cameras, configurations: Configurations, outside: OutsideModels
    ) -> None:
        self._db = db
        self._cameras = cameras
        self._configurations = configurations
        self._outside = outside

    async def outside_models(self) -> Mapping[str, Iterable[str]]:
        """Return the labels of each external object model that is now served, by model name. Raises
        ModelsAway if the models are unavailable."""
        return await self._outside()

    async def configure(
        self, camera_id: UUID, content: bytes, *, from_version: int, caller: Caller
    ) -> int:
        """Store a configuration and return its version. `from_version` is the version that the
        caller wants to replace.

        A call may be repeated: if version `from_version` or `from_version` + 1 is stored with the
        content `content`, nothing is stored and that version is returned. Otherwise raises
        ConfigurationChangedMeanwhile if the stored version is not `from_version`. Also raises
        CameraNotFound or CameraRetired.
        """
        camera, scope = await self._cameras.for_caller(camera_id, caller)
        check_camera_in_use(camera)
        # What was configured while the camera stood in another region is replaced too.
        async with self._db.begin(replace(scope, regions=("*",))) as tx:
            known = await storage.configuration(tx, camera_id)
            is_newer = known.version - from_version in (0, 1)
            if known.version and known.content == content and is_newer:
                return known.version
            if known.version != from_version:
                raise ConfigurationChangedMeanwhile
            version = await storage.configure(tx, camera, content, from_version=from_version)
            tx.audit(
                "configure_camera",
                f"camera:{camera_id}",
                region=camera.region,
                facts={"version": str(version)},
            )
        self._configurations.forget(camera_id)
        return version

    async def get(self, camera_id: UUID, caller: Caller) -> Configuration:
        """Return the camera's configuration; version 0 if it has none. Raises CameraNotFound."""
        _, scope = await self._cameras.for_caller(camera_id, caller)
        async with self._db.begin(replace(scope, regions=("*",))) as tx:
            return await storage.configuration(tx, camera_id)
