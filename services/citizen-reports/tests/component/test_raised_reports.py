"""A report that turns out to be more secret is raised by whoever sees it, and hidden at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chassis.db import Database
from chassis.transaction import SYSTEM
from sqlalchemy import text
from tartip.reports.v1 import reports_pb2 as pb

from .conftest import As, Register, draft, refused
from .test_complaints import sees
from .test_secrecy import audited


def raising(report_id: str, category: Any, **changes: Any) -> pb.RaiseReportRequest:
    given = {"report_id": report_id, "category": category, "reason": "he names an officer"}
    return pb.RaiseReportRequest(**given | changes)


async def test_a_misfiled_complaint_is_raised_and_hidden_at_once(
    kaspi: As,
    dispatcher: As,
    security: As,
    as_: Callable[..., As],
    register: Register,
    db: Database,
) -> None:
    other = as_(operator="security-2")
    given = draft(category=pb.CATEGORY_OTHER, text="security-2 took money from me")
    report_id, receipt = await register(given)
    request = raising(report_id, pb.CATEGORY_COMPLAINT_ABOUT_OFFICER)
    answer = await dispatcher.at_desk("RaiseReport", request)
    assert answer.hidden and not answer.HasField("report")
    get = pb.ReportDeskGetReportRequest(report_id=report_id)
    assert (await refused(dispatcher.at_desk("GetReport", get))).code == "REPORT_NOT_FOUND"
    assert not await sees(other, report_id), "its words mean him"
    assert await sees(security, report_id)
    shown = (await security.at_desk("GetReport", get)).report
    assert (shown.unit, shown.operator) == ("internal-security", "")
    assert shown.report.category == pb.CATEGORY_COMPLAINT_ABOUT_OFFICER
    raised = [step for step in shown.steps if step.note == "he names an officer"]
    assert [step.actor for step in raised] == ["dispatcher-almaty"]
    # The app is told nothing of it.
    told = (await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))).report
    assert (told.category, told.receipt) == (pb.CATEGORY_OTHER, receipt)
    assert (told.unit, told.due_at) == (receipt.unit, receipt.due_at)
    assert report_id in await listed(kaspi, pb.CATEGORY_OTHER)
    assert report_id not in await listed(kaspi, pb.CATEGORY_COMPLAINT_ABOUT_OFFICER)
    withdrawal = pb.WithdrawReportRequest(report_id=report_id)
    refusal = await refused(kaspi.app("WithdrawReport", withdrawal))
    assert refusal.facts["reason"] == "must_be_handled"
    [entry] = await audited(db, "raise", receipt.number)
    assert (entry["actor"], entry["class"]) == ("operator/dispatcher-almaty", "confidential")
    async with db.begin(SYSTEM) as tx:
        query = text(
            "SELECT subject FROM outbox WHERE aggregate = :a ORDER BY position DESC LIMIT 1"
        )
        newest = await tx.scalar(query.bindparams(a=f"report:{report_id}"))
    assert newest == "complaints.v1.routed"


async def listed(app: As, category: Any) -> set[str]:
    """The ids of the app's reports of a category."""
    request, found = pb.ListReportsRequest(categories=[category]), set[str]()
    request.page.size = 200
    while True:
        answer = await app.app("ListReports", request)
        found |= {report.report_id for report in answer.reports}
        request.page.token = answer.next_page_token
        if not answer.next_page_token:
            return found


async def test_a_child_is_recognised_by_whoever_sees_the_report(
    kaspi: As, dispatcher: As, as_: Callable[..., As], register: Register
) -> None:
    report_id, receipt = await register(draft())
    inspector = as_(operator="inspector-almaty")
    answer = await inspector.at_desk(
        "RaiseReport", raising(report_id, pb.CATEGORY_INCIDENT_WITH_CHILD)
    )
    assert answer.hidden, "inspectors see traffic alone"
    get = pb.ReportDeskGetReportRequest(report_id=report_id)
    shown = (await dispatcher.at_desk("GetReport", get)).report
    assert (shown.unit, shown.emergency) == ("KZ-75-protection", True)
    assert shown.HasField("response_due_at")
    told = (await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))).report
    assert (told.receipt, told.unit, told.due_at) == (receipt, receipt.unit, receipt.due_at)


async def test_what_is_not_more_secret_is_refused_by_name(
    dispatcher: As, register: Register
) -> None:
    report_id, _ = await register(draft(category=pb.CATEGORY_DOMESTIC_VIOLENCE))
    for changes, code in (
        ({"category": pb.CATEGORY_OTHER}, "CATEGORY_NOT_RAISED"),
        ({"category": pb.CATEGORY_INCIDENT_WITH_CHILD}, "CATEGORY_NOT_RAISED"),
        ({"category": 99}, "CATEGORY_UNKNOWN"),
        ({"reason": " "}, "REASON_REQUIRED"),
        ({"reason": "x" * 501}, "REASON_TOO_LONG"),
        ({"version": 99}, "REPORT_CHANGED_MEANWHILE"),
    ):
        request = raising(report_id, pb.CATEGORY_COMPLAINT_ABOUT_OFFICER)
        request.MergeFrom(pb.RaiseReportRequest(**changes))
        assert (await refused(dispatcher.at_desk("RaiseReport", request))).code == code
