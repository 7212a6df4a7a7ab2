"""The use cases by which operators record an arrival and extend the deadline of an answer."""

from datetime import datetime

from audit_log.decisions import Decision
from chassis.clock import Clock
from chassis.identity import Caller
from chassis.refusals import checks

from citizen_reports.model.answer_dates import extended
from citizen_reports.model.deadlines import Deadlines
from citizen_reports.model.report import Report
from citizen_reports.usecases.desk import Desk, DeskView, Shown, require_reason
from citizen_reports.usecases.openings import Openings
from citizen_reports.usecases.recording import ReportRecorder

# Two months never have more working days.
WORKING_DAYS_MAX = 62


class Execution:
    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        deadlines: Deadlines,
        recorder: ReportRecorder,
        openings: Openings,
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._deadlines = deadlines
        self._recorder = recorder
        self._openings = openings

    async def record_arrival(
        self, shown: Shown, arrived_at: datetime | None, caller: Caller
    ) -> DeskView:
        """Record that an officer arrived at the place of an emergency at `arrived_at` (None: now).
        The arrival ends the clock of the response. A second arrival changes nothing.

        Raises BadRequest for a moment in the future or before registration, ReportNotFound,
        ReportMerged, ReportChangedMeanwhile or ArrivalNotExpected.
        """
        now = self._clock()
        moment = arrived_at or now
        async with self._openings.begin(shown.report_id, caller) as tx:
            report = await self._desk.lock(tx, shown.report_id, caller)
            if report.arrived_at is not None:
                return await self._desk.view(tx, report, caller)
            shown.require_unchanged(report)
            arrived = report.arrive(moment)
            assert report.receipt is not None
            with checks() as check:
                check.that(
                    moment <= now, "arrived_at", "not in the future", code="ARRIVED_IN_FUTURE"
                )
                check.that(
                    moment >= report.receipt.registered_at,
                    "arrived_at",
                    "not before registration",
                    code="ARRIVED_BEFORE_REGISTRATION",
                )
            await self._recorder.record(
                tx,
                report,
                arrived,
                Decision("record_arrival"),
                at=now,
                actor=caller.scope.name,
                note=f"arrived {moment.isoformat(timespec='seconds')}",
                tells_app=True,
            )
            return await self._desk.view(tx, arrived, caller)

    async def extend(
        self, shown: Shown, reason: str, working_days: int, caller: Caller
    ) -> DeskView:
        """Extend the deadline of the answer by working days, which is possible once. The partner's
        app gets a change. `reason` must have 1 to REASON_MAX characters.

        The new deadline is at most the `extension_months` of the legal table after the start of the
        clock, plus the time waited for the reporter. Raises BadRequest, ReportNotFound,
        ReportMerged, ReportChangedMeanwhile, ExtensionNotAllowed, AlreadyExtended, DeadlinePassed
        or CalendarYearMissing.
        """
        now = self._clock()
        with checks() as check:
            require_reason(check, reason, "why it takes longer")
            check.that(
                0 < working_days <= WORKING_DAYS_MAX,
                "working_days",
                f"1 to {WORKING_DAYS_MAX}",
                code="WORKING_DAYS_WRONG",
            )
        async with self._openings.begin(shown.report_id, caller) as tx:
            report = await self._desk.lock_unchanged(tx, shown, caller)
            later = self._extended(report, working_days, now)
            await self._recorder.record(
                tx,
                report,
                later,
                Decision("extend", {"working_days": str(working_days)}),
                at=now,
                actor=caller.scope.name,
                note=reason,
                tells_app=True,
            )
            return await self._desk.view(tx, later, caller)

    def _extended(self, report: Report, working_days: int, now: datetime) -> Report:
        """Return the extended report. Raises BadRequest if the new deadline is too late."""
        later = extended(report, working_days, now, self._deadlines)
        assert later.deadline is not None and later.deadline.due_at is not None
        last = self._deadlines.table.extension_end(report.answer_started_at)
        with checks() as check:
            check.that(
                later.deadline.due_at <= last + report.waiting.waited,
                "working_days",
                "the new date lies within two months",
                code="WORKING_DAYS_WRONG",
            )
        return later
