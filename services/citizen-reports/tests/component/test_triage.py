"""A reporter's words propose that a report is urgent; who may read them sees why, and decides."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from chassis.clock import new_id, system_clock
from chassis.db import Database
from chassis.transaction import SYSTEM
from sqlalchemy import text
from tartip.reports.v1 import reports_pb2 as pb

from .conftest import As, Register, complaint, draft, refused
from .test_secrecy import audited

DANGER = "У соседа нож, он угрожает убить меня"


def dangerous(**changes: Any) -> pb.OpenReportRequest:
    return draft(**{"category": pb.CATEGORY_OTHER, "text": DANGER} | changes)


async def shown(operator: As, report_id: str) -> pb.DeskReport:
    request = pb.ReportDeskGetReportRequest(report_id=report_id)
    report: pb.DeskReport = (await operator.at_desk("GetReport", request)).report
    return report


async def queue(operator: As, **wanted: Any) -> list[pb.DeskReport]:
    request, found = pb.ReportDeskListReportsRequest(**wanted), list[pb.DeskReport]()
    request.page.size = 50
    while True:
        answer = await operator.at_desk("ListReports", request)
        found += answer.reports
        request.page.token = answer.next_page_token
        if not answer.next_page_token:
            return found


def dangers(report: pb.DeskReport) -> set[str]:
    return {reason.danger for reason in report.urgency_reasons}


async def test_words_of_danger_stand_above_the_queue_with_the_reasons(
    kaspi: As, dispatcher: As, register: Register
) -> None:
    late = draft(category=pb.CATEGORY_OTHER, occurred=system_clock() - timedelta(days=1))
    calm, _ = await register(late)
    report_id, _ = await register(dangerous())
    at_once = dangerous(text="Көршім пышақпен қорқытып тұр, қазір тез келіңіздер")
    await kaspi.app("HandInReport", pb.HandInReportRequest(report=at_once))
    rows = await queue(dispatcher)
    places = {row.report.report_id: place for place, row in enumerate(rows)}
    listed = {row.report.report_id: row for row in rows}
    assert max(places[report_id], places[at_once.report_id]) < places[calm]
    assert (listed[report_id].urgency, listed[report_id].emergency) == ("proposed", True)
    assert {"weapon", "killing"} <= dangers(listed[report_id])
    assert {"weapon", "threat", "now"} <= dangers(listed[at_once.report_id])
    assert not listed[report_id].text, "a list has reasons and no texts"
    assert (listed[calm].urgency, dangers(listed[calm])) == ("", set())
    urgent = {row.report.report_id for row in await queue(dispatcher, emergencies_only=True)}
    assert {report_id, at_once.report_id} <= urgent and calm not in urgent
    told = (await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))).report
    assert not told.receipt.HasField("response_due_at"), "nobody has decided yet"


async def test_confirmed_somebody_has_to_be_there_within_minutes(
    kaspi: As, dispatcher: As, register: Register, db: Database
) -> None:
    report_id, receipt = await register(dangerous())
    request = pb.ConfirmUrgencyRequest(report_id=report_id)
    report = (await dispatcher.at_desk("ConfirmUrgency", request)).report
    assert report.urgency == "confirmed" and report.HasField("response_due_at")
    again = (await dispatcher.at_desk("ConfirmUrgency", request)).report
    assert again == report
    assert "record_arrival" in report.actions and "confirm_urgency" not in report.actions
    async with db.begin(SYSTEM) as tx:
        query = text("SELECT count(*) FROM work WHERE kind IN ('response', 'due_soon')")
        assert await tx.scalar(query) >= 2
    told = (await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))).report
    assert told.receipt.HasField("response_due_at") and told.receipt.due_at == receipt.due_at
    await dispatcher.at_desk("TakeReport", pb.TakeReportRequest(report_id=report_id))
    answer = pb.AnswerReportRequest(
        report_id=report_id, answer="We have looked at it.", outcome="measures_taken"
    )
    assert (await refused(dispatcher.at_desk("AnswerReport", answer))).code == "ARRIVAL_REQUIRED"
    arrival = pb.RecordArrivalRequest(report_id=report_id)
    await dispatcher.at_desk("RecordArrival", arrival)
    assert (await dispatcher.at_desk("AnswerReport", answer)).report.closing_outcome
    [entry] = await audited(db, "confirm_urgency", receipt.number)
    assert entry["actor"] == "operator/dispatcher-almaty"


async def test_declined_with_a_reason_it_goes_by_its_kind_and_new_words_propose_again(
    kaspi: As, dispatcher: As, register: Register, db: Database
) -> None:
    report_id, receipt = await register(dangerous())
    request = pb.DeclineUrgencyRequest(report_id=report_id)
    assert (await refused(dispatcher.at_desk("DeclineUrgency", request))).code == "REASON_REQUIRED"
    request.reason = "he tells of a play"
    report = (await dispatcher.at_desk("DeclineUrgency", request)).report
    assert (report.urgency, report.emergency) == ("declined", False)
    assert report.steps[-1].note == "not urgent: he tells of a play"
    assert {"confirm_urgency"} <= set(report.actions) and "decline_urgency" not in report.actions
    refusal = await refused(dispatcher.at_desk("DeclineUrgency", request))
    assert refusal.code == "URGENCY_NOT_PROPOSED"
    [row] = [row for row in await queue(dispatcher) if row.report.report_id == report_id]
    assert not row.urgency_reasons, "what was judged is not shown in lists"
    [entry] = await audited(db, "decline_urgency", receipt.number)
    assert "play" not in str(entry)
    await dispatcher.at_desk("TakeReport", pb.TakeReportRequest(report_id=report_id))
    question = pb.AskReporterRequest(report_id=report_id, question="Where is he now?")
    await dispatcher.at_desk("AskReporter", question)
    reply = pb.ReplyToQuestionRequest(
        report_id=report_id, text="он ломает дверь топором", reply_id=str(new_id())
    )
    await kaspi.app("ReplyToQuestion", reply)
    report = await shown(dispatcher, report_id)
    assert report.urgency == "proposed"
    assert "топором" in {word for one in report.urgency_reasons for word in one.words.split()}


async def test_urgency_is_seen_without_words_and_not_in_what_is_an_emergency(
    dispatcher: As, register: Register
) -> None:
    report_id, _ = await register(draft(category=pb.CATEGORY_OTHER, text="Странный звук"))
    request = pb.ConfirmUrgencyRequest(report_id=report_id)
    assert (await dispatcher.at_desk("ConfirmUrgency", request)).report.urgency == "confirmed"
    emergency, _ = await register(draft(category=pb.CATEGORY_ROAD_ACCIDENT, text=DANGER))
    request = pb.ConfirmUrgencyRequest(report_id=emergency)
    assert (await refused(dispatcher.at_desk("ConfirmUrgency", request))).code == "ALREADY_URGENT"
    assert not (await shown(dispatcher, emergency)).urgency


async def test_reasons_are_sealed_and_shown_to_who_may_read_the_text(
    dispatcher: As, security: As, as_: Callable[..., As], register: Register, db: Database
) -> None:
    report_id, receipt = await register(dangerous(text="он зарежет меня мачете, помогите"))
    secret, _ = await register(complaint(text="инспектор угрожает убить меня пистолетом"))
    abroad = as_(operator="inspector-astana")
    for operator in (abroad, as_(operator="inspector-almaty")):
        rows = await queue(operator)
        assert not {report_id, secret} & {row.report.report_id for row in rows}
    assert secret not in {row.report.report_id for row in await queue(dispatcher)}
    assert dangers(await shown(security, secret)) >= {"weapon", "killing"}
    assert dangers(await shown(dispatcher, report_id)) >= {"weapon", "killing"}
    await queue(dispatcher)
    lists = await audited(db, "list", receipt.number)
    assert lists and all(entry["actor"] == "operator/dispatcher-almaty" for entry in lists)
    word = "мачете"
    async with db.begin(SYSTEM) as tx:
        sealed = await tx.execute(text("SELECT sealed FROM urgency_reasons"))
        assert not any(word.encode() in bytes(row.sealed) for row in sealed)
        for table in ("outbox", "audit", "work", "reports", "changes"):
            query = text(f"SELECT to_jsonb({table})::text FROM {table}")
            stored = (await tx.execute(query)).scalars()
            assert not any(word in row or word.encode().hex() in row for row in stored)


async def test_pages_of_the_queue_join(dispatcher: As, register: Register) -> None:
    ids = {(await register(dangerous()))[0] for _ in range(3)}
    request, found = pb.ReportDeskListReportsRequest(), list[str]()
    request.page.size = 2
    while True:
        answer = await dispatcher.at_desk("ListReports", request)
        found += [row.report.report_id for row in answer.reports]
        request.page.token = answer.next_page_token
        if not answer.next_page_token:
            break
    assert ids <= set(found) and len(found) == len(set(found))
