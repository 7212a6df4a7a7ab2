"""The desk: who sees what, one decision at a time, and complaints that only oversight sees."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import grpc
from chassis.db import Database
from chassis.transaction import SYSTEM
from sqlalchemy import text
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import events_pb2
from tartip.reports.v1 import reports_pb2 as pb
from tartip_testing.mesh import RunningTestMesh
from tartip_testing.paging import assert_token_is_bound

from .conftest import (
    As,
    Register,
    complaint,
    draft,
    jpeg,
    pieces_of,
    refused,
    until,
)
from .test_clocks import changes_of
from .test_uploads import stored_media


async def test_a_report_is_taken_asked_about_replied_to_and_answered(
    kaspi: As, dispatcher: As, register: Register
) -> None:
    report_id, receipt = await register()
    taken = await dispatcher.at_desk("TakeReport", pb.TakeReportRequest(report_id=report_id))
    assert taken.report.report.status == pb.REPORT_STATUS_IN_WORK
    assert taken.report.operator == "dispatcher-almaty"
    await dispatcher.at_desk(
        "AskReporter", pb.AskReporterRequest(report_id=report_id, question="Which lane?")
    )
    seen = (await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))).report
    assert (seen.status, seen.question) == (pb.REPORT_STATUS_WAITS_FOR_REPORTER, "Which lane?")
    reply = pb.ReplyToQuestionRequest(report_id=report_id, text="The left one")
    assert (await kaspi.app("ReplyToQuestion", reply)).report.question == ""
    more = pb.ReplyToQuestionRequest(report_id=report_id, text="And the right one")
    assert (await refused(kaspi.app("ReplyToQuestion", more))).code == "NOTHING_ASKED"
    answer = pb.AnswerReportRequest(
        report_id=report_id, answer="The driver was fined", outcome="violation_found"
    )
    answered = (await dispatcher.at_desk("AnswerReport", answer)).report
    assert answered.report.status == pb.REPORT_STATUS_ANSWERED
    seen = (await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))).report
    assert seen.answer == "The driver was fined" and seen.HasField("answered_at")
    assert seen.receipt == receipt, "a receipt never changes"
    told = [(step.status, step.actor, step.note) for step in answered.steps]
    assert told[-3:] == [
        (pb.REPORT_STATUS_WAITS_FOR_REPORTER, "dispatcher-almaty", "Which lane?"),
        (pb.REPORT_STATUS_IN_WORK, "reporter", "The left one"),
        (pb.REPORT_STATUS_ANSWERED, "dispatcher-almaty", "The driver was fined"),
    ]


async def test_an_answer_is_disputed_once_and_goes_to_a_supervisor(
    kaspi: As, dispatcher: As, as_: Callable[..., As], register: Register
) -> None:
    report_id, _ = await register()
    dispute = pb.DisputeAnswerRequest(report_id=report_id, text="Still there")
    assert (await refused(kaspi.app("DisputeAnswer", dispute))).code == "REPORT_NOT_ANSWERED"
    await _answer(dispatcher, report_id)
    disputed = (await kaspi.app("DisputeAnswer", dispute)).report
    assert disputed.status == pb.REPORT_STATUS_DISPUTED
    dispute.text = "And it is dark"
    assert (await refused(kaspi.app("DisputeAnswer", dispute))).code == "ALREADY_DISPUTED"
    take = pb.TakeReportRequest(report_id=report_id)
    assert (await refused(dispatcher.at_desk("TakeReport", take))).code == "STATUS_NOT_ALLOWED"
    supervisor = as_(operator="supervisor-almaty")
    await _answer(supervisor, report_id)
    assert (await refused(kaspi.app("DisputeAnswer", dispute))).code == "ALREADY_DISPUTED"


async def test_two_operators_who_take_at_once_do_not_both_get_it(
    dispatcher: As, as_: Callable[..., As], register: Register
) -> None:
    report_id, _ = await register()
    take = pb.TakeReportRequest(report_id=report_id)
    both = (dispatcher, as_(operator="supervisor-almaty"))
    outcomes = await asyncio.gather(
        *(caller.at_desk("TakeReport", take) for caller in both), return_exceptions=True
    )
    assert sum(isinstance(outcome, Exception) for outcome in outcomes) == 1
    winner = next(outcome for outcome in outcomes if not isinstance(outcome, BaseException))
    holder = dispatcher if winner.report.operator == "dispatcher-almaty" else both[1]
    again = await holder.at_desk("TakeReport", take)
    assert again.report.report == winner.report.report


async def test_the_queue_has_the_most_urgent_deadline_first_across_pages(
    dispatcher: As, register: Register
) -> None:
    calm, _ = await register()
    urgent, _ = await register(draft(category=pb.CATEGORY_DOMESTIC_VIOLENCE))
    listed = await _queue(dispatcher, size=3)
    ids = [row.report.report_id for row in listed]
    assert ids.index(urgent) < ids.index(calm)
    assert len(ids) == len(set(ids))
    assert all(not row.text and not row.reporter.iin and not row.steps for row in listed)
    wrong = pb.ReportDeskListReportsRequest(region="KZ\x00")
    assert (await refused(dispatcher.at_desk("ListReports", wrong))).code == "REGION_UNKNOWN"


async def test_a_page_token_is_its_operators_for_one_query(
    dispatcher: As, as_: Callable[..., As], register: Register
) -> None:
    for _ in range(3):
        await register()
    supervisor = as_(operator="supervisor-almaty")
    await assert_token_is_bound(
        lambda asked: dispatcher.at_desk("ListReports", asked),
        pb.ReportDeskListReportsRequest(),
        by_others=lambda asked: supervisor.at_desk("ListReports", asked),
        other_query=pb.ReportDeskListReportsRequest(region="KZ-75"),
    )


async def test_an_operator_sees_his_region_and_kinds_alone(
    as_: Callable[..., As], register: Register
) -> None:
    report_id, receipt = await register(draft(category=pb.CATEGORY_OTHER))
    blind = [
        as_(operator="inspector-almaty"),
        as_(operator="inspector-astana"),
        as_(operator="security-1"),
    ]
    for operator in blind:
        for request in _keys(report_id, receipt):
            assert (
                await refused(operator.at_desk("GetReport", request))
            ).code == "REPORT_NOT_FOUND"
        assert report_id not in {row.report.report_id for row in await _queue(operator)}


async def test_a_draft_is_not_seen_by_the_desk(kaspi: As, dispatcher: As) -> None:
    given = draft()
    await kaspi.app("OpenReport", given)
    request = pb.ReportDeskGetReportRequest(report_id=given.report_id)
    assert (await refused(dispatcher.at_desk("GetReport", request))).code == "REPORT_NOT_FOUND"


async def test_a_complaint_about_an_officer_is_seen_by_internal_security_alone(
    as_: Callable[..., As], register: Register, db: Database
) -> None:
    report_id, receipt = await register(complaint())
    assert receipt.unit == "internal-security"
    for name in ("dispatcher-almaty", "supervisor-almaty", "inspector-almaty"):
        operator = as_(operator=name)
        for request in _keys(report_id, receipt):
            assert (
                await refused(operator.at_desk("GetReport", request))
            ).code == "REPORT_NOT_FOUND"
        take = pb.TakeReportRequest(report_id=report_id)
        assert (await refused(operator.at_desk("TakeReport", take))).code == "REPORT_NOT_FOUND"
        assert report_id not in {row.report.report_id for row in await _queue(operator)}
    security = as_(operator="security-1")
    assert report_id in {row.report.report_id for row in await _queue(security)}
    seen = (await security.at_desk("GetReport", _keys(report_id, receipt)[0])).report
    assert "badge 4711" in seen.text
    away = pb.RouteReportRequest(report_id=report_id, unit="KZ-75-duty", reason="pass on")
    assert (await refused(security.at_desk("RouteReport", away))).code == "UNIT_UNKNOWN"
    await _answer(security, report_id)
    async with db.begin(SYSTEM) as tx:
        query = text("SELECT DISTINCT split_part(subject, '.', 1) FROM outbox WHERE aggregate = :a")
        areas = (await tx.execute(query.bindparams(a=f"report:{report_id}"))).scalars().all()
    assert areas == ["complaints"]


async def test_an_officer_of_internal_security_does_not_see_a_complaint_that_names_him(
    as_: Callable[..., As], register: Register
) -> None:
    report_id, receipt = await register(complaint(officer="the one called Security-1"))
    security = as_(operator="security-1")
    for request in _keys(report_id, receipt):
        assert (await refused(security.at_desk("GetReport", request))).code == "REPORT_NOT_FOUND"


async def test_who_reported_is_hidden_from_an_inspector(
    dispatcher: As, as_: Callable[..., As], register: Register
) -> None:
    report_id, receipt = await register()
    request = _keys(report_id, receipt)[1]
    assert (await dispatcher.at_desk("GetReport", request)).report.reporter.name == "Test Person"
    inspector = as_(operator="inspector-almaty")
    seen = (await inspector.at_desk("GetReport", request)).report
    assert seen.text and not seen.reporter.name and not seen.reporter.iin


async def test_reading_a_report_is_audited_with_the_purpose(
    dispatcher: As, register: Register, db: Database
) -> None:
    report_id, receipt = await register()
    await dispatcher.at_desk("GetReport", _keys(report_id, receipt)[0])
    async with db.begin(SYSTEM) as tx:
        rows = (await tx.execute(text("SELECT canonical FROM audit ORDER BY position"))).scalars()
        entries = [json.loads(bytes(row)) for row in rows]
    told = [e for e in entries if e["object"] == f"report:{receipt.number}"]
    assert [entry["action"] for entry in told] == ["submit", "read"]
    assert told[-1]["actor"] == "operator/dispatcher-almaty" and told[-1]["purpose"] == "case 12"


async def test_a_report_goes_to_a_known_unit_of_its_region_with_a_reason(
    dispatcher: As, register: Register
) -> None:
    report_id, _ = await register()
    route = pb.RouteReportRequest(report_id=report_id, unit="KZ-71-duty")
    refusal = await refused(dispatcher.at_desk("RouteReport", route))
    assert {error.code for error in refusal.fields} == {"UNIT_UNKNOWN", "REASON_REQUIRED"}
    route = pb.RouteReportRequest(report_id=report_id, unit="KZ-75-order", reason="not traffic")
    routed = (await dispatcher.at_desk("RouteReport", route)).report
    assert (routed.unit, routed.report.status) == ("KZ-75-order", pb.REPORT_STATUS_ROUTED)


async def test_a_report_that_goes_to_another_region_is_seen_there_and_its_app_is_told(
    kaspi: As, dispatcher: As, as_: Callable[..., As], register: Register
) -> None:
    """And it is no longer seen where it was."""
    report_id, receipt = await register()
    there = as_(operator="inspector-astana")
    request = _keys(report_id, receipt)[0]
    assert (await refused(there.at_desk("GetReport", request))).code == "REPORT_NOT_FOUND"
    route = pb.RouteReportRequest(
        report_id=report_id, unit="KZ-71-duty", region="KZ-99", reason="it happened in Astana"
    )
    refusal = await refused(dispatcher.at_desk("RouteReport", route))
    assert {error.code for error in refusal.fields} == {"UNIT_UNKNOWN", "REGION_UNKNOWN"}
    route.region = "KZ-71"
    stream = kaspi.watch("")
    heard = asyncio.ensure_future(changes_of(stream, report_id, 1))
    await asyncio.sleep(0.5)
    await dispatcher.at_desk("RouteReport", route)
    assert (await heard)[0].status == pb.REPORT_STATUS_ROUTED

    async def is_there() -> pb.DeskReport | None:
        try:
            found: pb.DeskReport = (await there.at_desk("GetReport", request)).report
        except grpc.aio.AioRpcError:
            return None
        return found

    moved = await until(is_there)
    assert (moved.report.region, moved.unit) == ("KZ-71", "KZ-71-duty")
    assert [step.note for step in moved.steps][-2:] == [
        "KZ-71-duty: it happened in Astana",
        "region KZ-75 to KZ-71",
    ]
    assert (await refused(dispatcher.at_desk("GetReport", request))).code == "REPORT_NOT_FOUND"


async def test_violence_and_children_never_go_to_the_traffic_police(
    dispatcher: As, register: Register
) -> None:
    for category in (pb.CATEGORY_DOMESTIC_VIOLENCE, pb.CATEGORY_INCIDENT_WITH_CHILD):
        report_id, _ = await register(draft(category=category))
        route = pb.RouteReportRequest(report_id=report_id, unit="KZ-75-traffic", reason="theirs")
        refusal = await refused(dispatcher.at_desk("RouteReport", route))
        assert {error.code for error in refusal.fields} == {"UNIT_UNKNOWN"}
        route.unit = "KZ-75-duty"
        await dispatcher.at_desk("RouteReport", route)


async def test_accepted_traffic_evidence_is_told_without_the_plate_and_read_by_violations(
    kaspi: As, as_: Callable[..., As], engines: RunningTestMesh, db: Database
) -> None:
    given, inspector = draft(), as_(operator="inspector-almaty")
    await kaspi.app("OpenReport", given)
    await kaspi.app("PutMedia", pieces_of(given.report_id, jpeg(90))[0])
    await kaspi.app("SubmitReport", pb.SubmitReportRequest(report_id=given.report_id))
    violations = as_("violations", kind="service")
    request = pb.ReportDeskGetReportRequest(report_id=given.report_id)
    assert (await refused(violations.at_desk("GetReport", request))).code == "REPORT_NOT_FOUND"
    media = await until(lambda: stored_media(inspector, given.report_id))

    accept = pb.AcceptTrafficEvidenceRequest(
        report_id=given.report_id, plate="453 dха-12", offence_code="RED_LIGHT"
    )
    wrong = pb.AcceptTrafficEvidenceRequest(report_id=given.report_id, plate="?", offence_code="x")
    refusal = await refused(inspector.at_desk("AcceptTrafficEvidence", wrong))
    assert {error.code for error in refusal.fields} == {"PLATE_INVALID", "OFFENCE_CODE_WRONG"}
    accepted = (await inspector.at_desk("AcceptTrafficEvidence", accept)).report
    assert (accepted.accepted_plate, accepted.accepted_offence_code) == ("453DXA12", "RED_LIGHT")
    again = await refused(inspector.at_desk("AcceptTrafficEvidence", accept))
    assert again.code == "STATUS_NOT_ALLOWED"

    async with db.begin(SYSTEM) as tx:
        query = text("SELECT payload FROM outbox WHERE aggregate = :a AND subject = :s").bindparams(
            a=f"report:{given.report_id}", s="reports.v1.traffic_evidence_accepted"
        )
        payloads = (await tx.execute(query)).scalars().all()
    assert len(payloads) == 1 and b"453DXA12" not in payloads[0]
    event = events_pb2.TrafficEvidenceAccepted.FromString(payloads[0])
    assert list(event.evidence_sha256) == [item.evidence_sha256 for item in media]
    seen = (await violations.at_desk("GetReport", request)).report
    assert (seen.accepted_plate, seen.text, seen.reporter.iin) == ("453DXA12", "", "")
    assert seen.place.latitude == given.place.latitude


async def test_evidence_is_accepted_of_traffic_reports_that_have_some(
    dispatcher: As, register: Register
) -> None:
    bare, _ = await register()
    accept = pb.AcceptTrafficEvidenceRequest(
        report_id=bare, plate="453DXA12", offence_code="RED_LIGHT"
    )
    refusal = await refused(dispatcher.at_desk("AcceptTrafficEvidence", accept))
    assert refusal.code == "NO_EVIDENCE"
    accept.report_id, _ = await register(draft(category=pb.CATEGORY_INCIDENT))
    refusal = await refused(dispatcher.at_desk("AcceptTrafficEvidence", accept))
    assert refusal.code == "NOT_TRAFFIC"


def _keys(report_id: str, receipt: pb.Receipt) -> list[pb.ReportDeskGetReportRequest]:
    return [
        pb.ReportDeskGetReportRequest(report_id=report_id),
        pb.ReportDeskGetReportRequest(number=receipt.number),
    ]


async def _answer(operator: As, report_id: str) -> None:
    await operator.at_desk("TakeReport", pb.TakeReportRequest(report_id=report_id))
    answer = pb.AnswerReportRequest(
        report_id=report_id, answer="The lamp is mended", outcome="measures_taken"
    )
    await operator.at_desk("AnswerReport", answer)


async def _queue(operator: As, size: int = 200, **wanted: Any) -> list[pb.DeskReport]:
    found: list[pb.DeskReport] = []
    token = ""
    while True:
        page = common_pb2.Page(size=size, token=token)
        request = pb.ReportDeskListReportsRequest(page=page, **wanted)
        answer = await operator.at_desk("ListReports", request)
        found += answer.reports
        token = answer.next_page_token
        if not token:
            return found
