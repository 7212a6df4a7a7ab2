"""The way of a report: every pair of action and status, row by row."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from chassis.refusals import Refusal
from citizen_reports.model.answer_dates import dated, extended
from citizen_reports.model.categories import EMERGENCIES, Category
from citizen_reports.model.law import read_law
from citizen_reports.model.numbers import SERIALS, number_of
from citizen_reports.model.raising import raised, released
from citizen_reports.model.receipt import Receipt
from citizen_reports.model.refusals import (
    AlreadyDisputed,
    AlreadyExtended,
    AnotherOfficerRequired,
    ArrivalNotExpected,
    ArrivalRequired,
    DeadlinePassed,
    ExtensionNotAllowed,
    NothingAsked,
    NotTraffic,
    ReportNotAnswered,
    StatusNotAllowed,
    WaitingTimeUsed,
    WithdrawalNotAllowed,
)
from citizen_reports.model.report import OUTCOMES, Report
from citizen_reports.model.statuses import TRANSITIONS, Actor, Move, Status
from citizen_reports.model.waiting import NOT_ASKED, Waiting
from citizen_reports.model.withdrawal import withdrawn
from law.report_deadlines import Deadline

COMPLAINT = Category.COMPLAINT_ABOUT_OFFICER
NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)  # a Monday, 11:00 in Almaty
DEADLINES = read_law().deadlines
DUE = DEADLINES.of(Category.TRAFFIC_VIOLATION, "KZ-75", NOW)
REASON = DEADLINES.table.question_reasons[0]
DISPATCHER = Actor("d", frozenset({"dispatcher"}))
SUPERVISOR = Actor("s", frozenset({"supervisor"}))
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
    waits = status is Status.WAITS_FOR_REPORTER
    waiting = Waiting(NOW, NOW + timedelta(days=10), 1) if waits else NOT_ASKED
    return replace(
        report,
        receipt=RECEIPT,
        deadline=DUE,
        deadline_number=1,
        waiting=waiting,
        disputed_at=NOW if status is Status.DISPUTED else None,
    )


def act(move: Move, report: Report) -> Report:
    later = NOW + timedelta(hours=1)
    moves: dict[Move, Callable[[], Report]] = {
        Move.SUBMIT: lambda: report.submit(RECEIPT),
        Move.ROUTE: lambda: report.route("KZ-75-duty"),
        Move.TAKE: lambda: report.take(SUPERVISOR, later, DEADLINES),
        Move.ASK: lambda: report.ask(REASON, later, DEADLINES),
        Move.REPLY: lambda: report.reply(later, DEADLINES),
        Move.GO_ON: lambda: report.go_on(later, DEADLINES),
        Move.ACCEPT: lambda: report.accept_traffic("RED_LIGHT"),
        Move.ANSWER: lambda: report.answer(SUPERVISOR, "explained", later),
        Move.DISPUTE: lambda: report.dispute(later, DUE),
        Move.CLOSE: report.close,
        Move.RAISE: lambda: raised(report, COMPLAINT, "internal-security", later, DEADLINES),
        Move.RELEASE: lambda: released(report),
        Move.WITHDRAW: lambda: withdrawn(report),
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
        named = (
            StatusNotAllowed
            | NothingAsked
            | ReportNotAnswered
            | AlreadyDisputed
            | WithdrawalNotAllowed
        )
        assert isinstance(caught.value, named)
    else:
        moved = act(move, report)
        assert (moved.status, moved.version) == (target, report.version + 1)


@pytest.mark.parametrize(
    ("ended", "moves"), [(Status.CLOSED, {Move.RAISE}), (Status.WITHDRAWN, set())]
)
def test_what_has_ended_moves_again_only_where_it_turns_out_to_be_more_secret(
    ended: Status, moves: set[Move]
) -> None:
    assert {move for status, move in TRANSITIONS if status is ended} == moves


def test_a_disputed_report_is_taken_by_oversight_alone() -> None:
    with pytest.raises(StatusNotAllowed):
        disputed(Status.DISPUTED).take(DISPATCHER, NOW, DEADLINES)


def disputed(status: Status) -> Report:
    """A report whose answer, by `s`, was disputed."""
    return replace(a_report(status), disputed_at=NOW, answered_by="s")


def test_a_disputed_report_goes_to_another_officer_of_oversight_even_after_it_was_routed() -> None:
    other = Actor("t", frozenset({"supervisor"}))
    for status in (Status.DISPUTED, Status.ROUTED):
        with pytest.raises(AnotherOfficerRequired):
            disputed(status).take(SUPERVISOR, NOW, DEADLINES)
        with pytest.raises(StatusNotAllowed):
            disputed(status).take(DISPATCHER, NOW, DEADLINES)
        assert disputed(status).take(other, NOW, DEADLINES).operator == "t"
    in_work = disputed(Status.IN_WORK)
    with pytest.raises(AnotherOfficerRequired):
        in_work.answer(SUPERVISOR, "explained", NOW)
    with pytest.raises(StatusNotAllowed):
        in_work.answer(DISPATCHER, "explained", NOW)
    assert in_work.answer(other, "explained", NOW).answered_by == "t"


def test_an_answer_is_disputed_once() -> None:
    with pytest.raises(AlreadyDisputed):
        disputed(Status.ANSWERED).dispute(NOW, DUE)


def test_only_traffic_becomes_a_candidate_and_only_once() -> None:
    with pytest.raises(NotTraffic):
        a_report(Status.IN_WORK, Category.OTHER).accept_traffic("RED_LIGHT")
    accepted = a_report(Status.IN_WORK).accept_traffic("RED_LIGHT")
    with pytest.raises(StatusNotAllowed):
        accepted.accept_traffic("RED_LIGHT")


def test_the_clock_stands_while_the_reporter_is_asked() -> None:
    asked = a_report(Status.IN_WORK).ask(REASON, NOW, DEADLINES)
    assert DUE.due_at is not None
    assert not asked.is_overdue(DUE.due_at + timedelta(days=9))
    replied = asked.reply(NOW + timedelta(days=1), DEADLINES)
    assert replied.deadline is not None
    assert replied.deadline.due_at == DUE.due_at + timedelta(days=1)
    assert replied.deadline_number == asked.deadline_number + 1


def test_the_moment_of_the_deadline_is_overdue_and_the_one_before_is_not() -> None:
    report = a_report(Status.ROUTED)
    assert DUE.due_at is not None
    assert report.is_overdue(DUE.due_at)
    assert not report.is_overdue(DUE.due_at - timedelta(microseconds=1))


def an_emergency(status: Status = Status.ROUTED) -> Report:
    response = DEADLINES.response_of(Category.INCIDENT_WITH_CHILD, "KZ-75", NOW)
    report = a_report(status, Category.INCIDENT_WITH_CHILD)
    return replace(report, receipt=replace(RECEIPT, response=response))


def test_the_clock_of_an_emergency_is_ended_by_arrival_alone() -> None:
    """By neither its taking, a question, nor an answer."""
    report, minutes = an_emergency(), NOW + timedelta(minutes=7)
    assert report.due_at == report.response_due_at == minutes
    taken = report.take(DISPATCHER, NOW, DEADLINES)
    assert (taken.due_at, taken.answer_due_at) == (minutes, DUE.due_at)
    assert taken.is_overdue(minutes)
    asked = taken.ask(REASON, NOW, DEADLINES)
    assert (asked.due_at, asked.answer_due_at) == (minutes, None)
    for report in (taken, asked):
        with pytest.raises(ArrivalRequired):
            report.answer(DISPATCHER, "explained", NOW)
    arrived = taken.arrive(NOW + timedelta(minutes=5))
    assert (arrived.response_due_at, arrived.due_at) == (None, DUE.due_at)
    assert arrived.arrive(NOW + timedelta(minutes=6)) is arrived
    assert arrived.receipt == taken.receipt, "a receipt never changes"
    assert arrived.answer(DISPATCHER, "explained", NOW).status is Status.ANSWERED


def test_an_arrival_is_recorded_of_emergencies_alone() -> None:
    for report in (a_report(Status.IN_WORK), an_emergency(Status.CLOSED)):
        with pytest.raises(ArrivalNotExpected):
            report.arrive(NOW)


def test_the_clock_of_a_reported_crime_is_ended_by_its_taking() -> None:
    response = DEADLINES.response_of(Category.INCIDENT, "KZ-75", NOW)
    report = a_report(Status.ROUTED, Category.INCIDENT)
    report = replace(report, receipt=replace(RECEIPT, response=response))
    assert report.due_at == NOW + timedelta(hours=24)
    assert report.receipt is not None and report.receipt.arrival_due_at is None
    taken = report.take(DISPATCHER, NOW, DEADLINES)
    assert taken.due_at == DUE.due_at
    assert taken.route("KZ-75-duty").due_at == DUE.due_at
    with pytest.raises(ArrivalNotExpected):
        taken.arrive(NOW)


@pytest.mark.parametrize("category", Category)
def test_arrival_ends_the_clock_of_emergencies_and_of_nothing_else(category: Category) -> None:
    response = DEADLINES.response_of(category, "KZ-62", NOW)
    receipt = replace(RECEIPT, response=response)
    assert (receipt.arrival_due_at is not None) is (category in EMERGENCIES)


def test_an_emergency_of_before_there_were_two_clocks_has_its_answer_counted_on_taking() -> None:
    due = Deadline(NOW + timedelta(minutes=7), "emergency.response.city@2026-11#x")
    report = replace(
        a_report(Status.ROUTED, Category.INCIDENT_WITH_CHILD), deadline=due, escalation_step=2
    )
    taken = report.take(DISPATCHER, NOW, DEADLINES)
    assert taken.deadline is not None and taken.deadline.rule.startswith("appc.76.answer@")
    assert (taken.deadline_number, taken.escalation_step) == (2, 0)
    assert taken.answer(DISPATCHER, "explained", NOW).status is Status.ANSWERED


def test_a_question_stops_the_clock_for_as_long_as_its_reason_allows() -> None:
    asked = a_report(Status.IN_WORK).ask(REASON, NOW, DEADLINES)
    assert asked.waiting.until == NOW + timedelta(days=REASON.days)
    late = asked.go_on(NOW + timedelta(days=90), DEADLINES)
    assert late.status is Status.IN_WORK and late.deadline is not None
    assert late.waiting.waited == timedelta(days=REASON.days)
    assert late.deadline == DEADLINES.after_waiting(DUE, timedelta(days=REASON.days))


def test_all_questions_together_have_a_maximum() -> None:
    report = a_report(Status.IN_WORK)
    now, total = NOW, timedelta()
    while total < timedelta(days=DEADLINES.table.question_days_total):
        asked = report.ask(REASON, now, DEADLINES)
        now += timedelta(days=90)
        report = asked.go_on(now, DEADLINES)
        assert report.waiting.waited > total
        total = report.waiting.waited
    assert total == timedelta(days=DEADLINES.table.question_days_total)
    with pytest.raises(WaitingTimeUsed):
        report.ask(REASON, now, DEADLINES)


def test_a_deadline_is_extended_once_before_it_has_passed_and_never_of_a_complaint() -> None:
    report = a_report(Status.IN_WORK)
    assert DUE.due_at is not None
    later = extended(report, 5, NOW, DEADLINES)
    assert later.deadline == DEADLINES.extended(DUE, 5)
    assert (later.extended_at, later.deadline_number) == (NOW, 2)
    with pytest.raises(AlreadyExtended):
        extended(later, 5, NOW, DEADLINES)
    with pytest.raises(DeadlinePassed):
        extended(report, 5, DUE.due_at, DEADLINES)
    for fixed in (
        a_report(Status.IN_WORK, Category.COMPLAINT_ABOUT_OFFICER),
        a_report(Status.WAITS_FOR_REPORTER),
        a_report(Status.ANSWERED),
    ):
        with pytest.raises(ExtensionNotAllowed):
            extended(fixed, 5, NOW, DEADLINES)


def test_an_answer_without_a_date_gets_it_when_its_calendar_comes() -> None:
    undated = Deadline(None, "appc.76.answer@1#x missing:2028")
    report = replace(a_report(Status.ROUTED), deadline=undated)
    assert (report.due_at, report.is_overdue(NOW + timedelta(days=999))) == (None, False)
    known = dated(report, DEADLINES)
    assert (known.deadline, known.deadline_number) == (DUE, 2)
    assert dated(a_report(Status.ROUTED), DEADLINES).deadline_number == 1


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
