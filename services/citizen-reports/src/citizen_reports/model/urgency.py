"""The urgency of reports whose category is no emergency: words of the reporter propose that such a
report is urgent, and an operator confirms or declines the urgency. Nothing makes a report less
urgent than its category."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from citizen_reports.model.categories import EMERGENCIES, Category
from citizen_reports.model.danger_words import Reason, read_lexicon
from citizen_reports.model.deadlines import DeadlineKind, Deadlines
from citizen_reports.model.refusals import AlreadyUrgent, StatusNotAllowed, UrgencyNotProposed
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import QUEUE, Urgency

# In the queue, a proposed urgency counts as a deadline this long after registration.
LOOK_WITHIN = timedelta(minutes=5)  # tidy: our own promise, not a term
# The category whose response and escalation apply to reports of confirmed urgency.
URGENT_AS = Category.ROAD_ACCIDENT


def reasons_of(report: Report, text: str, address: str = "") -> tuple[Reason, ...]:
    """Return the reasons why a report is urgent, found in the reporter's `text` and in `address`.
    Returns () for emergencies, which are urgent by their category."""
    if report.category in EMERGENCIES:
        return ()
    return read_lexicon().reasons(text, address, report.category.value)


def proposed(report: Report, reasons: Sequence[Reason]) -> Report:
    """Return the report with its urgency PROPOSED if there are reasons, unless it is CONFIRMED."""
    if not reasons or report.urgency is Urgency.CONFIRMED:
        return report
    return replace(report, urgency=Urgency.PROPOSED)


def confirmed(report: Report, now: datetime, deadlines: Deadlines) -> Report:
    """Return the report with its urgency CONFIRMED, whether it was proposed or not. Its response is
    due as for a road accident at `now`, except for complaints, which internal security handles.

    Raises AlreadyUrgent for emergencies, or StatusNotAllowed if the report is not open.
    """
    if report.category in EMERGENCIES:
        raise AlreadyUrgent
    if report.status not in QUEUE:
        raise StatusNotAllowed(facts={"status": report.status.value})
    urgent = replace(report, urgency=Urgency.CONFIRMED, version=report.version + 1)
    response = deadlines.response_of(URGENT_AS, report.region, now)
    if report.is_complaint or response is None:
        return urgent
    assert report.receipt is not None
    receipt = replace(report.receipt, response=response)
    return replace(urgent, receipt=receipt, response_ended_at=None, response_step=None)


def declined(report: Report) -> Report:
    """Return the report with its proposed urgency DECLINED. Raises UrgencyNotProposed."""
    if report.urgency is not Urgency.PROPOSED:
        raise UrgencyNotProposed
    return replace(report, urgency=Urgency.DECLINED, version=report.version + 1)


def comes_first(report: Report) -> bool:
    """Whether a report precedes others in the queue, whatever their deadlines: it is an open
    emergency at which nobody has arrived yet."""
    return report.is_emergency and report.status in QUEUE and report.arrived_at is None


def look_at(report: Report) -> datetime | None:
    """Return until when an operator must judge a proposed urgency; None if none is proposed."""
    if report.urgency is not Urgency.PROPOSED or report.receipt is None:
        return None
    return report.receipt.registered_at + LOOK_WITHIN


def ladder_category(report: Report, kind: DeadlineKind) -> Category:
    """Return the category by whose steps the report is escalated when this clock has ended."""
    own = report.category in EMERGENCIES or report.is_complaint
    if own or kind is DeadlineKind.ANSWER or report.urgency is not Urgency.CONFIRMED:
        return report.category
    return URGENT_AS
