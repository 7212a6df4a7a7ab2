"""Queries for reports and files that need scheduled work. Each query selects, in the column `key`,
the keys under which that work must be scheduled. `tartip verify` checks that it is."""

from typing import Any

from law.report_deadlines import ReportDeadlines
from sqlalchemy import ColumnElement, Select, Text, case, cast, exists, func, select

from citizen_reports.model.categories import EMERGENCIES, Category
from citizen_reports.model.deadlines import DeadlineKind
from citizen_reports.model.media import MediaState
from citizen_reports.model.retention import Part
from citizen_reports.model.statuses import CLOCK_RUNS, QUEUE, Status, Urgency
from citizen_reports.model.urgency import URGENT_AS
from citizen_reports.storage.tables import media, report_cameras, report_erasures, reports

_REPORT = cast(reports.c.report_id, Text)
DRAFTS: Select[Any] = select(_REPORT.label("key")).where(reports.c.status == Status.OPEN.value)
_SUBMITTED_MEDIA = (
    select(func.concat(media.c.report_id, ":", media.c.media_id).label("key"))
    .join(reports, reports.c.report_id == media.c.report_id)
    .where(reports.c.status != Status.OPEN.value)
)
# Files of submitted reports: uploaded and not yet in the evidence store; not uploaded completely.
COMPLETE_MEDIA: Select[Any] = _SUBMITTED_MEDIA.where(media.c.state == MediaState.COMPLETE.value)
FOLLOWING_MEDIA: Select[Any] = _SUBMITTED_MEDIA.where(media.c.state == MediaState.RECEIVING.value)

_NOT_RELEASED = report_cameras.c.released_at.is_(None)
_OF_CAMERAS = cast(report_cameras.c.report_id, Text).label("key")
_TEXT_ERASED = exists().where(
    report_erasures.c.report_id == report_cameras.c.report_id,
    report_erasures.c.part == Part.TEXT.value,
)
# Reports with holds on cameras' evidence that are yet to be placed (UNHELD), or yet to be released,
# because the text of the report was erased (UNRELEASED).
UNHELD: Select[Any] = (
    select(_OF_CAMERAS)
    .where(_NOT_RELEASED, report_cameras.c.held_at.is_(None), ~_TEXT_ERASED)
    .distinct()
)
UNRELEASED: Select[Any] = select(_OF_CAMERAS).where(_NOT_RELEASED, _TEXT_ERASED).distinct()


def escalations(deadlines: ReportDeadlines) -> Select[Any]:
    """Select the key "report id:deadline number:step" of the next escalation of each report whose
    clock of the answer runs. Merged reports are left out: their parent is escalated."""
    step = reports.c.escalation_step + 1
    key = func.concat(reports.c.report_id, ":", reports.c.deadline_number, ":", step)
    return select(key.label("key")).where(
        reports.c.status.in_(CLOCK_RUNS),
        reports.c.due_at.is_not(None),
        reports.c.parent.is_(None),
        step <= _steps(deadlines, DeadlineKind.ANSWER),
    )


def responses(deadlines: ReportDeadlines) -> Select[Any]:
    """Select the key "report id:step" of the next escalation of each open report that has a
    deadline for a response, and to which the police have not responded; without merged reports."""
    step = func.coalesce(reports.c.response_step, 0) + 1
    key = func.concat(reports.c.report_id, ":", step)
    return select(key.label("key")).where(
        reports.c.status.in_(QUEUE),
        reports.c.response_due_at.is_not(None),
        reports.c.response_ended_at.is_(None),
        reports.c.parent.is_(None),
        step <= _steps(deadlines, DeadlineKind.RESPONSE),
    )


# The keys of the end of each wait for a reporter; questions of earlier releases had no such end.
WAITS: Select[Any] = select(
    func.concat(reports.c.report_id, ":", reports.c.questions, ":0").label("key")
).where(reports.c.status == Status.WAITS_FOR_REPORTER.value, reports.c.waits_until.is_not(None))
# Reports whose deadline has no date, because the working calendar of its year is missing.
UNDATED: Select[Any] = select(
    func.concat(reports.c.report_id, ":", reports.c.deadline_number).label("key")
).where(reports.c.due_at.is_(None), reports.c.deadline_rule.is_not(None))


def _steps(deadlines: ReportDeadlines, kind: DeadlineKind) -> ColumnElement[int]:
    """The number of escalation steps of a report's clock, in SQL, by its category and urgency."""
    counts = {category.value: len(deadlines.ladder(kind, category)) for category in Category}
    steps = case(counts, value=reports.c.category, else_=0)
    if kind is DeadlineKind.ANSWER:
        return steps
    is_urgent = reports.c.urgency == Urgency.CONFIRMED.value
    own_ladder = [*EMERGENCIES, Category.COMPLAINT_ABOUT_OFFICER]
    of_urgent = is_urgent & reports.c.category.not_in([each.value for each in own_ladder])
    return case((of_urgent, len(deadlines.ladder(kind, URGENT_AS))), else_=steps)
