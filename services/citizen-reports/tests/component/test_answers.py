"""Answers from templates wait before they leave: undone, set aside, or sent once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from chassis.clock import new_id, system_clock
from chassis.db import Database
from chassis.transaction import SYSTEM
from citizen_reports.model.law import read_law
from citizen_reports.usecases.recording import ReportRecorder
from citizen_reports.usecases.waiting_answers import Answers
from host.scheduler import WaitUntilDue
from sqlalchemy import text
from tartip.reports.v1 import answers_pb2, answers_pb2_grpc
from tartip.reports.v1 import reports_pb2 as pb
from tartip_testing.audit import served_differences
from tartip_testing.mesh import RunningTestMesh

from .conftest import SERVICE, As, Register, complaint, draft, refused
from .test_secrecy import audited
from .test_ways_around import signed_in

UNDO = timedelta(seconds=300)
SAYS = answers_pb2.Texts(
    kk="{number} хабарламаңыз қаралды: {outcome}",
    ru="Сообщение {number} от {registered_on} рассмотрено: {outcome}",
    en="Your report {number} was looked at: {outcome}",
)
GIVE, MANY = "AnswerFromTemplate", "AnswerManyFromTemplate"


@pytest.fixture
def officer(as_: Callable[..., As], engines: RunningTestMesh) -> As:
    return signed_in(as_, engines, "dispatcher", log_in="answers-1")


@pytest.fixture
def colleague(as_: Callable[..., As], engines: RunningTestMesh) -> As:
    return signed_in(as_, engines, "dispatcher", log_in="answers-2")


async def of_answers(caller: As, method: str, request: Any) -> Any:
    stub = answers_pb2_grpc.AnswersStub(caller.channels.to(caller.address, SERVICE))
    return await getattr(stub, method)(request, timeout=20, metadata=caller.metadata)


def template_request(name: str, **changes: Any) -> answers_pb2.PutTemplateRequest:
    given: dict[str, Any] = {
        "request_id": str(new_id()),
        "template": name,
        "outcome": "measures_taken",
        "texts": SAYS,
        "reason": "asked for by the legal department",
    }
    return answers_pb2.PutTemplateRequest(**given | changes)


async def a_template(administrator: As, **changes: Any) -> str:
    name = f"template-{new_id()}"
    await of_answers(administrator, "PutTemplate", template_request(name, **changes))
    return name


async def in_work(officer: As, register: Register, given: Any = None) -> pb.DeskReport:
    report_id, _ = await register(given)
    request = pb.TakeReportRequest(report_id=report_id)
    report: pb.DeskReport = (await officer.at_desk("TakeReport", request)).report
    return report


def giving(report: pb.DeskReport, template: str, **changes: Any) -> Any:
    given: dict[str, Any] = {
        "request_id": str(new_id()),
        "report_id": report.report.report_id,
        "version": report.report.version,
        "template": template,
    }
    return answers_pb2.AnswerFromTemplateRequest(**given | changes)


def giving_many(template: str, *reports: pb.DeskReport) -> Any:
    return answers_pb2.AnswerManyFromTemplateRequest(
        request_id=str(new_id()),
        template=template,
        reports=[
            answers_pb2.ShownReport(report_id=one.report.report_id, version=one.report.version)
            for one in reports
        ],
    )


async def shown(caller: As, report_id: str) -> pb.DeskReport:
    request = pb.ReportDeskGetReportRequest(report_id=report_id)
    report: pb.DeskReport = (await caller.at_desk("GetReport", request)).report
    return report


async def at_app(kaspi: As, report_id: str) -> pb.Report:
    request = pb.GetReportRequest(report_id=report_id)
    report: pb.Report = (await kaspi.app("GetReport", request)).report
    return report


def sending(db: Database, *, after: timedelta) -> Answers:
    """The use cases on the service's database, by a clock that is ahead."""
    law, desk = read_law(), None
    recorder = ReportRecorder(law.deadlines)
    return Answers(desk, db, lambda: system_clock() + after, law, recorder, UNDO)  # type: ignore[arg-type]


async def answers_of(db: Database, report_id: str) -> list[Any]:
    query = text("SELECT * FROM waiting_answers WHERE report_id = :id ORDER BY given_at")
    async with db.begin(SYSTEM) as tx:
        return list((await tx.execute(query.bindparams(id=UUID(report_id)))).all())


async def test_an_answer_waits_unheard_and_leaves_once_in_the_language_of_the_reporter(
    kaspi: As,
    officer: As,
    administrator: As,
    register: Register,
    db: Database,
    engines: RunningTestMesh,
) -> None:
    name = await a_template(administrator)
    report = await in_work(officer, register, draft(language="kk"))
    report_id, number = report.report.report_id, report.report.receipt.number
    says = f"{number} хабарламаңыз қаралды: шаралар қолданылды"
    preview = await of_answers(
        officer,
        "PreviewAnswer",
        answers_pb2.PreviewAnswerRequest(report_id=report_id, template=name),
    )
    assert (preview.answer, preview.language) == (says, "kk")
    request = giving(report, name, template_version=preview.template_version)
    given = (await of_answers(officer, GIVE, request)).report
    assert given.report.status == pb.REPORT_STATUS_IN_WORK and not given.report.answer
    waiting = given.waiting_answer
    assert (waiting.operator, waiting.outcome) == ("answers-1", "measures_taken")
    assert (waiting.answer, waiting.request_id) == (says, request.request_id)
    again = (await of_answers(officer, GIVE, request)).report
    assert again.waiting_answer == waiting and again.report.version == given.report.version
    told = await at_app(kaspi, report_id)
    assert told.status == pb.REPORT_STATUS_IN_WORK and not told.answer
    [stored] = await answers_of(db, report_id)
    assert says.encode() not in bytes(stored.sealed)
    async with db.begin(SYSTEM) as tx:
        work = text("SELECT due_at FROM work WHERE kind = 'send_answer' AND key = :key")
        assert await tx.scalar(work.bindparams(key=str(stored.answer_id))) == stored.leaves_at
    with pytest.raises(WaitUntilDue):
        await sending(db, after=UNDO - timedelta(seconds=60)).send(str(stored.answer_id))
    for _ in range(3):  # a lease that ran out does the work again
        await sending(db, after=UNDO).send(str(stored.answer_id))
    told = await at_app(kaspi, report_id)
    assert (told.status, told.answer) == (pb.REPORT_STATUS_ANSWERED, says)
    report = await shown(officer, report_id)
    assert [step.note for step in report.steps].count(says) == 1
    assert report.steps[-1].actor == "answers-1" and not report.HasField("waiting_answer")
    assert report.closing_outcome == "measures_taken"
    undone = answers_pb2.UndoAnswersRequest(request_id=request.request_id)
    [result] = (await of_answers(officer, "UndoAnswers", undone)).results
    assert result.state == answers_pb2.ANSWER_STATE_SENT
    assert not [one for one in await served_differences(engines, SERVICE) if number in one]


async def test_who_gave_an_answer_undoes_it_and_nobody_else(
    kaspi: As, officer: As, colleague: As, administrator: As, register: Register, db: Database
) -> None:
    name = await a_template(administrator)
    report = await in_work(officer, register)
    report_id = report.report.report_id
    request = giving(report, name)
    await of_answers(officer, GIVE, request)
    seen = await shown(colleague, report_id)
    assert seen.waiting_answer.operator == "answers-1"
    other = giving(seen, name)
    assert (await refused(of_answers(colleague, GIVE, other))).code == "ANSWER_WAITING"
    undo = answers_pb2.UndoAnswersRequest(request_id=request.request_id)
    refusal = await refused(of_answers(colleague, "UndoAnswers", undo))
    assert refusal.code == "ANSWER_NOT_FOUND"
    for _ in range(2):
        [result] = (await of_answers(officer, "UndoAnswers", undo)).results
        assert result.state == answers_pb2.ANSWER_STATE_UNDONE
    [stored] = await answers_of(db, report_id)
    await sending(db, after=UNDO).send(str(stored.answer_id))
    report = await shown(officer, report_id)
    assert report.report.status == pb.REPORT_STATUS_IN_WORK
    assert not report.HasField("waiting_answer") and "answer" in report.actions
    assert [step.note for step in report.steps][-2:] == [
        "answer waits, measures_taken",
        "answer undone",
    ]
    assert not (await at_app(kaspi, report_id)).answer
    await of_answers(officer, GIVE, giving(report, name))
    assert (await shown(officer, report_id)).HasField("waiting_answer")


async def test_who_acts_on_a_report_sets_the_answer_aside_that_waits(
    kaspi: As, officer: As, administrator: As, register: Register, db: Database
) -> None:
    name = await a_template(administrator)
    asked, withdrawn, raised, urgent = [
        await in_work(officer, register, draft(category=pb.CATEGORY_OTHER, text="Странный звук"))
        for _ in range(4)
    ]
    request = giving_many(name, asked, withdrawn, raised, urgent)
    results = (await of_answers(officer, MANY, request)).results
    assert {one.state for one in results} == {answers_pb2.ANSWER_STATE_WAITING}
    ids = [one.report.report_id for one in (asked, withdrawn, raised, urgent)]
    question = pb.AskReporterRequest(report_id=ids[0], question="Where exactly was it, please?")
    await officer.at_desk("AskReporter", question)
    await kaspi.app("WithdrawReport", pb.WithdrawReportRequest(report_id=ids[1]))
    secret = pb.RaiseReportRequest(
        report_id=ids[2], category=pb.CATEGORY_COMPLAINT_ABOUT_OFFICER, reason="an officer did it"
    )
    await officer.at_desk("RaiseReport", secret)
    await officer.at_desk("ConfirmUrgency", pb.ConfirmUrgencyRequest(report_id=ids[3]))
    assert not (await shown(officer, ids[0])).HasField("waiting_answer")
    for report_id in ids:
        [stored] = await answers_of(db, report_id)
        await sending(db, after=UNDO).send(str(stored.answer_id))
        [stored] = await answers_of(db, report_id)
        assert stored.state == "set_aside"
        told = await at_app(kaspi, report_id)
        assert told.status != pb.REPORT_STATUS_ANSWERED and not told.answer
    last = [(await shown(officer, one)).steps[-1].note for one in (ids[0], ids[3])]
    assert last == [
        "answer not sent: the report was acted on",
        "answer not sent: ARRIVAL_REQUIRED",
    ]
    undo = answers_pb2.UndoAnswersRequest(request_id=request.request_id)
    told = (await of_answers(officer, "UndoAnswers", undo)).results
    assert {one.report_id for one in told} == {ids[0], ids[1], ids[3]}, "the complaint is hidden"


async def test_many_are_answered_each_by_itself_and_a_repeated_request_goes_on(
    officer: As, administrator: As, register: Register, db: Database
) -> None:
    name = await a_template(administrator)
    right, changed = await in_work(officer, register), await in_work(officer, register)
    violence = draft(category=pb.CATEGORY_DOMESTIC_VIOLENCE)
    protected = await in_work(officer, register, violence)
    untaken, _ = await register()
    hidden, _ = await register(complaint())
    request = giving_many(name, right, changed, protected)
    request.reports[1].version = 99
    for report_id in (untaken, hidden):
        request.reports.add(report_id=report_id)
    results = (await of_answers(officer, MANY, request)).results
    assert [one.reason for one in results] == [
        "",
        "REPORT_CHANGED_MEANWHILE",
        "ANSWER_NOT_IN_BULK",
        "STATUS_NOT_ALLOWED",
        "REPORT_NOT_FOUND",
    ]
    assert results[0].state == answers_pb2.ANSWER_STATE_WAITING and results[0].HasField("leaves_at")
    assert all(one.message.kk and one.message.ru and one.message.en for one in results[1:])
    await officer.at_desk("TakeReport", pb.TakeReportRequest(report_id=untaken))
    again = (await of_answers(officer, MANY, request)).results
    assert again[0] == results[0]
    assert [one.reason for one in again][3:] == ["", "REPORT_NOT_FOUND"]
    assert len(await answers_of(db, right.report.report_id)) == 1
    request.template = "another"
    assert (await refused(of_answers(officer, MANY, request))).code == "ID_REUSED"
    for wrong in ([], [right] * 2, [right] * 51):
        refusal = await refused(of_answers(officer, MANY, giving_many(name, *wrong)))
        assert refusal.code == "BAD_REQUEST"
    one_by_one = giving(await shown(officer, protected.report.report_id), name)
    assert (await refused(of_answers(officer, GIVE, one_by_one))).code == "ARRIVAL_REQUIRED"


async def test_a_template_is_changed_by_a_named_person_with_a_reason_version_by_version(
    officer: As, administrator: As, db: Database, register: Register, engines: RunningTestMesh
) -> None:
    name = f"template-{new_id()}"
    request = template_request(name, categories=[pb.CATEGORY_OTHER])
    first = (await of_answers(administrator, "PutTemplate", request)).template
    assert (first.version, first.changed_by) == (1, "personnel-1")
    assert first.reason == request.reason and first.categories == [pb.CATEGORY_OTHER]
    again = (await of_answers(administrator, "PutTemplate", request)).template
    assert again == first
    stale = template_request(name)
    refusal = await refused(of_answers(administrator, "PutTemplate", stale))
    assert refusal.code == "TEMPLATE_CHANGED_MEANWHILE"
    assert (await refused(of_answers(officer, "PutTemplate", stale))).code == "NOT_ALLOWED"
    wrong = template_request(name, reason=" ", outcome="none", categories=[99])
    refusal = await refused(of_answers(administrator, "PutTemplate", wrong))
    assert {one.field for one in refusal.fields} >= {"reason", "categories"}
    report = await in_work(officer, register)
    unfit = await refused(of_answers(officer, GIVE, giving(report, name)))
    assert unfit.code == "TEMPLATE_NOT_FOR_REPORT"

    async def names(category: Any) -> set[str]:
        listing, found = answers_pb2.ListTemplatesRequest(category=category), set[str]()
        listing.page.size = 2
        while True:
            answer = await of_answers(officer, "ListTemplates", listing)
            found |= {one.template for one in answer.templates}
            listing.page.token = answer.next_page_token
            if not answer.next_page_token:
                return found

    assert name in await names(pb.CATEGORY_OTHER)
    assert name in await names(pb.CATEGORY_UNSPECIFIED)
    assert name not in await names(pb.CATEGORY_TRAFFIC_VIOLATION)
    gone = template_request(name, version=1, withdrawn=True)
    assert (await of_answers(administrator, "PutTemplate", gone)).template.version == 2
    assert name not in await names(pb.CATEGORY_OTHER)
    unknown = await refused(of_answers(officer, GIVE, giving(report, name)))
    assert unknown.code == "TEMPLATE_NOT_FOUND"
    entries = await audited(db, "put_answer_template", name)
    assert [one["actor"] for one in entries] == ["operator/personnel-1"] * 2
    assert not [one for one in await served_differences(engines, SERVICE) if name in one]
