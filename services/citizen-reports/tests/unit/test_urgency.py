"""Emergencies are urgent to the gate: they get in when an app or the process has no other room."""

import pytest
from citizen_reports.events import CATEGORIES
from citizen_reports.grpc_api import APPS_POLICY
from citizen_reports.model.categories import EMERGENCIES, Category
from tartip.reports.v1 import reports_pb2

SERVICE = "/tartip.reports.v1.CitizenReports"


@pytest.mark.parametrize("category", Category)
def test_a_report_is_opened_as_urgent_if_its_category_is_an_emergency(category: Category) -> None:
    opened = reports_pb2.OpenReportRequest(category=CATEGORIES[category])
    requests = {
        "OpenReport": opened,
        "HandInReport": reports_pb2.HandInReportRequest(report=opened),
    }
    for method, request in requests.items():
        urgent = APPS_POLICY[f"{SERVICE}/{method}"].urgent
        assert urgent is not None
        assert urgent(request) is (category in EMERGENCIES)


def test_a_category_that_nobody_knows_is_not_urgent() -> None:
    urgent = APPS_POLICY[f"{SERVICE}/OpenReport"].urgent
    assert urgent is not None
    assert not urgent(reports_pb2.OpenReportRequest())


def test_what_was_opened_may_always_be_submitted_and_nothing_else_is_urgent() -> None:
    urgent = {method for method, rule in APPS_POLICY.items() if rule.urgent}
    assert urgent == {
        f"{SERVICE}/{name}" for name in ("OpenReport", "HandInReport", "SubmitReport")
    }
