"""What is merged follows its parent, without its words; what may not be is refused by name."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from chassis.clock import new_id
from citizen_reports.model.actions import DeskAction, Files, allowed_actions
from citizen_reports.model.answer_dates import extended
from citizen_reports.model.categories import Category
from citizen_reports.model.deadlines import DeadlineKind
from citizen_reports.model.draft import LANGUAGES
from citizen_reports.model.merging import (
    answer_to_follower,
    followed,
    may_follow,
    merged,
    on_its_own,
    require_own,
    unmerged,
)
from citizen_reports.model.raising import raised
from citizen_reports.model.refusals import MergeNotAllowed, ReportMerged, StatusNotAllowed
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import QUEUE, Status, Urgency
from citizen_reports.model.withdrawal import withdrawn
from law.report_deadlines import Deadline

from .test_transitions import DEADLINES, DISPATCHER, DUE, NOW, SUPERVISOR, a_report, an_emergency

LATER = NOW + timedelta(hours=1)
assert DUE.due_at is not None
EARLIER = Deadline(DUE.due_at - timedelta(days=1), DUE.rule)


def two(
    status: Status = Status.ROUTED, category: Category = Category.OTHER
) -> tuple[Report, Report]:
    """A report, and one of this status under which it may be merged."""
    report = a_report(Status.ROUTED, category)
    return report, replace(a_report(status, category), report_id=new_id(), unit="KZ-75-duty")


def emergencies(status: Status = Status.IN_WORK) -> tuple[Report, Report]:
    report = an_emergency(Status.ROUTED)
    return report, replace(an_emergency(status), report_id=new_id())


@pytest.mark.parametrize(
    ("of_report", "of_parent", "reason"),
    [
        ({"region": "KZ-71"}, {}, "other_region"),
        ({"category": Category.INCIDENT}, {}, "other_category"),
        ({}, {"category": Category.DOMESTIC_VIOLENCE}, "other_category"),
        ({}, {"category": Category.COMPLAINT_ABOUT_OFFICER}, "other_category"),
        ({"category": Category.COMPLAINT_ABOUT_OFFICER}, {}, "complaint"),
        ({"parent": UUID(int=1)}, {}, "merged_already"),
        ({}, {"parent": UUID(int=1)}, "parent_is_merged"),
        ({"disputed_at": NOW}, {}, "disputed"),
        ({"offence_code": "RED_LIGHT"}, {}, "evidence_accepted"),
        ({"arrived_at": NOW}, {}, "arrived"),
        ({"urgency": Urgency.PROPOSED}, {}, "urgency_not_judged"),
        ({"status": Status.WAITS_FOR_REPORTER}, {}, "waits_for_reporter"),
        ({"status": Status.ANSWERED}, {}, "answered"),
        ({}, {"status": Status.WAITS_FOR_REPORTER}, "parent_waits_for_reporter"),
        ({}, {"status": Status.ANSWERED}, "parent_answered"),
        ({}, {"status": Status.WITHDRAWN}, "parent_withdrawn"),
        ({"deadline": EARLIER}, {}, "due_later"),
    ],
)
def test_what_may_not_be_merged_is_refused_by_name(
    of_report: dict[str, object], of_parent: dict[str, object], reason: str
) -> None:
    report, parent = two()
    with pytest.raises(MergeNotAllowed) as refused:
        merged(replace(report, **of_report), replace(parent, **of_parent))  # type: ignore[arg-type]
    assert refused.value.facts["reason"] == reason


def test_a_report_is_not_merged_under_itself_nor_complaints_under_each_other() -> None:
    report, _ = two()
    complaint, other = two(category=Category.COMPLAINT_ABOUT_OFFICER)
    for child, parent, reason in ((report, report, "same_report"), (complaint, other, "complaint")):
        with pytest.raises(MergeNotAllowed) as refused:
            merged(child, parent)
        assert refused.value.facts["reason"] == reason


def test_an_emergency_is_not_merged_where_the_police_would_have_more_time() -> None:
    report, parent = emergencies()
    assert report.receipt is not None and report.response is not None
    due_at = report.response.due_at
    assert due_at is not None
    sooner = replace(report.response, due_at=due_at - timedelta(minutes=1))
    hurried = replace(report, receipt=replace(report.receipt, response=sooner))
    with pytest.raises(MergeNotAllowed) as refused:
        merged(hurried, parent)
    assert refused.value.facts["reason"] == "due_later"
    merged(hurried, parent.arrive(LATER))  # they are there
    merged(report, parent)


def test_merging_changes_no_date_and_nothing_of_the_parent() -> None:
    report, parent = two(Status.IN_WORK)
    child = merged(report, replace(parent, deadline=EARLIER))
    assert (child.parent, child.version) == (parent.report_id, report.version + 1)
    assert (child.deadline, child.receipt) == (report.deadline, report.receipt)
    assert child.deadline_number == report.deadline_number
    assert (child.status, child.unit, child.operator) == (Status.IN_WORK, "KZ-75-duty", "")


def test_an_answer_that_waits_is_set_aside() -> None:
    report, parent = two(Status.IN_WORK)
    assert merged(replace(report, waiting_answer=new_id()), parent).waiting_answer is None


def test_the_clocks_of_what_follows_another_do_not_run() -> None:
    report, parent = emergencies()
    child = merged(report, parent)
    assert [child.due_of(kind) for kind in DeadlineKind] == [None, None]
    assert not child.is_overdue(NOW + timedelta(days=400))
    assert child.due_at == report.due_at, "which its reporter was told"


def test_what_happens_to_the_parent_happens_to_those_that_follow_and_once() -> None:
    report, parent = emergencies(Status.ROUTED)
    child = merged(report, parent)
    reached = parent.take(DISPATCHER, LATER, DEADLINES).arrive(LATER)
    child = followed(child, reached)
    assert (child.status, child.arrived_at, child.operator) == (Status.IN_WORK, LATER, "")
    answered = reached.answer(DISPATCHER, "measures_taken", LATER)
    child = followed(child, answered)
    assert (child.status, child.closing_outcome) == (Status.ANSWERED, "measures_taken")
    assert (child.answered_at, child.answered_by) == (LATER, "d")
    assert followed(child, answered) is child


def test_once_answered_it_follows_what_comes_of_the_evidence_alone() -> None:
    report, parent = two(Status.IN_WORK)
    answered = parent.answer(DISPATCHER, "measures_taken", LATER)
    child = followed(merged(report, parent), answered)
    assert followed(child, answered.dispute(LATER, EARLIER)) is child
    assert followed(child, answered.close()) is child
    fined = followed(child, answered.with_outcome("fine_issued"))
    assert (fined.outcome, fined.status) == ("fine_issued", Status.ANSWERED)


def test_its_date_moves_only_where_the_parent_is_due_later_by_now() -> None:
    report, parent = two(Status.IN_WORK)
    child = merged(report, parent)
    longer = extended(parent, 3, LATER, DEADLINES)
    after = followed(child, longer)
    assert (after.deadline, after.extended_at) == (longer.deadline, LATER)
    shorter = followed(child, replace(parent, deadline=EARLIER))
    assert shorter is child


def test_of_what_follows_another_the_desk_may_raise_or_unmerge_alone() -> None:
    child = merged(*two(Status.IN_WORK))
    actions = allowed_actions(child, DISPATCHER, DEADLINES, Files(), LATER)
    assert set(actions) == {DeskAction.RAISE, DeskAction.UNMERGE}
    with pytest.raises(ReportMerged):
        require_own(child)
    own = allowed_actions(unmerged(child), DISPATCHER, DEADLINES, Files(), LATER)
    assert DeskAction.MERGE in own and DeskAction.UNMERGE not in own


def test_unmerged_it_is_handled_from_the_beginning_with_its_own_dates() -> None:
    report, parent = emergencies()
    own = unmerged(merged(report, parent.arrive(LATER)))
    assert (own.parent, own.status, own.operator) == (None, Status.ROUTED, "")
    assert (own.deadline, own.response_due_at) == (report.deadline, report.response_due_at)
    assert own.deadline_number == report.deadline_number + 1, "its work is scheduled anew"
    assert unmerged(own) is own
    answered = replace(merged(report, parent), status=Status.ANSWERED)
    with pytest.raises(StatusNotAllowed):
        unmerged(answered)


def test_raised_withdrawn_or_disputed_a_report_follows_no_other() -> None:
    report, parent = two(Status.IN_WORK)
    child = merged(report, parent)
    for category in (Category.DOMESTIC_VIOLENCE, Category.COMPLAINT_ABOUT_OFFICER):
        own = raised(child, category, "KZ-75-protection", LATER, DEADLINES)
        assert (own.parent, own.unit) == (None, "KZ-75-protection")
        assert own.deadline_number > child.deadline_number, "its clock runs again"
    assert withdrawn(child).parent is None
    answered = followed(child, parent.answer(DISPATCHER, "measures_taken", LATER))
    disputed = answered.dispute(LATER, DUE)
    assert (disputed.parent, disputed.status) == (None, Status.DISPUTED)
    disputed.take(SUPERVISOR, LATER, DEADLINES)


def test_a_parent_that_is_raised_moved_or_taken_back_is_not_followed() -> None:
    child, parent = merged(*two()), two()[1]
    assert may_follow(child, parent)
    secret = raised(parent, Category.DOMESTIC_VIOLENCE, "KZ-75-protection", NOW, DEADLINES)
    for gone in (secret, parent.move("KZ-71"), withdrawn(parent)):
        assert not may_follow(child, gone)


def test_whoever_waits_for_no_other_leaves_none() -> None:
    for status in QUEUE:
        report = a_report(status)
        assert on_its_own(report) is report


def test_the_answer_names_the_outcome_in_every_language_a_report_may_have() -> None:
    answers = {answer_to_follower(language, "the outcome") for language in LANGUAGES}
    assert len(answers) == len(LANGUAGES)
    assert all("the outcome" in answer for answer in answers)
