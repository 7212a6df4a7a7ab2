"""Decisions that change who may see and handle a report.

A report is raised to a more secret category, the subject of a complaint is settled, or the posting
of a report's operator ends.
"""

from dataclasses import replace
from datetime import datetime

from citizen_reports.model.categories import Category, is_more_secret
from citizen_reports.model.deadlines import Deadlines
from citizen_reports.model.merging import on_its_own
from citizen_reports.model.refusals import CategoryNotRaised, NotAComplaint
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Move


def raised(
    report: Report, category: Category, unit: str, now: datetime, deadlines: Deadlines
) -> Report:
    """Return the report with this more secret category, the status ROUTED, this unit, no operator
    and no parent.

    If the new category has a response, its time begins at `now`. The answer is due by the rule of
    the new category, counted from registration, unless the running deadline is earlier. Raises
    CategoryNotRaised or StatusNotAllowed.
    """
    if not is_more_secret(category, report.category):
        raise CategoryNotRaised(facts={"category": report.category.value})
    report = on_its_own(report)
    changed = replace(
        report.moved(Move.RAISE),
        category=category,
        reported_category=report.category_of_app,
        unit=unit,
        operator="",
        waiting=replace(report.waiting, since=None, until=None),
    )
    assert report.receipt is not None
    response = deadlines.response_of(category, report.region, now)
    if response is not None:
        receipt = replace(report.receipt, response=response)
        changed = replace(changed, receipt=receipt, response_ended_at=None, response_step=None)
    answer = deadlines.of(category, report.region, report.receipt.registered_at)
    current, new = report.answer_due_at, answer.due_at
    stays = current is not None and new is not None and current <= new
    return changed if stays else changed.with_deadline(answer)


def subject_settled(report: Report) -> Report:
    """Return the complaint as a new version, once its subject is settled. Raises NotAComplaint."""
    if not report.is_complaint:
        raise NotAComplaint
    return replace(report, version=report.version + 1)


def released(report: Report) -> Report:
    """Return the report without its operator, whose posting has ended. A report IN_WORK gets the
    status ROUTED. Raises StatusNotAllowed."""
    return replace(report.moved(Move.RELEASE), operator="")
