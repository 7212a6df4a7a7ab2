"""Changes of the deadline by which a report must be answered."""

from dataclasses import replace
from datetime import datetime

from citizen_reports.model.deadlines import Deadlines
from citizen_reports.model.refusals import AlreadyExtended, DeadlinePassed, ExtensionNotAllowed
from citizen_reports.model.report import Report


def extended(report: Report, working_days: int, now: datetime, deadlines: Deadlines) -> Report:
    """Return the report with the deadline of its answer postponed by `working_days`.

    Raises AlreadyExtended, ExtensionNotAllowed if the law excludes the report's category or the
    answer has no running deadline, DeadlinePassed if it has passed, or CalendarYearMissing.
    """
    if report.extended_at is not None:
        raise AlreadyExtended
    if report.category in deadlines.table.extension_never or report.answer_due_at is None:
        raise ExtensionNotAllowed
    if now >= report.answer_due_at:
        raise DeadlinePassed
    assert report.deadline is not None
    later = replace(report, extended_at=now, version=report.version + 1)
    return later.with_deadline(deadlines.extended(report.deadline, working_days))


def dated(report: Report, deadlines: Deadlines) -> Report:
    """Return the report with a date for its answer, if it had none because a calendar was missing
    and the calendar is known now. Otherwise return `report` itself."""
    if report.deadline is None or report.deadline.due_at is not None:
        return report
    due = deadlines.of(report.category, report.region, report.answer_started_at)
    if due.due_at is None:
        return report
    due = deadlines.after_waiting(due, report.waiting.waited)
    return replace(report, version=report.version + 1).with_deadline(due)
