"""The use cases by which an operator judges whether a report is urgent."""

from audit_log.decisions import Decision
from chassis.clock import Clock
from chassis.identity import Caller
from chassis.refusals import checks

from citizen_reports.model.deadlines import Deadlines
from citizen_reports.model.statuses import Urgency
from citizen_reports.model.urgency import confirmed, declined
from citizen_reports.usecases.desk import Desk, DeskView, Shown, require_reason
from citizen_reports.usecases.openings import Openings
from citizen_reports.usecases.recording import ReportRecorder


class Triage:
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

    async def confirm(self, shown: Shown, caller: Caller) -> DeskView:
        """Confirm that a report is urgent. Unless it is a complaint, an officer's arrival is due as
        for a road accident. The partner's app gets a change. A repeated call changes nothing.

        Raises ReportNotFound, ReportMerged, ReportChangedMeanwhile, AlreadyUrgent for emergencies
        by category, or StatusNotAllowed.
        """
        now = self._clock()
        async with self._openings.begin(shown.report_id, caller) as tx:
            report = await self._desk.lock(tx, shown.report_id, caller)
            if report.urgency is Urgency.CONFIRMED:
                return await self._desk.view(tx, report, caller)
            shown.require_unchanged(report)
            urgent = confirmed(report, now, self._deadlines)
            await self._recorder.record(
                tx,
                report,
                urgent,
                Decision("confirm_urgency"),
                at=now,
                actor=caller.scope.name,
                note="urgent",
                tells_app=True,
            )
            return await self._desk.view(tx, urgent, caller)

    async def decline(self, shown: Shown, reason: str, caller: Caller) -> DeskView:
        """Record that the words for which a report is proposed as urgent mean no danger. `reason`
        says why, in 1 to REASON_MAX characters.

        Raises BadRequest, ReportNotFound, ReportMerged, ReportChangedMeanwhile, UrgencyNotProposed.
        """
        with checks() as check:
            require_reason(check, reason, "why it is not urgent")
        async with self._openings.begin(shown.report_id, caller) as tx:
            report = await self._desk.lock_unchanged(tx, shown, caller)
            calm = declined(report)
            await self._recorder.record(
                tx,
                report,
                calm,
                Decision("decline_urgency"),
                at=self._clock(),
                actor=caller.scope.name,
                note=f"not urgent: {reason}",
            )
            return await self._desk.view(tx, calm, caller)
