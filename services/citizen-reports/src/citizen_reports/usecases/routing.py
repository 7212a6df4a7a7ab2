"""The use case that routes a report to another unit, also of another region."""

from dataclasses import dataclass
from uuid import UUID

from audit_log.decisions import Decision
from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import checks
from chassis.transaction import SYSTEM
from law.regions import REGIONS
from law.report_routing import ReportRouting

from citizen_reports import events
from citizen_reports.model.personnel import Unit
from citizen_reports.model.report import Report
from citizen_reports.model.routing import may_take
from citizen_reports.storage import reports
from citizen_reports.storage.routing import units_at
from citizen_reports.usecases.desk import Desk, DeskView, Shown, require_reason
from citizen_reports.usecases.openings import Openings
from citizen_reports.usecases.recording import SYSTEM_ACTOR, ReportRecorder, bind_trace

MOVE_REGION = "move_region"


@dataclass(frozen=True)
class Target:
    """Where to route a report: a unit, and the unit's region ("" for the report's region)."""

    unit: str
    region: str = ""


class Routing:
    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        table: ReportRouting,
        recorder: ReportRecorder,
        openings: Openings,
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._table = table
        self._recorder = recorder
        self._openings = openings

    async def route(self, shown: Shown, target: Target, reason: str, caller: Caller) -> DeskView:
        """Route the report named by `shown` to a unit; the report then has no operator. `reason`
        must have 1 to REASON_MAX characters.

        If the unit is of another region, scheduled work then moves the report to that region. The
        caller cannot do this, since row-level security limits operators to their regions.

        Raises BadRequest, also if the unit may not receive reports of this category and region,
        ReportNotFound, ReportMerged, ReportChangedMeanwhile or StatusNotAllowed.
        """
        now, operator = self._clock(), caller.scope.name
        async with self._openings.begin(shown.report_id, caller) as tx:
            report = await self._desk.lock_unchanged(tx, shown, caller)
            region = target.region or report.region
            with checks() as check:
                check.that(
                    self._may_be_of(report, region),
                    "region",
                    "an ISO code such as KZ-75; complaints keep theirs",
                    code="REGION_UNKNOWN",
                )
                units = await units_at(tx, now)
                unit = units.get(target.unit)
                check.that(
                    unit is not None and self._may_take(report, unit, region),
                    "unit",
                    "a unit of the region that may take it",
                    code="UNIT_UNKNOWN",
                )
                require_reason(check, reason, "why it goes there")
            routed = report.route(target.unit)
            await self._recorder.record(
                tx,
                report,
                routed,
                Decision("route", {"unit": target.unit}),
                at=now,
                actor=operator,
                note=f"{target.unit}: {reason}",
                fact=events.report_routed(routed, now),
                # For another region, the move adds the change for the app.
                tells_app=region == report.region and target.unit != report.unit,
            )
            if region != report.region:
                await tx.schedule(MOVE_REGION, f"{report.report_id}:{routed.version}:{region}", now)
            return await self._desk.view(tx, routed, caller)

    def _may_take(self, report: Report, unit: Unit, region: str) -> bool:
        """Whether a unit may receive the report once the report is of `region`."""
        is_of_region = report.is_complaint or unit.region == region
        return is_of_region and may_take(self._table, report.category, unit)

    def _may_be_of(self, report: Report, region: str) -> bool:
        return region == report.region or (region in REGIONS and not report.is_complaint)


class RegionMoves:
    """The handler of the scheduled work MOVE_REGION."""

    def __init__(self, db: Database, clock: Clock, recorder: ReportRecorder) -> None:
        self._db = db
        self._clock = clock
        self._recorder = recorder

    async def move(self, key: str) -> None:
        """Move a report to another region after it was routed to a unit of that region. Its app
        gets a change. `key` is "report id:version:region", with the version that the report had
        right after it was routed; the version only makes the key unique.

        Does nothing if the report is of that region already, or its unit is of another one now.
        """
        report_id, _, region = key.split(":")
        async with self._db.begin(SYSTEM) as tx:
            report = await reports.get_for_update(tx, UUID(report_id))
            bind_trace(report)
            if report.region == region or not report.unit.startswith(f"{region}-"):
                return
            await self._recorder.record(
                tx,
                report,
                report.move(region),
                Decision("move_region", {"from": report.region, "to": region}),
                at=self._clock(),
                actor=SYSTEM_ACTOR,
                note=f"region {report.region} to {region}",
                tells_app=True,
            )
