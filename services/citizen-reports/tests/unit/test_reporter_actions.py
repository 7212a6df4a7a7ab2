"""What is offered to a reporter follows from the deciding methods, row by row."""

from dataclasses import replace

import pytest
from citizen_reports.model.categories import TAKEN_FROM_ABROAD, Category
from citizen_reports.model.refusals import ReportEmpty, WithdrawalNotAllowed
from citizen_reports.model.report import Report
from citizen_reports.model.reporter_actions import ReporterAction, actions_of_reporter
from citizen_reports.model.statuses import Status
from citizen_reports.model.withdrawal import withdrawn

from .test_transitions import DEADLINES, NOW, a_report

PUT, SUBMIT, REPLY, DISPUTE, WITHDRAW = ReporterAction


def offered(report: Report, *, is_complete: bool = True) -> set[ReporterAction]:
    def require_complete() -> None:
        if not is_complete:
            raise ReportEmpty

    return set(actions_of_reporter(report, DEADLINES, NOW, require_complete))


@pytest.mark.parametrize(
    ("status", "actions"),
    [
        (Status.OPEN, {PUT, SUBMIT, WITHDRAW}),
        (Status.REGISTERED, {WITHDRAW}),
        (Status.ROUTED, {WITHDRAW}),
        (Status.IN_WORK, {WITHDRAW}),
        (Status.WAITS_FOR_REPORTER, {REPLY, WITHDRAW}),
        (Status.ANSWERED, {DISPUTE}),
        (Status.DISPUTED, set()),
        (Status.CLOSED, set()),
        (Status.WITHDRAWN, set()),
    ],
)
def test_a_status_offers_what_its_transitions_allow(
    status: Status, actions: set[ReporterAction]
) -> None:
    for category in (Category.TRAFFIC_VIOLATION, Category.OTHER):
        assert offered(a_report(status, category)) == actions


def test_a_draft_that_lacks_something_is_not_offered_for_submission() -> None:
    assert offered(a_report(Status.OPEN), is_complete=False) == {PUT, WITHDRAW}


def test_an_answer_is_offered_for_dispute_once() -> None:
    assert offered(replace(a_report(Status.ANSWERED), disputed_at=NOW)) == set()


def why_not(report: Report) -> str:
    """The reason for which a report is not withdrawn; "" if it is."""
    assert (WITHDRAW in offered(report)) is not _is_refused(report)
    try:
        taken_back = withdrawn(report)
    except WithdrawalNotAllowed as refusal:
        return refusal.facts["reason"]
    assert (taken_back.status, taken_back.waiting.since) == (Status.WITHDRAWN, None)
    assert taken_back.due_at is None
    return ""


def _is_refused(report: Report) -> bool:
    try:
        withdrawn(report)
    except WithdrawalNotAllowed:
        return True
    return False


BEFORE_ANSWER = (Status.REGISTERED, Status.ROUTED, Status.IN_WORK, Status.WAITS_FOR_REPORTER)


@pytest.mark.parametrize("category", Category)
def test_a_draft_is_withdrawn_whatever_it_is_about(category: Category) -> None:
    assert why_not(a_report(Status.OPEN, category)) == ""


@pytest.mark.parametrize("category", sorted(TAKEN_FROM_ABROAD))
@pytest.mark.parametrize("status", BEFORE_ANSWER)
def test_what_may_be_a_crime_or_danger_is_handled_once_registered(
    status: Status, category: Category
) -> None:
    assert why_not(a_report(status, category)) == "crime_or_danger"


def test_a_complaint_is_withdrawn_until_it_is_in_work() -> None:
    reasons = [
        why_not(a_report(status, Category.COMPLAINT_ABOUT_OFFICER)) for status in BEFORE_ANSWER
    ]
    assert reasons == ["", "", "complaint_in_work", "complaint_in_work"]


def test_accepted_evidence_is_not_withdrawn() -> None:
    accepted = a_report(Status.IN_WORK).accept_traffic("RED_LIGHT")
    assert why_not(accepted) == "evidence_accepted"


@pytest.mark.parametrize("status", [Status.ANSWERED, Status.DISPUTED, Status.CLOSED])
@pytest.mark.parametrize("category", Category)
def test_an_answered_report_is_not_withdrawn(status: Status, category: Category) -> None:
    assert why_not(a_report(status, category)) == "answered"
