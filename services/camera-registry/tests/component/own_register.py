"""A register of its own for a test: its use cases under a clock that the test moves."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from camera_registry.consumers import read_report
from camera_registry.messages import read_description
from camera_registry.model.camera import Camera
from camera_registry.model.description import Description
from camera_registry.model.hubs import HubKind, Outcome
from camera_registry.model.status import CameraStatus
from camera_registry.storage.counts import RegionCounts
from camera_registry.usecases.hubs import Hubs, NewHub
from camera_registry.usecases.register import Register
from camera_registry.usecases.statistics import Statistics
from camera_registry.usecases.watch import Reports, Watch
from chassis.clock import new_id
from chassis.db import Database
from chassis.identity import Caller, Operator
from chassis.refusals import Checks
from host.leases import Lease
from law.guards import load
from tartip.cameras.v1 import events_pb2
from tartip_cli.clients.hub_reports import ReportingHub

REGIONS = ("KZ-75", "KZ-71")
ADMINISTRATOR = Caller(
    "service",
    "operator-gateway",
    Operator("cameras-1", frozenset({"camera_administrator"}), REGIONS),
)


WORKING = events_pb2.CAMERA_CONDITION_WORKING
UNREACHABLE = events_pb2.CAMERA_CONDITION_UNREACHABLE


@dataclass
class OwnRegister:
    """The use cases of a register under a clock moved by hand, with a hub in each of two regions.

    A hub reports on the cameras that `beat` has named, as many as they are.
    """

    db: Database
    register: Register
    watch: Watch
    lease: Lease
    reports: Reports
    start: datetime
    now: datetime
    describe: Any
    counted: Statistics[list[RegionCounts]]
    hubs: dict[str, ReportingHub] = field(default_factory=dict)
    conditions: dict[str, dict[UUID, int]] = field(default_factory=dict)

    async def open(self) -> None:
        """Register the hubs."""
        for region in REGIONS:
            self.hubs[region] = await self.hub(region)

    async def hub(self, region: str = "KZ-75") -> ReportingHub:
        """Another hub of a region."""
        hub = ReportingHub()
        given = NewHub(hub.hub_id, "Hub", region, HubKind.EDGE_BOX, hub.public_key)
        await Hubs(self.db).register(given, content=b"", caller=ADMINISTRATOR)
        return hub

    def description(self, **given: Any) -> Description:
        kinds = load().at(self.now).camera_kinds
        description = read_description(Checks(), self.describe(**given), kinds)
        hub = self.hubs.get(description.place.region)
        if "hub_id" not in given and hub is not None:
            description = replace(description, hub_id=hub.hub_id)
        return description

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
        return await self.counted.of(region, caller=ADMINISTRATOR)

    async def beat(self, *cameras: UUID, region: str = "KZ-75", condition: int = WORKING) -> None:
        """The region's hub reports on these cameras, and on all that it did before."""
        conditions = self.conditions.setdefault(region, {})
        conditions.update(dict.fromkeys(cameras, condition))
        await self.report(self.hubs[region], conditions)

    async def report(
        self,
        hub: ReportingHub,
        conditions: Mapping[UUID, int],
        *,
        hears_since: datetime | None = None,
        **given: Any,
    ) -> Outcome:
        """A hub reports now, and the register follows it."""
        await self.judge(hears_since, at_once=True)  # it knows the hub by now
        signed = events_pb2.SignedHubReport.FromString(hub.report(conditions, self.now, **given))
        outcome, _ = self.reports.take(read_report(signed.report), self.now)
        await self.judge(hears_since)
        return outcome

    async def judge(self, hears_since: datetime | None, *, at_once: bool = False) -> None:
        """Follow all reports and all silence; `at_once`, what one transaction takes."""
        while await self.watch.look(self.lease, self.reports, hears_since, self.now):
            if at_once:
                return

    async def known(self, camera_id: UUID) -> Camera:
        return await self.register.get(camera_id, caller=ADMINISTRATOR)

    async def status(self, camera_id: UUID) -> tuple[CameraStatus, datetime]:
        camera = await self.known(camera_id)
        return camera.status, camera.status_as_of

    async def reason(self, camera_id: UUID) -> tuple[CameraStatus, str]:
        camera = await self.known(camera_id)
        return camera.status, str(camera.status_reason or "")
