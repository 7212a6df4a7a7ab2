"""Recording of decisions: report, step, change for the partner, event and deadline."""

from datetime import datetime, timedelta

from chassis import telemetry
from chassis.event import Event
from chassis.transaction import Tx

from citizen_reports import events
from citizen_reports.model.report import Deadlines, Report
from citizen_reports.storage import contents, reports

DEADLINE = "deadline"
CLOSE = "close"
REPORTER = "reporter"
SYSTEM_ACTOR = "system"


def bind_trace(report: Report) -> None:
    """Annotate the call's span with the report and bind the call to the report's story."""
    telemetry.annotate(report=report.name)
    telemetry.bind_story(report.story)


def audit(tx: Tx, action: str, report: Report, **facts: str) -> None:
    """Record an action on a report, which may be a read access, in the audit log."""
    tx.audit(
        action,
        f"report:{report.name}",
        region=report.region,
        facts=facts,
        confidential=report.is_confidential,
    )


class ReportRecorder:
    """Records decisions for every use case that changes a registered report."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines

    async def record(
        self,
        tx: Tx,
        before: Report,
        after: Report,
        *,
        at: datetime,
        actor: str,
        note: str = "",
        fact: Event | None = None,
    ) -> Report:
        """Store the decision and publish its event: `fact` if given, else `status_changed`.
        Returns `after`."""
        await reports.save_report(tx, before, after)
        await contents.add_step(tx, after, actor=actor, note=note, at=at)
        if after.status != before.status or after.outcome != before.outcome:
            await reports.add_change(tx, after, at)
        tx.emit(fact or events.status_changed(after, at))
        if after.deadline_number != before.deadline_number:
            await self.start_clock(tx, after)
        return after

    async def start_clock(self, tx: Tx, report: Report, *, step_index: int = 0) -> None:
        """Schedule the given step of the escalation ladder, if the ladder has that step."""
        ladder = self._deadlines.table.ladder(emergency=report.is_emergency)
        if report.deadline is None or step_index >= len(ladder):
            return
        step = ladder[step_index]
        key = f"{report.report_id}:{report.deadline_number}:{step.step}"
        due_at = report.deadline.due_at + timedelta(minutes=step.after_minutes)
        await tx.schedule(DEADLINE, key, due_at)
