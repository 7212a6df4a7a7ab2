"""What a reporter says about a report counts once, however often it is sent; what may be said."""

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from chassis.clock import new_id
from chassis.db import Database
from chassis.transaction import SYSTEM
from sqlalchemy import text
from tartip.reports.v1 import reports_pb2 as pb
from tartip_testing.audit import served_differences
from tartip_testing.mesh import RunningTestMesh

from .conftest import As, Register, complaint, draft, jpeg, pieces_of, refused, until

WITHDRAWN = pb.REPORT_STATUS_WITHDRAWN


async def asked(desk: As, report_id: str) -> None:
    await desk.at_desk("TakeReport", pb.TakeReportRequest(report_id=report_id))
    request = pb.AskReporterRequest(report_id=report_id, question="Which lamp?")
    await desk.at_desk("AskReporter", request)


def answer_to(report_id: str) -> pb.AnswerReportRequest:
    return pb.AnswerReportRequest(
        report_id=report_id, answer="The lamp is mended", outcome="measures_taken"
    )


async def answered(desk: As, report_id: str) -> None:
    await desk.at_desk("TakeReport", pb.TakeReportRequest(report_id=report_id))
    request = answer_to(report_id)
    await desk.at_desk("AnswerReport", request)


def reply(report_id: str, said: str = "The left one", **more: str) -> pb.ReplyToQuestionRequest:
    return pb.ReplyToQuestionRequest(report_id=report_id, text=said, **more)


def dispute(report_id: str, said: str = "It is dark", **more: str) -> pb.DisputeAnswerRequest:
    return pb.DisputeAnswerRequest(report_id=report_id, text=said, **more)


def withdrawal(report_id: str, reason: str = "") -> pb.WithdrawReportRequest:
    return pb.WithdrawReportRequest(report_id=report_id, reason=reason)


async def get(by: As, report_id: str) -> pb.Report:
    found: pb.Report = (await by.app("GetReport", pb.GetReportRequest(report_id=report_id))).report
    return found


@pytest.fixture
def steps(dispatcher: As) -> Callable[..., Any]:
    async def of(report_id: str, desk: As = dispatcher) -> list[tuple[int, str, str]]:
        request = pb.ReportDeskGetReportRequest(report_id=report_id)
        found = (await desk.at_desk("GetReport", request)).report.steps
        return [(step.status, step.actor, step.note) for step in found]

    return of


@pytest.mark.parametrize("with_id", [True, False], ids=["with an id", "without an id"])
async def test_a_reply_sent_again_counts_once(
    kaspi: As, dispatcher: As, register: Register, steps: Callable[..., Any], with_id: bool
) -> None:
    report_id, _ = await register()
    await asked(dispatcher, report_id)
    request = reply(report_id, reply_id=str(new_id()) if with_id else "")
    first = await kaspi.app("ReplyToQuestion", request)
    assert await kaspi.app("ReplyToQuestion", request) == first
    assert first.report.status == pb.REPORT_STATUS_IN_WORK
    assert [note for _, _, note in await steps(report_id)].count("The left one") == 1
    other = reply(report_id, "The right one")
    assert (await refused(kaspi.app("ReplyToQuestion", other))).code == "NOTHING_ASKED"
    # It stays said when the report has gone on.
    answer = answer_to(report_id)
    await dispatcher.at_desk("AnswerReport", answer)
    again = (await kaspi.app("ReplyToQuestion", request)).report
    assert again.status == pb.REPORT_STATUS_ANSWERED


async def test_a_reply_with_a_new_id_to_nothing_is_refused_and_uses_no_id_up(
    kaspi: As, dispatcher: As, register: Register
) -> None:
    report_id, _ = await register()
    await asked(dispatcher, report_id)
    await kaspi.app("ReplyToQuestion", reply(report_id))
    later = reply(report_id, reply_id=str(new_id()))
    assert (await refused(kaspi.app("ReplyToQuestion", later))).code == "NOTHING_ASKED"
    ask = pb.AskReporterRequest(report_id=report_id, question="And which street?")
    await dispatcher.at_desk("AskReporter", ask)
    assert (await kaspi.app("ReplyToQuestion", later)).report.status == pb.REPORT_STATUS_IN_WORK


async def test_an_id_of_what_was_said_is_of_that_alone(
    kaspi: As, dispatcher: As, register: Register
) -> None:
    report_id, _ = await register()
    await asked(dispatcher, report_id)
    said_id = str(new_id())
    await kaspi.app("ReplyToQuestion", reply(report_id, reply_id=said_id))
    for other in (
        reply(report_id, "Another", reply_id=said_id),
        reply(report_id, reply_id=report_id),
    ):
        assert (await refused(kaspi.app("ReplyToQuestion", other))).code == "ID_REUSED"
    wrong = reply(report_id, reply_id="1")
    assert (await refused(kaspi.app("ReplyToQuestion", wrong))).code == "REPLY_ID_WRONG"
    wrong_dispute = dispute(report_id, dispute_id="1")
    assert (await refused(kaspi.app("DisputeAnswer", wrong_dispute))).code == "DISPUTE_ID_WRONG"


@pytest.mark.parametrize("with_id", [True, False], ids=["with an id", "without an id"])
async def test_a_dispute_sent_again_counts_once(
    kaspi: As, dispatcher: As, register: Register, steps: Callable[..., Any], with_id: bool
) -> None:
    report_id, _ = await register()
    await answered(dispatcher, report_id)
    request = dispute(report_id, dispute_id=str(new_id()) if with_id else "")
    first = await kaspi.app("DisputeAnswer", request)
    assert await kaspi.app("DisputeAnswer", request) == first
    assert [note for _, _, note in await steps(report_id)].count("It is dark") == 1
    other = dispute(report_id, "Something else")
    assert (await refused(kaspi.app("DisputeAnswer", other))).code == "ALREADY_DISPUTED"


async def test_steps_from_before_they_named_their_partner_are_seen_as_before(
    kaspi: As,
    dispatcher: As,
    register: Register,
    steps: Callable[..., Any],
    engines: RunningTestMesh,
) -> None:
    report_id, _ = await register()
    await asked(dispatcher, report_id)
    first = await kaspi.app("ReplyToQuestion", reply(report_id))
    before = await steps(report_id)
    connection = await asyncpg.connect(engines.database.url)
    unnamed = "UPDATE citizen_reports.steps SET partner = NULL WHERE report_id = $1::uuid"
    await connection.execute(unnamed, report_id)
    await connection.close()
    assert await steps(report_id) == before
    assert await kaspi.app("ReplyToQuestion", reply(report_id)) == first  # it reads the last step


async def test_what_shows_nothing_is_nothing_said(
    kaspi: As, dispatcher: As, register: Register
) -> None:
    report_id, _ = await register()
    await asked(dispatcher, report_id)
    for nothing in (" ", "\u200b", "\x00\u202e"):
        empty = reply(report_id, nothing)
        assert (await refused(kaspi.app("ReplyToQuestion", empty))).code == "TEXT_REQUIRED"
    long = reply(report_id, "x" * 2**20)
    assert (await refused(kaspi.app("ReplyToQuestion", long))).code == "TEXT_TOO_LONG"


async def test_the_desk_asks_and_answers_in_what_can_be_read(
    kaspi: As, dispatcher: As, register: Register
) -> None:
    report_id, _ = await register()
    await dispatcher.at_desk("TakeReport", pb.TakeReportRequest(report_id=report_id))
    blank = pb.AskReporterRequest(report_id=report_id, question="\u200b\u3164")
    assert (await refused(dispatcher.at_desk("AskReporter", blank))).code == "QUESTION_REQUIRED"
    question = pb.AskReporterRequest(report_id=report_id, question="Which\u202e lamp?\x00")
    await dispatcher.at_desk("AskReporter", question)
    assert (await get(kaspi, report_id)).question == "Which lamp?"


async def test_a_withdrawn_report_leaves_the_queue_and_is_told_in_the_stream(
    kaspi: As, dispatcher: As, register: Register, steps: Callable[..., Any]
) -> None:
    report_id, receipt = await register()
    await asked(dispatcher, report_id)
    first = (await kaspi.app("WithdrawReport", withdrawal(report_id, "settled\u200b it"))).report
    assert (first.status, first.question, list(first.actions)) == (WITHDRAWN, "", [])
    assert not first.HasField("due_at") and first.receipt == receipt
    assert (await kaspi.app("WithdrawReport", withdrawal(report_id))).report == first
    assert await get(kaspi, report_id) == first
    assert (await steps(report_id))[-1] == (WITHDRAWN, "reporter", "settled it")
    listing = pb.ReportDeskListReportsRequest()
    listing.page.size = 200
    listed = (await dispatcher.at_desk("ListReports", listing)).reports
    assert report_id not in {row.report.report_id for row in listed}
    listing.status = WITHDRAWN
    [row] = [
        row
        for row in (await dispatcher.at_desk("ListReports", listing)).reports
        if row.report.report_id == report_id
    ]
    assert (list(row.actions), row.HasField("due_at")) == ([], False)
    refusal = await refused(dispatcher.at_desk("AnswerReport", answer_to(report_id)))
    assert refusal.code == "STATUS_NOT_ALLOWED"
    stream = kaspi.watch("0")
    async for change in stream:
        if (change.report_id, change.status) == (report_id, WITHDRAWN):
            break
    stream.cancel()


async def test_a_withdrawal_is_a_decision_in_the_log(
    kaspi: As, register: Register, engines: RunningTestMesh
) -> None:
    report_id, receipt = await register(draft(category=pb.CATEGORY_OTHER))
    await kaspi.app("WithdrawReport", withdrawal(report_id))
    before = await served_differences(engines, "citizen-reports")
    assert not [line for line in before if receipt.number in line]
    connection = await asyncpg.connect(engines.database.url)
    back = "UPDATE citizen_reports.reports SET status = 'routed' WHERE number = $1"
    await connection.execute(back, receipt.number)

    async def found() -> list[str]:
        lines = await served_differences(engines, "citizen-reports")
        return [line for line in lines if receipt.number in line]

    assert await until(found)
    restore = "UPDATE citizen_reports.reports SET status = 'withdrawn' WHERE number = $1"
    await connection.execute(restore, receipt.number)
    await connection.close()


async def test_a_withdrawn_draft_is_gone_with_its_key_and_stays_withdrawn(
    kaspi: As, halyk: As, db: Database
) -> None:
    without_iin = pb.Reporter(name="Synthetic Reporter", phone="+77000000000")
    given = draft(category=pb.CATEGORY_DOMESTIC_VIOLENCE, reporter=without_iin)
    await kaspi.app("OpenReport", given)
    for piece in pieces_of(given.report_id, jpeg()):
        await kaspi.app("PutMedia", piece)
    async with db.begin(SYSTEM) as tx:
        query = text(
            "SELECT key_id FROM contents WHERE report_id = CAST(:id AS uuid)"
            " UNION ALL SELECT key_id FROM reporters WHERE report_id = CAST(:id AS uuid)"
        )
        keys = list((await tx.execute(query.bindparams(id=given.report_id))).scalars())
    assert len(keys) == 2
    request = withdrawal(given.report_id)
    assert (await refused(halyk.app("WithdrawReport", request))).code == "REPORT_NOT_FOUND"
    gone = pb.Report(report_id=given.report_id, status=WITHDRAWN)
    for _ in range(2):
        assert (await kaspi.app("WithdrawReport", request)).report == gone
    assert (await refused(halyk.app("WithdrawReport", request))).code == "REPORT_NOT_FOUND"
    for method, later in (
        ("GetReport", pb.GetReportRequest(report_id=given.report_id)),
        ("SubmitReport", pb.SubmitReportRequest(report_id=given.report_id)),
        ("OpenReport", given),
        ("HandInReport", pb.HandInReportRequest(report=given)),
    ):
        assert (await refused(kaspi.app(method, later))).code == "REPORT_NOT_FOUND", method

    async def is_destroyed() -> bool:
        async with db.begin(SYSTEM) as tx:
            query = text("SELECT bool_and(wrapped IS NULL) FROM data_keys WHERE key_id = ANY(:ids)")
            return bool(await tx.scalar(query.bindparams(ids=keys)))

    assert await until(is_destroyed)


async def test_what_must_be_handled_is_not_withdrawn(
    kaspi: As, as_: Callable[..., As], register: Register
) -> None:
    async def why(report_id: str) -> str:
        refusal = await refused(kaspi.app("WithdrawReport", withdrawal(report_id)))
        assert refusal.code == "WITHDRAWAL_NOT_ALLOWED"
        assert "withdraw" not in (await get(kaspi, report_id)).actions
        return refusal.facts["reason"]

    for category in (pb.CATEGORY_DOMESTIC_VIOLENCE, pb.CATEGORY_INCIDENT):
        report_id, _ = await register(draft(category=category))
        assert await why(report_id) == "crime_or_danger"
    report_id, _ = await register(complaint())
    assert list((await get(kaspi, report_id)).actions) == ["withdraw"]
    security = as_(operator="security-1")
    await security.at_desk("TakeReport", pb.TakeReportRequest(report_id=report_id))
    assert await why(report_id) == "complaint_in_work"
    report_id, _ = await register()
    await answered(as_(operator="dispatcher-almaty"), report_id)
    assert await why(report_id) == "answered"


async def test_a_reason_that_is_too_long_is_refused(kaspi: As, register: Register) -> None:
    report_id, _ = await register()
    long = withdrawal(report_id, "x" * 501)
    assert (await refused(kaspi.app("WithdrawReport", long))).code == "REASON_TOO_LONG"


async def test_another_partners_report_is_neither_replied_to_nor_withdrawn_and_the_attempt_recorded(
    kaspi: As, halyk: As, register: Register, db: Database
) -> None:
    report_id, receipt = await register(by=kaspi)
    calls = {
        "ReplyToQuestion": reply(report_id),
        "DisputeAnswer": dispute(report_id),
        "WithdrawReport": withdrawal(report_id),
    }
    for method, request in calls.items():
        assert (await refused(halyk.app(method, request))).code == "REPORT_NOT_FOUND"
    async with db.begin(SYSTEM) as tx:
        query = text(
            "SELECT count(*) FROM audit"
            " WHERE convert_from(canonical, 'UTF8')::jsonb->>'action' = 'open_refused'"
            " AND convert_from(canonical, 'UTF8')::jsonb->>'object' = :object"
        )
        recorded = await tx.scalar(query.bindparams(object=f"report:{receipt.number}"))
    assert recorded == len(calls)
