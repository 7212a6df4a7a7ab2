"""The withdrawal of a report by its reporter.

The law does not say what a withdrawal ends. The assumption here: a withdrawal ends a request (APPC
64), but not the duty of the police to handle what may be a crime (CPC 179).
"""

from dataclasses import replace

from citizen_reports.model.categories import TAKEN_FROM_ABROAD
from citizen_reports.model.refusals import WithdrawalNotAllowed
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import BEFORE_WORK, TRANSITIONS, Move


def withdrawn(report: Report) -> Report:
    """Return the report with the status WITHDRAWN and no parent. Raises WithdrawalNotAllowed."""
    may_move = (report.status, Move.WITHDRAW) in TRANSITIONS
    reason = _duty_to_handle(report) if may_move else "answered"
    if reason:
        facts = {"reason": reason, "status": report.status.value}
        raise WithdrawalNotAllowed(facts=facts)
    waiting = replace(report.waiting, since=None, until=None)
    return replace(report.moved(Move.WITHDRAW), waiting=waiting, parent=None)


def _duty_to_handle(report: Report) -> str:
    """The reason why the police must handle a report even if its reporter withdraws it; "" if there
    is none, as for a draft, which was not submitted to the police."""
    if report.receipt is None:
        return ""
    if report.reported_category is not None:  # the reason hides to which category it was raised
        return "must_be_handled"
    if report.category in TAKEN_FROM_ABROAD:
        return "crime_or_danger"
    if report.is_complaint and report.status not in BEFORE_WORK:
        return "complaint_in_work"
    return "evidence_accepted" if report.offence_code else ""
