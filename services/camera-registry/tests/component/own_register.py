"""A register of its own for a test: its use cases under a clock that the test moves."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from camera_registry.messages import read_description
from camera_registry.model.camera import Camera, CameraStatus
from camera_registry.model.description import Description
from camera_registry.storage.counts import RegionCounts
from camera_registry.usecases.register import Register
from camera_registry.usecases.watch import Watch
from chassis.clock import new_id
from chassis.db import Database
from chassis.identity import Caller, Operator
from chassis.refusals import Checks
from host.leases import Lease
from law.guards import load

ADMINISTRATOR = Caller(
    "service",
    "operator-gateway",
    Operator("cameras-1", frozenset({"camera_administrator"}), ("KZ-75", "KZ-71")),
)


@dataclass
class OwnRegister:
    """The use cases of a register under a clock moved by hand."""

    db: Database
    register: Register
    watch: Watch
    lease: Lease
    start: datetime
    now: datetime
    describe: Any

    def description(self, **given: Any) -> Description:
        kinds = load().at(self.now).camera_kinds
        return read_description(Checks(), self.describe(**given), kinds)

    async def camera(self, **given: Any) -> UUID:
        camera_id = new_id()
        description = self.description(**given)
        await self.register.register(camera_id, description, content=b"", caller=ADMINISTRATOR)
        return camera_id

    async def change(self, camera_id: UUID, **given: Any) -> None:
        """Give a camera another description, in the version that it has now."""
        from_version = (await self.known(camera_id)).version
        await self.register.change(
            camera_id, self.description(**given), from_version=from_version, caller=ADMINISTRATOR
        )

    async def statistics(self, region: str = "") -> list[RegionCounts]:
        return await self.register.statistics(region, caller=ADMINISTRATOR)

    async def beat(self, camera_id: UUID, at: datetime | None = None) -> None:
        await self.watch.hear(self.lease, {camera_id: ("KZ-75", at or self.now)}, self.now)

    async def judge(self, hears_since: datetime | None) -> None:
        """The whole register, chunk by chunk."""
        after = None
        while True:
            after = await self.watch.judge_silent(self.lease, after, hears_since, self.now)
            if after is None:
                return

    async def known(self, camera_id: UUID) -> Camera:
        return await self.register.get(camera_id, caller=ADMINISTRATOR)

    async def status(self, camera_id: UUID) -> tuple[CameraStatus, datetime]:
        camera = await self.known(camera_id)
        return camera.status, camera.status_as_of
