"""What is offered at the desk follows from the deciding functions, row by row."""

from dataclasses import replace
from datetime import timedelta

import pytest
from citizen_reports.grpc_api.desk import METHODS, POLICY
from citizen_reports.model.actions import Actor, DeskAction, Files, allowed_actions
from citizen_reports.model.categories import Category
from citizen_reports.model.law import read_law
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import QUEUE, Status
from law.calendar import Calendar

from .test_transitions import DUE, NOW, a_report

DEADLINES = read_law().deadlines
DISPATCHER = Actor("dispatcher-1", frozenset({"dispatcher"}))
SUPERVISOR = Actor("supervisor-1", frozenset({"supervisor"}))
INSPECTOR = Actor("inspector-1", frozenset({"inspector"}))
SECURITY = Actor("security-1", frozenset({"internal_security"}))
TAKE, ROUTE, ASK, ANSWER, ACCEPT = DeskAction


def offered(report: Report, actor: Actor = DISPATCHER, *, stored: int = 1) -> set[DeskAction]:
    return set(allowed_actions(report, actor, DEADLINES, Files(stored), NOW))


@pytest.mark.parametrize(
    ("status", "actions"),
    [
        (Status.REGISTERED, {ROUTE}),
        (Status.ROUTED, {TAKE, ROUTE, ACCEPT}),
        (Status.IN_WORK, {ROUTE, ASK, ANSWER, ACCEPT}),
        (Status.WAITS_FOR_REPORTER, {ANSWER}),
        (Status.ANSWERED, set()),
        (Status.DISPUTED, set()),
        (Status.CLOSED, set()),
        (Status.WITHDRAWN, set()),
    ],
)
def test_a_status_offers_what_its_transitions_allow(
    status: Status, actions: set[DeskAction]
) -> None:
    assert offered(a_report(status)) == actions


def test_a_disputed_report_is_offered_to_oversight_alone() -> None:
    disputed = a_report(Status.DISPUTED)
    assert [offered(disputed, actor) for actor in (DISPATCHER, INSPECTOR)] == [set(), set()]
    assert [offered(disputed, actor) for actor in (SUPERVISOR, SECURITY)] == [{TAKE}, {TAKE}]


def test_evidence_is_accepted_once_of_traffic_with_something_to_look_at() -> None:
    in_work = a_report(Status.IN_WORK)
    assert ACCEPT in offered(in_work, INSPECTOR)
    assert ACCEPT not in offered(in_work, INSPECTOR, stored=0)
    assert ACCEPT not in offered(replace(in_work, offence_code="RED_LIGHT"))
    assert ACCEPT not in offered(replace(in_work, category=Category.INCIDENT))
    assert ACCEPT not in offered(in_work, SECURITY)


def test_whoever_has_no_role_at_the_desk_is_offered_nothing() -> None:
    nobody = Actor("x", frozenset({"auditor"}))
    assert [offered(a_report(status), nobody) for status in QUEUE] == [set()] * len(QUEUE)


def test_what_a_missing_calendar_would_refuse_is_not_offered() -> None:
    """Taking an emergency counts the days of its answer; a year without a table refuses that."""
    emergency = replace(
        a_report(Status.ROUTED, Category.INCIDENT_WITH_CHILD),
        deadline=DEADLINES.of(Category.INCIDENT_WITH_CHILD, "KZ-75", NOW),
    )
    assert TAKE in offered(emergency)
    hours = replace(DEADLINES.table.hours, calendar=Calendar({}))
    bare = replace(DEADLINES, table=replace(DEADLINES.table, hours=hours))
    assert TAKE not in allowed_actions(emergency, DISPATCHER, bare, Files(), NOW)


def test_every_action_has_one_method_with_its_roles() -> None:
    assert sorted(METHODS.values()) == sorted(DeskAction)
    assert {f"/tartip.reports.v1.ReportDesk/{method}" for method in METHODS} < set(POLICY)


@pytest.mark.parametrize("status", Status)
def test_a_deadline_is_told_only_while_its_clock_runs(status: Status) -> None:
    runs = status in set(QUEUE) - {Status.WAITS_FOR_REPORTER}
    report = a_report(status)
    assert report.due_at == (DUE.due_at if runs else None)
    assert report.is_overdue(DUE.due_at + timedelta(days=1)) is runs
