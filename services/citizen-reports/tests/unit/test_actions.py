"""What is offered at the desk follows from the deciding functions, row by row."""

from dataclasses import replace
from datetime import timedelta

import pytest
from citizen_reports.grpc_api.desk import METHODS, POLICY
from citizen_reports.model.actions import DeskAction, Files, allowed_actions
from citizen_reports.model.answer_dates import extended
from citizen_reports.model.categories import Category
from citizen_reports.model.law import read_law
from citizen_reports.model.raising import raised
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import QUEUE, Actor, Status
from law.calendar import Calendar
from law.report_deadlines import Deadline

from .test_transitions import DUE, NOW, a_report, an_emergency

DEADLINES = read_law().deadlines
DISPATCHER = Actor("dispatcher-1", frozenset({"dispatcher"}))
SUPERVISOR = Actor("supervisor-1", frozenset({"supervisor"}))
INSPECTOR = Actor("inspector-1", frozenset({"inspector"}))
SECURITY = Actor("security-1", frozenset({"internal_security"}))
TAKE, ROUTE, ASK, ANSWER, ACCEPT, ARRIVE, EXTEND, RAISE, CONFIRM, DECLINE, MERGE, UNMERGE = (
    DeskAction
)


def offered(report: Report, actor: Actor = DISPATCHER, *, stored: int = 1) -> set[DeskAction]:
    return set(allowed_actions(report, actor, DEADLINES, Files(stored), NOW))


@pytest.mark.parametrize(
    ("status", "actions"),
    [
        (Status.REGISTERED, {ROUTE, CONFIRM}),
        (Status.ROUTED, {TAKE, ROUTE, ACCEPT, RAISE, CONFIRM, MERGE}),
        (Status.IN_WORK, {ROUTE, ASK, ANSWER, ACCEPT, RAISE, CONFIRM, MERGE}),
        (Status.WAITS_FOR_REPORTER, {ANSWER, RAISE, CONFIRM}),
        (Status.ANSWERED, {RAISE}),
        (Status.DISPUTED, {RAISE, CONFIRM}),
        (Status.CLOSED, {RAISE}),
        (Status.WITHDRAWN, set()),
    ],
)
def test_a_status_offers_what_its_transitions_allow(
    status: Status, actions: set[DeskAction]
) -> None:
    assert offered(a_report(status)) == actions


def test_a_disputed_report_is_offered_to_oversight_alone() -> None:
    disputed = a_report(Status.DISPUTED)
    assert [offered(disputed, actor) for actor in (DISPATCHER, INSPECTOR)] == [{RAISE, CONFIRM}] * 2
    assert [offered(disputed, actor) for actor in (SUPERVISOR, SECURITY)] == [
        {TAKE, EXTEND, RAISE, CONFIRM},
        {TAKE, RAISE, CONFIRM},
    ]
    theirs = replace(disputed, disputed_at=NOW, answered_by=SUPERVISOR.operator_id)
    assert offered(theirs, SUPERVISOR) == {EXTEND, RAISE, CONFIRM}


def test_evidence_is_accepted_once_of_traffic_with_something_to_look_at() -> None:
    in_work = a_report(Status.IN_WORK)
    assert ACCEPT in offered(in_work, INSPECTOR)
    assert ACCEPT not in offered(in_work, INSPECTOR, stored=0)
    assert ACCEPT not in offered(replace(in_work, offence_code="RED_LIGHT"))
    assert ACCEPT not in offered(replace(in_work, category=Category.INCIDENT))
    assert ACCEPT not in offered(in_work, SECURITY)


def test_an_emergency_that_was_raised_to_a_complaint_can_be_reached_and_answered() -> None:
    emergency = an_emergency(Status.IN_WORK)
    unit = emergency.unit
    complaint = raised(emergency, Category.COMPLAINT_ABOUT_OFFICER, unit, NOW, DEADLINES)
    in_work = complaint.take(SECURITY, NOW, DEADLINES)
    assert in_work.response_due_at is not None, "its response is still waited for"
    assert ARRIVE in offered(in_work, SECURITY) and ANSWER not in offered(in_work, SECURITY)
    assert ANSWER in offered(in_work.arrive(NOW), SECURITY)


def test_whoever_has_no_role_at_the_desk_is_offered_nothing() -> None:
    nobody = Actor("x", frozenset({"auditor"}))
    assert [offered(a_report(status), nobody) for status in QUEUE] == [set()] * len(QUEUE)


def test_what_a_missing_calendar_would_refuse_is_not_offered() -> None:
    """Taking an emergency of before there were two clocks counts the days of its answer, and an
    extension counts days; a year without a table refuses that."""
    emergency = replace(
        a_report(Status.ROUTED, Category.INCIDENT_WITH_CHILD),
        deadline=Deadline(NOW, "emergency.response.city@2026-11#x"),
    )
    assert TAKE in offered(emergency)
    hours = replace(DEADLINES.table.hours, calendar=Calendar({}))
    bare = replace(DEADLINES, table=replace(DEADLINES.table, hours=hours))
    assert TAKE not in allowed_actions(emergency, DISPATCHER, bare, Files(), NOW)
    assert EXTEND not in allowed_actions(a_report(Status.ROUTED), SUPERVISOR, bare, Files(), NOW)


def test_an_emergency_is_answered_after_an_arrival() -> None:
    in_work = an_emergency(Status.IN_WORK)
    assert ARRIVE in offered(in_work) and ANSWER not in offered(in_work)
    arrived = in_work.arrive(NOW)
    assert ARRIVE not in offered(arrived) and ANSWER in offered(arrived)
    assert ARRIVE not in offered(a_report(Status.IN_WORK))


def test_a_supervisor_alone_extends_and_once() -> None:
    in_work = a_report(Status.IN_WORK)
    assert [EXTEND in offered(in_work, actor) for actor in (DISPATCHER, SUPERVISOR)] == [
        False,
        True,
    ]
    assert EXTEND not in offered(extended(in_work, 3, NOW, DEADLINES), SUPERVISOR)


def test_every_action_has_one_method_with_its_roles() -> None:
    assert sorted(METHODS.values()) == sorted(DeskAction)
    assert {f"/tartip.reports.v1.ReportDesk/{method}" for method in METHODS} < set(POLICY)


@pytest.mark.parametrize("status", Status)
def test_a_deadline_is_told_only_while_its_clock_runs(status: Status) -> None:
    runs = status in set(QUEUE) - {Status.WAITS_FOR_REPORTER}
    report = a_report(status)
    assert DUE.due_at is not None
    assert report.due_at == (DUE.due_at if runs else None)
    assert report.is_overdue(DUE.due_at + timedelta(days=1)) is runs
