"""Queries for reports and files that need scheduled work. Each query selects the keys of the work.
`tartip verify` checks that the work is scheduled."""

from typing import Any

from law.report_deadlines import ReportDeadlines
from sqlalchemy import Select, Text, case, cast, func, select

from citizen_reports.model.categories import EMERGENCIES
from citizen_reports.model.media import MediaState
from citizen_reports.model.statuses import CLOCK_RUNS, Status
from citizen_reports.storage.tables import media, reports

_REPORT = cast(reports.c.report_id, Text)
DRAFTS: Select[Any] = select(_REPORT.label("key")).where(reports.c.status == Status.OPEN.value)
COMPLETE_MEDIA: Select[Any] = (
    select(func.concat(media.c.report_id, ":", media.c.media_id).label("key"))
    .join(reports, reports.c.report_id == media.c.report_id)
    .where(media.c.state == MediaState.COMPLETE.value, reports.c.status != Status.OPEN.value)
)


def escalations(deadlines: ReportDeadlines) -> Select[Any]:
    """Select the keys of the next escalation of each report whose deadline is not suspended."""
    steps = case(
        (reports.c.category.in_(EMERGENCIES), len(deadlines.ladder(emergency=True))),
        else_=len(deadlines.ladder(emergency=False)),
    )
    step = reports.c.escalation_step + 1
    key = func.concat(reports.c.report_id, ":", reports.c.deadline_number, ":", step)
    return select(key.label("key")).where(
        reports.c.status.in_(CLOCK_RUNS), reports.c.due_at.is_not(None), step <= steps
    )
