"""Who must not see does not see, and his attempt is seen."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from chassis.clock import new_id
from chassis.db import Database
from chassis.transaction import SYSTEM
from sqlalchemy import text
from tartip.reports.v1 import events_pb2
from tartip.reports.v1 import reports_pb2 as pb
from tartip_testing.mesh import RunningTestMesh

from .conftest import (
    As,
    Evidence,
    Register,
    complaint,
    draft,
    jpeg,
    pieces_of,
    refused,
    until,
)
from .test_uploads import stored_media

sides = iter(range(100, 1000))


async def with_media(kaspi: As, seen_by: As, given: pb.OpenReportRequest) -> tuple[str, Any, bytes]:
    """A registered report with one picture in evidence: its id, the item, the content."""
    content = jpeg(next(sides))
    await kaspi.app("OpenReport", given)
    await kaspi.app("PutMedia", pieces_of(given.report_id, content)[0])
    await kaspi.app("SubmitReport", pb.SubmitReportRequest(report_id=given.report_id))
    [item] = await until(lambda: stored_media(seen_by, given.report_id))
    return given.report_id, item, content


async def assigned(desk: As, report_id: str) -> None:
    """Have a report assigned to an operator, who may then open its files in their clean form."""
    await desk.at_desk("TakeReport", pb.TakeReportRequest(report_id=report_id))


async def audited(db: Database, action: str, of: str = "") -> list[dict[str, Any]]:
    async with db.begin(SYSTEM) as tx:
        rows = await tx.execute(text("SELECT canonical FROM audit ORDER BY position"))
        entries = [json.loads(bytes(row.canonical)) for row in rows]
    return [one for one in entries if one["action"] == action and of in json.dumps(one)]


async def events(db: Database, attempt_id: str) -> list[Any]:
    query = text("SELECT * FROM outbox WHERE aggregate = :a")
    async with db.begin(SYSTEM) as tx:
        found = await tx.execute(query.bindparams(a=f"attempt:{attempt_id}"))
        return list(found.all())


async def test_media_are_opened_through_the_report_and_audited_first(
    kaspi: As, dispatcher: As, evidence: Evidence, db: Database
) -> None:
    report_id, item, content = await with_media(kaspi, dispatcher, draft())
    digest = hashlib.sha256(content).hexdigest()
    assert item.evidence_sha256 == digest != item.shown_sha256
    await assigned(dispatcher, report_id)
    answers = await dispatcher.open_media(report_id, item.media_id)
    shown = b"".join(answer.content for answer in answers)
    assert hashlib.sha256(shown).hexdigest() == item.shown_sha256, "the clean form"
    first = answers[0]
    assert (first.content_type, first.size_bytes) == ("image/jpeg", len(shown))
    assert (first.sha256, first.original_sha256) == (item.shown_sha256, digest)
    asked, purpose = evidence.read[-1]
    assert (asked.sha256, asked.confidential, purpose) == (digest, False, "case 12")
    [entry] = await audited(db, "open_evidence", item.media_id)
    assert (entry["actor"], entry["purpose"]) == ("operator/dispatcher-almaty", "case 12")
    facts = {"media": item.media_id, "sha256": digest, "seen": "media"}
    report = (await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))).report
    assert entry["facts"] == facts | {"capacity": "officer", "unit": report.unit}
    assert (entry["region"], entry["class"]) == ("KZ-75", "open")


async def test_nothing_is_sent_where_the_entry_cannot_be_written(
    kaspi: As, dispatcher: As, evidence: Evidence, engines: RunningTestMesh
) -> None:
    import asyncpg

    report_id, item, _ = await with_media(kaspi, dispatcher, draft())
    await assigned(dispatcher, report_id)
    read = len(evidence.read)
    admin = await asyncpg.connect(engines.database.url)
    await admin.execute("REVOKE INSERT ON citizen_reports.audit FROM citizen_reports_runtime")
    try:
        assert (await refused(dispatcher.open_media(report_id, item.media_id))).code == "INTERNAL"
    finally:
        await admin.execute("GRANT INSERT ON citizen_reports.audit TO citizen_reports_runtime")
        await admin.close()
    assert len(evidence.read) == read


@pytest.mark.parametrize("operator", ["inspector-astana", "security-1", "dispatcher-almaty"])
async def test_media_of_a_report_that_is_hidden_are_hidden(
    kaspi: As, as_: Callable[..., As], evidence: Evidence, db: Database, operator: str
) -> None:
    hidden = complaint() if operator == "dispatcher-almaty" else draft()
    seer = "security-1" if operator == "dispatcher-almaty" else "dispatcher-almaty"
    report_id, item, _ = await with_media(kaspi, as_(operator=seer), hidden)
    read = len(evidence.read)
    refusal = await refused(as_(operator=operator).open_media(report_id, item.media_id))
    assert refusal.code == "REPORT_NOT_FOUND"
    assert len(evidence.read) == read
    assert await attempts_of(db, operator, report_id)


async def attempts_of(db: Database, operator: str, report_id: str) -> list[dict[str, Any]]:
    """Of one operator on one report, by the name that the log gives it."""
    async with db.begin(SYSTEM) as tx:
        query = text("SELECT number FROM reports WHERE report_id = CAST(:r AS uuid)")
        number = await tx.scalar(query.bindparams(r=report_id))
    found = await audited(db, "open_refused", f"report:{number}")
    return [one for one in found if one["actor"] == f"operator/{operator}"]


async def test_an_item_of_another_report_is_not_opened_through_mine(
    kaspi: As, dispatcher: As, as_: Callable[..., As]
) -> None:
    mine, _, _ = await with_media(kaspi, dispatcher, draft())
    _, secret, _ = await with_media(kaspi, as_(operator="security-1"), complaint())
    _, visible, _ = await with_media(kaspi, dispatcher, draft())
    for media_id in (secret.media_id, visible.media_id, str(new_id()), "nonsense"):
        assert (await refused(dispatcher.open_media(mine, media_id))).code == "MEDIA_NOT_FOUND"


async def test_what_does_not_lie_in_the_store_yet_is_said_to_be_on_its_way(
    kaspi: As, dispatcher: As, evidence: Evidence
) -> None:
    given, piece = draft(), pieces_of("", jpeg(next(sides)))[0]
    piece.report_id = given.report_id
    evidence.away = True
    try:
        await kaspi.app("OpenReport", given)
        await kaspi.app("PutMedia", piece)
        await kaspi.app("SubmitReport", pb.SubmitReportRequest(report_id=given.report_id))
        refusal = await refused(dispatcher.open_media(given.report_id, piece.media_id))
    finally:
        evidence.away = False
    assert refusal.code == "MEDIA_NOT_STORED"


async def test_the_form_of_media_from_before_is_learnt_when_they_are_opened(
    kaspi: As, dispatcher: As, db: Database
) -> None:
    report_id, item, _ = await with_media(kaspi, dispatcher, draft())
    async with db.begin(SYSTEM) as tx:
        query = text("UPDATE media SET shown_sha256 = '' WHERE report_id = CAST(:r AS uuid)")
        await tx.execute(query.bindparams(r=report_id))
    await assigned(dispatcher, report_id)
    await dispatcher.open_media(report_id, item.media_id)
    [known] = await stored_media(dispatcher, report_id)
    assert known.shown_sha256 == item.shown_sha256


@pytest.mark.parametrize(
    ("given", "confidential"),
    [
        (draft(), False),
        (draft(category=pb.CATEGORY_DOMESTIC_VIOLENCE), True),
        (draft(category=pb.CATEGORY_INCIDENT_WITH_CHILD), True),
        (complaint(), True),
    ],
    ids=["traffic", "violence", "child", "complaint"],
)
async def test_entries_about_complaints_violence_and_children_are_confidential(
    kaspi: As,
    as_: Callable[..., As],
    evidence: Evidence,
    db: Database,
    given: pb.OpenReportRequest,
    confidential: bool,
) -> None:
    is_complaint = given.category == pb.CATEGORY_COMPLAINT_ABOUT_OFFICER
    reader = as_(operator="security-1" if is_complaint else "dispatcher-almaty")
    report_id, item, content = await with_media(kaspi, reader, given)
    await assigned(reader, report_id)
    await reader.open_media(report_id, item.media_id)
    if confidential and not is_complaint:
        await reader.at_desk("RecordArrival", pb.RecordArrivalRequest(report_id=report_id))
    await reader.at_desk(
        "AnswerReport",
        pb.AnswerReportRequest(
            report_id=report_id, answer="The lamp is mended", outcome="measures_taken"
        ),
    )
    request = pb.ReportDeskGetReportRequest(report_id=report_id)
    number = (await reader.at_desk("GetReport", request)).report.report.receipt.number
    async with db.begin(SYSTEM) as tx:
        rows = await tx.execute(text("SELECT canonical FROM audit"))
        entries = [json.loads(bytes(row.canonical)) for row in rows]
    names = (f"report:{number}", f"report:{report_id}")
    about = [one for one in entries if one["object"] in names]
    assert {one["action"] for one in about} >= {"open", "submit", "read", "take", "answer"}
    assert {one["class"] for one in about} == {"confidential" if confidential else "open"}
    # The store of evidence writes entries of its own about them.
    assert evidence.headers[hashlib.sha256(content).hexdigest()].confidential is confidential
    assert evidence.read[-1][0].confidential is confidential


async def test_a_list_that_shows_violence_or_a_complaint_is_audited(
    as_: Callable[..., As], dispatcher: As, register: Register, db: Database
) -> None:
    _, receipt = await register(draft(category=pb.CATEGORY_DOMESTIC_VIOLENCE))
    violence = pb.ReportDeskListReportsRequest(category=pb.CATEGORY_DOMESTIC_VIOLENCE)
    violence.page.size = 200
    await dispatcher.at_desk("ListReports", violence)
    entry = (await audited(db, "list"))[-1]
    assert receipt.number in entry["facts"]["confidential"].split(" ")
    assert (entry["actor"], entry["class"]) == ("operator/dispatcher-almaty", "confidential")
    _, receipt = await register(complaint())
    security = as_(operator="security-1")
    complaints = pb.ReportDeskListReportsRequest(category=pb.CATEGORY_COMPLAINT_ABOUT_OFFICER)
    complaints.page.size = 200
    await security.at_desk("ListReports", complaints)
    assert receipt.number in (await audited(db, "list"))[-1]["facts"]["confidential"]
    before = len(await audited(db, "list"))
    nothing = pb.ReportDeskListReportsRequest(category=pb.CATEGORY_TRAFFIC_VIOLATION)
    await dispatcher.at_desk("ListReports", nothing)
    assert len(await audited(db, "list")) == before


async def test_an_officer_does_not_find_the_complaint_about_him_in_the_list(
    as_: Callable[..., As], register: Register
) -> None:
    about_him, _ = await register(complaint(officer="Security-1, of the unit of internal security"))
    about_another, _ = await register(complaint())
    request = pb.ReportDeskListReportsRequest(category=pb.CATEGORY_COMPLAINT_ABOUT_OFFICER)
    request.page.size = 200
    answer = await as_(operator="security-1").at_desk("ListReports", request)
    listed = {row.report.report_id for row in answer.reports}
    assert about_another in listed and about_him not in listed


async def test_the_pages_of_a_list_do_not_tell_of_the_complaint_about_who_looks(
    as_: Callable[..., As], register: Register
) -> None:
    about_him = {(await register(complaint(officer="security-1")))[0] for _ in range(3)}
    about_another, _ = await register(complaint())
    security, token, listed = as_(operator="security-1"), "", set[str]()
    while True:
        request = pb.ReportDeskListReportsRequest(category=pb.CATEGORY_COMPLAINT_ABOUT_OFFICER)
        request.page.size, request.page.token = 1, token
        answer = await security.at_desk("ListReports", request)
        listed |= {row.report.report_id for row in answer.reports}
        token = answer.next_page_token
        if not token:
            break
        assert len(answer.reports) == 1, "no page is short because something is hidden"
        sealed = base64.urlsafe_b64decode(token)
        assert not any(report_id.encode() in sealed for report_id in about_him)
    assert about_another in listed and not listed & about_him


async def test_media_of_a_complaint_are_hidden_from_whom_it_is_about(
    kaspi: As, as_: Callable[..., As], db: Database
) -> None:
    given = complaint(officer="security-1")
    piece = pieces_of(given.report_id, jpeg(next(sides)))[0]
    await kaspi.app("OpenReport", given)
    await kaspi.app("PutMedia", piece)
    await kaspi.app("SubmitReport", pb.SubmitReportRequest(report_id=given.report_id))
    opening = as_(operator="security-1").open_media(given.report_id, piece.media_id)
    assert (await refused(opening)).code == "REPORT_NOT_FOUND"
    [attempt] = await attempts_of(db, "security-1", given.report_id)
    assert attempt["class"] == "confidential"


@pytest.mark.parametrize(
    ("operator", "given"),
    [
        ("inspector-astana", draft()),
        ("inspector-almaty", draft(category=pb.CATEGORY_DOMESTIC_VIOLENCE)),
        ("dispatcher-almaty", complaint()),
        ("security-1", complaint(officer="security-1 himself")),
    ],
    ids=["region", "kind", "complaint", "barred"],
)
async def test_an_attempt_to_open_what_is_hidden_is_recorded_and_told_without_saying_what(
    as_: Callable[..., As],
    register: Register,
    db: Database,
    operator: str,
    given: pb.OpenReportRequest,
) -> None:
    report_id, receipt = await register(given)
    one = as_(operator=operator, purpose="любопытство")
    for request in (
        pb.ReportDeskGetReportRequest(report_id=report_id),
        pb.ReportDeskGetReportRequest(number=receipt.number),
    ):
        assert (await refused(one.at_desk("GetReport", request))).code == "REPORT_NOT_FOUND"
    take = pb.TakeReportRequest(report_id=report_id)
    assert (await refused(one.at_desk("TakeReport", take))).code == "REPORT_NOT_FOUND"
    entries = await attempts_of(db, operator, report_id)
    assert len(entries) == 3
    is_open = given.category == pb.CATEGORY_TRAFFIC_VIOLATION
    for entry in entries:
        assert (entry["purpose"], entry["region"]) == ("любопытство", "KZ-75")
        assert entry["facts"] == {"record": "hidden"}
        assert entry["class"] == ("open" if is_open else "confidential")
        [event] = await events(db, entry["id"])
        assert (event.subject, event.region) == ("reports.v1.access_refused", "KZ-75")
        told = events_pb2.AccessRefused.FromString(event.payload)
        assert told.attempt_id == entry["id"]
        for secret in (report_id, receipt.number, operator, "любопытство"):
            assert secret.encode() not in event.payload
            assert secret not in event.aggregate


async def test_what_does_not_exist_is_recorded_too_and_answered_in_the_same_way(
    as_: Callable[..., As], register: Register, db: Database
) -> None:
    hidden, _ = await register(draft())
    nobodys = str(new_id())
    stranger = as_(operator="inspector-astana")
    refusals = [
        await refused(stranger.at_desk("GetReport", pb.ReportDeskGetReportRequest(report_id=asked)))
        for asked in (hidden, nobodys)
    ]
    said = [(one.code, one.kind, one.message, one.facts, one.fields) for one in refusals]
    assert said[0] == said[1]
    [entry] = await audited(db, "open_refused", nobodys)
    assert entry["facts"] == {"record": "unknown"} and entry["region"] == ""
    assert await events(db, entry["id"]) == []


async def test_a_partner_that_asks_for_anothers_report_is_recorded(
    halyk: As, register: Register, db: Database
) -> None:
    _, receipt = await register()
    request = pb.GetReportRequest(number=receipt.number)
    assert (await refused(halyk.app("GetReport", request))).code == "REPORT_NOT_FOUND"
    [entry] = await audited(db, "open_refused", receipt.number)
    assert entry["actor"] == "partner/halyk" and entry["facts"] == {"record": "hidden"}


async def test_services_look_without_leaving_an_attempt(
    as_: Callable[..., As], register: Register, db: Database
) -> None:
    report_id, receipt = await register()
    violations = as_("violations", kind="service")
    request = pb.ReportDeskGetReportRequest(report_id=report_id)
    assert (await refused(violations.at_desk("GetReport", request))).code == "REPORT_NOT_FOUND"
    assert await audited(db, "open_refused", receipt.number) == []


@pytest.mark.parametrize(
    ("method", "request_type"),
    [
        ("GetReport", pb.ReportDeskGetReportRequest),
        ("TakeReport", pb.TakeReportRequest),
        ("RouteReport", pb.RouteReportRequest),
        ("AskReporter", pb.AskReporterRequest),
        ("AnswerReport", pb.AnswerReportRequest),
        ("AcceptTrafficEvidence", pb.AcceptTrafficEvidenceRequest),
        ("RecordArrival", pb.RecordArrivalRequest),
    ],
)
async def test_whatever_answers_with_a_report_in_full_needs_a_purpose(
    as_: Callable[..., As], register: Register, method: str, request_type: Any
) -> None:
    report_id, _ = await register()
    silent = as_(operator="dispatcher-almaty", purpose="")
    refusal = await refused(silent.at_desk(method, request_type(report_id=report_id)))
    assert refusal.code == "PURPOSE_REQUIRED"
    assert (await refused(silent.open_media(report_id, str(new_id())))).code == "PURPOSE_REQUIRED"
    assert (await silent.at_desk("ListReports", pb.ReportDeskListReportsRequest())).reports


async def test_auditors_see_no_report_at_the_desk(
    as_: Callable[..., As], register: Register
) -> None:
    report_id, receipt = await register()
    auditor = as_(operator="auditor-1")
    for method, request in (
        ("ListReports", pb.ReportDeskListReportsRequest()),
        ("GetReport", pb.ReportDeskGetReportRequest(report_id=report_id)),
        ("GetReport", pb.ReportDeskGetReportRequest(number=receipt.number)),
    ):
        assert (await refused(auditor.at_desk(method, request))).code == "NOT_ALLOWED"
    assert (await refused(auditor.open_media(report_id, str(new_id())))).code == "NOT_ALLOWED"
