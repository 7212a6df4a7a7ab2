"""Changes of the date by which a report is to be answered."""

from dataclasses import replace
from datetime import datetime

from citizen_reports.model.deadlines import Deadlines
from citizen_reports.model.refusals import AlreadyExtended, DeadlinePassed, ExtensionNotAllowed
from citizen_reports.model.report import Report


def extended(report: Report, working_days: int, now: datetime, deadlines: Deadlines) -> Report:
    """Return the report with the deadline of its answer extended by working days, which is possible
    once, before it has passed.

    Raises ExtensionNotAllowed, AlreadyExtended, DeadlinePassed or CalendarYearMissing.
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
    """Return the report with a date for its answer, if it had none because the calendar was
    missing and the calendar is known now. Otherwise return the report unchanged."""
    if report.deadline is None or report.deadline.due_at is not None:
        return report
    due = deadlines.of(report.category, report.region, report.answer_started_at)
    if due.due_at is None:
        return report
    due = deadlines.after_waiting(due, report.waiting.waited)
    return replace(report, version=report.version + 1).with_deadline(due)
