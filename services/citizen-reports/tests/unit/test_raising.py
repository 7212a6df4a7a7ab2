"""A report that turns out to be more secret is raised, and no deadline is put off by it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from citizen_reports.model.categories import Category
from citizen_reports.model.raising import raised
from citizen_reports.model.refusals import CategoryNotRaised
from citizen_reports.model.statuses import Status

from .test_transitions import COMPLAINT, DEADLINES, NOW, a_report

SECURITY = "internal-security"


def test_a_report_is_raised_to_a_more_secret_category_alone() -> None:
    violence = a_report(Status.IN_WORK, Category.DOMESTIC_VIOLENCE)
    complaint = raised(violence, COMPLAINT, SECURITY, NOW, DEADLINES)
    assert (complaint.category, complaint.unit, complaint.operator) == (COMPLAINT, SECURITY, "")
    for category in (Category.OTHER, Category.INCIDENT_WITH_CHILD, Category.DOMESTIC_VIOLENCE):
        with pytest.raises(CategoryNotRaised):
            raised(violence, category, "KZ-75-protection", NOW, DEADLINES)
    with pytest.raises(CategoryNotRaised):
        raised(complaint, COMPLAINT, SECURITY, NOW, DEADLINES)


def test_the_app_keeps_the_category_that_it_gave() -> None:
    other = a_report(Status.ROUTED, Category.OTHER)
    violence = raised(other, Category.DOMESTIC_VIOLENCE, "KZ-75-protection", NOW, DEADLINES)
    complaint = raised(violence, COMPLAINT, SECURITY, NOW, DEADLINES)
    assert {one.category_of_app for one in (other, violence, complaint)} == {Category.OTHER}


def test_a_response_is_counted_from_when_the_emergency_was_recognised() -> None:
    later = NOW + timedelta(days=2)
    child = Category.INCIDENT_WITH_CHILD
    report = raised(a_report(Status.IN_WORK), child, "KZ-75-protection", later, DEADLINES)
    assert report.response_due_at == report.due_at == later + timedelta(minutes=7)
    assert report.answer_due_at == a_report(Status.IN_WORK).answer_due_at


def test_the_response_of_a_crime_becomes_that_of_an_emergency() -> None:
    incident = a_report(Status.IN_WORK, Category.INCIDENT)
    assert incident.receipt is not None
    response = DEADLINES.response_of(Category.INCIDENT, "KZ-75", NOW)
    receipt = replace(incident.receipt, response=response)
    begun = replace(incident, receipt=receipt, response_ended_at=NOW, response_step=2)
    report = raised(begun, Category.INCIDENT_WITH_CHILD, "KZ-75-protection", NOW, DEADLINES)
    assert report.response_due_at == NOW + timedelta(minutes=7)
    assert (report.response_ended_at, report.response_step) == (None, None)


def test_a_deadline_that_runs_already_is_not_put_off_by_raising() -> None:
    traffic = a_report(Status.ROUTED)
    complaint = raised(traffic, COMPLAINT, SECURITY, NOW, DEADLINES)
    assert complaint.answer_due_at == traffic.answer_due_at
    waiting = raised(a_report(Status.WAITS_FOR_REPORTER), COMPLAINT, SECURITY, NOW, DEADLINES)
    assert waiting.answer_due_at == DEADLINES.of(COMPLAINT, "KZ-75", NOW).due_at
