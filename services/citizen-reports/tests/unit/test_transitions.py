"""The way of a report: every pair of action and status, row by row."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from chassis.refusals import Refusal
from citizen_reports.model.categories import Category
from citizen_reports.model.law import read_law
from citizen_reports.model.numbers import SERIALS, number_of
from citizen_reports.model.refusals import (
    AlreadyDisputed,
    NothingAsked,
    NotTraffic,
    ReportNotAnswered,
    StatusNotAllowed,
    WithdrawalNotAllowed,
)
from citizen_reports.model.report import OUTCOMES, Receipt, Report
from citizen_reports.model.statuses import TRANSITIONS, Move, Status
from law.report_deadlines import Deadline

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)  # a Monday, 11:00 in Almaty
DEADLINES = read_law().deadlines
DUE = DEADLINES.of(Category.TRAFFIC_VIOLATION, "KZ-75", NOW)
RECEIPT = Receipt("KZ75-2026-0000001", NOW, DUE, "KZ-75-traffic", b"x" * 32)


def a_report(status: Status, category: Category = Category.TRAFFIC_VIOLATION) -> Report:
    report = Report(
        report_id=UUID(int=1),
        partner="kaspi",
        category=category,
        region="KZ-75",
        status=status,
        language="kk",
        occurred_at=NOW,
        opened_at=NOW,
        story="",
    )
    if status is Status.OPEN:
        return report
    waits = NOW if status is Status.WAITS_FOR_REPORTER else None
    return replace(report, receipt=RECEIPT, deadline=DUE, deadline_number=1, waits_since=waits)


def act(move: Move, report: Report) -> Report:
    later = NOW + timedelta(hours=1)
    moves = {
        Move.SUBMIT: lambda: report.submit(RECEIPT),
        Move.ROUTE: lambda: report.route("KZ-75-duty"),
        Move.TAKE: lambda: report.take("s", frozenset({"supervisor"}), DEADLINES),
        Move.ASK: lambda: report.ask(later),
        Move.REPLY: lambda: report.reply(later, DEADLINES),
        Move.ACCEPT: lambda: report.accept_traffic("RED_LIGHT"),
        Move.ANSWER: lambda: report.answer("o", later),
        Move.DISPUTE: lambda: report.dispute(later, DUE),
        Move.CLOSE: report.close,
        Move.WITHDRAW: report.withdraw,
    }
    return moves[move]()


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("move", Move)
def test_the_table_alone_says_what_is_allowed(move: Move, status: Status) -> None:
    target = TRANSITIONS.get((status, move))
    report = a_report(status)
    if target is None:
        with pytest.raises(Refusal) as caught:
            act(move, report)
        named = StatusNotAllowed | NothingAsked | ReportNotAnswered | WithdrawalNotAllowed
        assert isinstance(caught.value, named)
    else:
        moved = act(move, report)
        assert (moved.status, moved.version) == (target, report.version + 1)


@pytest.mark.parametrize("ended", [Status.CLOSED, Status.WITHDRAWN])
def test_a_closed_or_withdrawn_report_never_moves_again(ended: Status) -> None:
    assert not [move for status, move in TRANSITIONS if status is ended]


def test_a_disputed_report_is_taken_by_oversight_alone() -> None:
    with pytest.raises(StatusNotAllowed):
        a_report(Status.DISPUTED).take("d", frozenset({"dispatcher"}), DEADLINES)


def test_an_answer_is_disputed_once() -> None:
    disputed = replace(a_report(Status.ANSWERED), disputed_at=NOW)
    with pytest.raises(AlreadyDisputed):
        disputed.dispute(NOW, DUE)


def test_only_traffic_becomes_a_candidate_and_only_once() -> None:
    with pytest.raises(NotTraffic):
        a_report(Status.IN_WORK, Category.OTHER).accept_traffic("RED_LIGHT")
    accepted = a_report(Status.IN_WORK).accept_traffic("RED_LIGHT")
    with pytest.raises(StatusNotAllowed):
        accepted.accept_traffic("RED_LIGHT")


def test_the_clock_stands_while_the_reporter_is_asked() -> None:
    asked = a_report(Status.IN_WORK).ask(NOW)
    assert not asked.is_overdue(DUE.due_at + timedelta(days=9))
    replied = asked.reply(NOW + timedelta(days=1), DEADLINES)
    assert replied.deadline is not None
    assert replied.deadline.due_at == DUE.due_at + timedelta(days=1)
    assert replied.deadline_number == asked.deadline_number + 1


def test_the_moment_of_the_deadline_is_overdue_and_the_one_before_is_not() -> None:
    report = a_report(Status.ROUTED)
    assert report.is_overdue(DUE.due_at)
    assert not report.is_overdue(DUE.due_at - timedelta(microseconds=1))


def test_taking_an_emergency_starts_the_clock_of_its_answer() -> None:
    due = DEADLINES.of(Category.INCIDENT_WITH_CHILD, "KZ-75", NOW)
    report = replace(
        a_report(Status.ROUTED, Category.INCIDENT_WITH_CHILD), deadline=due, escalation_step=2
    )
    taken = report.take("d", frozenset({"dispatcher"}), DEADLINES)
    assert taken.deadline is not None and taken.deadline.rule.startswith("appc.76.answer@")
    assert (taken.deadline_number, taken.escalation_step) == (2, 0)


def test_an_overtaken_outcome_changes_nothing() -> None:
    report = a_report(Status.IN_WORK)
    issued = report.with_outcome("fine_issued")
    assert issued.version == report.version + 1
    for outcome in ("violation_detected", "violation_confirmed", "fine_issued"):
        assert issued.with_outcome(outcome) is issued
    assert issued.with_outcome("violation_annulled").outcome == "violation_annulled"
    assert set(OUTCOMES) == {
        "violation_detected",
        "violation_confirmed",
        "violation_rejected",
        "violation_annulled",
        "fine_issued",
    }


def test_a_number_names_region_and_year_and_has_seven_digits() -> None:
    assert number_of("KZ-75", 2026, 12) == "KZ75-2026-0000012"
    assert number_of("KZ-75", 2026, SERIALS - 1) == "KZ75-2026-9999999"


def test_a_rerouted_report_belongs_to_nobody() -> None:
    report = replace(a_report(Status.IN_WORK), operator="o")
    routed = report.route("KZ-75-duty")
    assert (routed.operator, routed.unit, routed.deadline) == ("", "KZ-75-duty", report.deadline)
    assert isinstance(routed.deadline, Deadline)
