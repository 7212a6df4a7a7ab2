"""Two clocks: what they bring at their time, once and in order, and what ends or moves them."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from chassis.clock import system_clock, to_timestamp
from chassis.db import Database
from chassis.transaction import SYSTEM
from citizen_reports.model.deadlines import Deadlines
from citizen_reports.model.law import Law, read_law
from citizen_reports.usecases.escalation import WAITING, Escalation
from citizen_reports.usecases.recording import DEADLINE, DUE_SOON, RESPONSE, ReportRecorder
from google.protobuf.message import Message
from host.scheduler import Scheduler, WaitUntilDue
from sqlalchemy import text
from tartip.reports.v1 import events_pb2
from tartip.reports.v1 import reports_pb2 as pb
from tartip_testing.audit import served_differences
from tartip_testing.mesh import RunningTestMesh

from .conftest import As, Register, complaint, draft, refused, until
from .inside import EURASIAN, intake_on, opened

DEADLINES = read_law().deadlines


def escalation(db: Database, clock: Callable[[], datetime]) -> Escalation:
    return Escalation(db, clock, DEADLINES, ReportRecorder(DEADLINES))


def moment(stamp: Any) -> datetime:
    found: datetime = stamp.ToDatetime(tzinfo=system_clock().tzinfo)
    return found


async def test_an_emergency_that_is_taken_and_not_reached_climbs_step_by_step(
    register: Register, db: Database, dispatcher: As
) -> None:
    report_id, receipt = await register(draft(category=pb.CATEGORY_INCIDENT_WITH_CHILD))
    await act(dispatcher, "TakeReport", report_id)
    due = moment(receipt.response_due_at)
    with pytest.raises(WaitUntilDue):
        await escalation(db, lambda: due - timedelta(seconds=5)).check_response(f"{report_id}:1")
    late = escalation(db, lambda: due + timedelta(seconds=1))
    for _ in range(3):  # a lease that ran out does the work again
        await late.check_response(f"{report_id}:1")
    with pytest.raises(WaitUntilDue):
        await late.check_response(f"{report_id}:2")
    await escalation(db, lambda: due + timedelta(minutes=5)).check_response(f"{report_id}:2")
    report = await read(dispatcher, report_id)
    assert [step.note for step in report.steps][-2:] == [
        "overdue, response, step 1: supervisor",
        "overdue, response, step 2: protection_head",
    ]
    assert (report.position, report.operator) == ("protection_head", "dispatcher-almaty")
    told = await published(db, report_id, "reports.v1.overdue", events_pb2.ReportOverdue)
    assert [(one.step, one.position, one.clock) for one in told] == [
        (1, "supervisor", "response"),
        (2, "protection_head", "response"),
    ]
    await act(dispatcher, "RecordArrival", report_id)
    await late.check_response(f"{report_id}:3")
    assert (await read(dispatcher, report_id)).position == "protection_head"


async def test_a_complaint_climbs_to_positions_that_may_see_it(
    as_: Callable[..., As], register: Register, db: Database
) -> None:
    report_id, receipt = await register(complaint())
    late = escalation(db, lambda: moment(receipt.due_at) + timedelta(seconds=1))
    await late.check_deadline(f"{report_id}:1:1")
    assert (await read(as_(operator="security-1"), report_id)).position == "security_supervisor"
    assert await published(db, report_id, "reports.v1.overdue", events_pb2.ReportOverdue) == []


async def test_an_accident_that_is_raised_to_a_complaint_climbs_to_positions_that_may_see_it(
    as_: Callable[..., As], register: Register, db: Database, dispatcher: As, kaspi: As
) -> None:
    report_id, receipt = await register(draft(category=pb.CATEGORY_ROAD_ACCIDENT))
    due = moment(receipt.response_due_at)
    await escalation(db, lambda: due).check_response(f"{report_id}:1")
    request = pb.RaiseReportRequest(
        report_id=report_id, category=pb.CATEGORY_COMPLAINT_ABOUT_OFFICER, reason="his car"
    )
    assert (await dispatcher.at_desk("RaiseReport", request)).hidden
    late = escalation(db, lambda: due + timedelta(minutes=30))
    for step, position in ((2, "security_head"), (3, "security_ministry")):
        await late.check_response(f"{report_id}:{step}")
        assert (await read(as_(operator="security-1"), report_id)).position == position
    told = (await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))).report
    assert (told.category, told.receipt) == (pb.CATEGORY_ROAD_ACCIDENT, receipt)
    open_to_all = await published(db, report_id, "reports.v1.overdue", events_pb2.ReportOverdue)
    assert [one.step for one in open_to_all] == [1], "the later ones are of complaints"


async def test_a_scheduler_that_stood_for_three_days_takes_each_step_once(
    register: Register, db: Database, dispatcher: As, engines: RunningTestMesh
) -> None:
    """Two schedulers begin at once, three days after the last deadline; some work is done twice."""
    report_id, receipt = await register(draft(category=pb.CATEGORY_ROAD_ACCIDENT))
    await act(dispatcher, "TakeReport", report_id)
    now = moment(receipt.due_at) + timedelta(days=3)
    late = escalation(db, lambda: now)
    handlers = {
        RESPONSE: twice(late.check_response),
        DEADLINE: twice(late.check_deadline),
        DUE_SOON: twice(late.warn),
    }
    own = {kind: only(report_id, handler) for kind, handler in handlers.items()}
    running = [asyncio.ensure_future(Scheduler(db, lambda: now, own).run()) for _ in range(2)]

    async def done() -> bool:
        return (await read(dispatcher, report_id)).steps[-1].note.endswith("step 3: ministry") and (
            not await waiting_work(engines, report_id)
        )

    await until(done)
    for task in running:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*running)
    notes = [step.note for step in (await read(dispatcher, report_id)).steps]
    climbed = [note for note in notes if note.startswith(("overdue", "due soon"))]
    for clock in ("response", "answer"):
        names = ("supervisor", "regional_head", "ministry")
        assert [note for note in climbed if f", {clock}" in note] == [
            f"overdue, {clock}, step {step}: {name}" for step, name in enumerate(names, 1)
        ]
    assert len(climbed) == 6
    number = receipt.number
    assert not [
        one for one in await served_differences(engines, "citizen-reports") if number in one
    ]


async def test_a_warning_comes_before_a_clock_ends_once(
    register: Register, db: Database, dispatcher: As, engines: RunningTestMesh
) -> None:
    report_id, receipt = await register(draft(category=pb.CATEGORY_DOMESTIC_VIOLENCE))
    registered, due = moment(receipt.registered_at), moment(receipt.response_due_at)
    connection = await asyncpg.connect(engines.database.url)
    query = "SELECT key, due_at FROM citizen_reports.work WHERE kind = 'due_soon' AND key LIKE $1"
    planned = {row["key"]: row["due_at"] for row in await connection.fetch(query, f"{report_id}%")}
    await connection.close()
    assert set(planned) == {f"{report_id}:response:1", f"{report_id}:answer:1"}
    assert planned[f"{report_id}:response:1"] == registered + (due - registered) * 0.8
    soon = escalation(db, lambda: due - timedelta(seconds=80))
    for _ in range(2):
        for key in sorted(planned, key=planned.__getitem__):
            await soon.warn(key)
    assert (await read(dispatcher, report_id)).steps[-2].note == "due soon, response"
    told = await published(db, report_id, "reports.v1.due_soon", events_pb2.ReportDueSoon)
    assert [one.clock for one in told] == ["response", "answer"]
    await soon_over(db, report_id, due)


async def soon_over(db: Database, report_id: str, due: datetime) -> None:
    """A warning leaves the first step of the ladder to come."""
    await escalation(db, lambda: due).check_response(f"{report_id}:1")
    told = await published(db, report_id, "reports.v1.overdue", events_pb2.ReportOverdue)
    assert [one.step for one in told] == [1]


async def test_a_question_without_a_reply_reminds_and_then_lets_the_report_go_on(
    register: Register, db: Database, dispatcher: As, kaspi: As
) -> None:
    report_id, receipt = await register()
    await act(dispatcher, "TakeReport", report_id)
    ask = pb.AskReporterRequest(report_id=report_id, question="Which lane?", reason="needs_place")
    await dispatcher.at_desk("AskReporter", ask)
    asked_at = system_clock()
    stream = kaspi.watch("")
    heard = asyncio.ensure_future(changes_of(stream, report_id, 2))
    await asyncio.sleep(0.5)
    reminding = escalation(db, lambda: asked_at + timedelta(days=2, minutes=1))
    for _ in range(2):
        await reminding.end_waiting(f"{report_id}:1:1")
    with pytest.raises(WaitUntilDue):
        await reminding.end_waiting(f"{report_id}:1:0")
    late = escalation(db, lambda: asked_at + timedelta(days=9))
    for _ in range(2):
        await late.end_waiting(f"{report_id}:1:0")
    assert [change.status for change in await heard] == [
        pb.REPORT_STATUS_WAITS_FOR_REPORTER,
        pb.REPORT_STATUS_IN_WORK,
    ]
    report = await read(dispatcher, report_id)
    assert report.report.status == pb.REPORT_STATUS_IN_WORK and not report.report.question
    assert [step.note for step in report.steps][-2:] == ["reminder 1", "no reply"]
    waited = moment(report.answer_due_at) - moment(receipt.due_at)
    assert timedelta(days=5) <= waited < timedelta(days=9)
    reply = pb.ReplyToQuestionRequest(report_id=report_id, text="The left one")
    assert (await refused(kaspi.app("ReplyToQuestion", reply))).code == "NOTHING_ASKED"


async def test_the_real_scheduler_has_what_a_question_brings(
    register: Register, dispatcher: As, engines: RunningTestMesh
) -> None:
    report_id, _ = await register()
    await act(dispatcher, "TakeReport", report_id)
    ask = pb.AskReporterRequest(report_id=report_id, question="Which lane?")
    await dispatcher.at_desk("AskReporter", ask)
    keys = {key for kind, key in await waiting_work(engines, report_id) if kind == WAITING}
    assert keys == {f"{report_id}:1:{number}" for number in (0, 1, 2)}


async def test_a_question_says_something_and_has_a_reason_of_the_list(
    register: Register, dispatcher: As
) -> None:
    report_id, _ = await register()
    await act(dispatcher, "TakeReport", report_id)
    ask = pb.AskReporterRequest(report_id=report_id, question="?", reason="curiosity")
    codes = {error.code for error in (await refused(dispatcher.at_desk("AskReporter", ask))).fields}
    assert codes == {"QUESTION_SAYS_NOTHING", "REASON_UNKNOWN"}
    ask = pb.AskReporterRequest(report_id=report_id, question=" ")
    codes = {error.code for error in (await refused(dispatcher.at_desk("AskReporter", ask))).fields}
    assert codes == {"QUESTION_REQUIRED"}


async def test_an_answer_has_an_outcome_and_says_something(
    register: Register, dispatcher: As, kaspi: As
) -> None:
    report_id, _ = await register(draft(category=pb.CATEGORY_OTHER))
    await act(dispatcher, "TakeReport", report_id)
    answer = pb.AnswerReportRequest(report_id=report_id, answer=".")
    refusal = await refused(dispatcher.at_desk("AnswerReport", answer))
    assert {error.code for error in refusal.fields} == {"ANSWER_SAYS_NOTHING", "OUTCOME_REQUIRED"}
    answer = pb.AnswerReportRequest(
        report_id=report_id, answer="Nothing was found", outcome="officer_at_fault"
    )
    refusal = await refused(dispatcher.at_desk("AnswerReport", answer))
    assert {error.code for error in refusal.fields} == {"OUTCOME_UNKNOWN"}
    answer.outcome = "not_confirmed"
    answered = (await dispatcher.at_desk("AnswerReport", answer)).report
    seen = (await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))).report
    assert answered.closing_outcome == seen.closing_outcome == "not_confirmed"


async def test_an_arrival_is_neither_of_the_future_nor_before_registration(
    register: Register, dispatcher: As, kaspi: As, as_: Callable[..., As]
) -> None:
    report_id, receipt = await register(draft(category=pb.CATEGORY_ROAD_ACCIDENT))
    for wrong, code in (
        (system_clock() + timedelta(minutes=1), "ARRIVED_IN_FUTURE"),
        (moment(receipt.registered_at) - timedelta(seconds=1), "ARRIVED_BEFORE_REGISTRATION"),
    ):
        request = pb.RecordArrivalRequest(report_id=report_id, arrived_at=to_timestamp(wrong))
        refusal = await refused(dispatcher.at_desk("RecordArrival", request))
        assert [error.code for error in refusal.fields] == [code]
    first = await act(dispatcher, "RecordArrival", report_id)
    again = await act(as_(operator="supervisor-almaty"), "RecordArrival", report_id)
    assert again.report.version == first.report.version
    seen = (await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))).report
    assert seen.arrived_at == first.arrived_at
    calm, _ = await register()
    refusal = await refused(act(dispatcher, "RecordArrival", calm))
    assert refusal.code == "ARRIVAL_NOT_EXPECTED"


async def test_an_extension_is_told_to_the_app_at_once(
    register: Register, dispatcher: As, kaspi: As, as_: Callable[..., As]
) -> None:
    report_id, receipt = await register()
    supervisor = as_(operator="supervisor-almaty")
    extend = pb.ExtendDeadlineRequest(report_id=report_id, reason="an expert", working_days=5)
    with pytest.raises(Exception, match="PERMISSION_DENIED"):
        await dispatcher.at_desk("ExtendDeadline", extend)
    for wrong in (0, -1, 40, 2**31 - 1):
        request = pb.ExtendDeadlineRequest(report_id=report_id, reason=" ", working_days=wrong)
        refusal = await refused(supervisor.at_desk("ExtendDeadline", request))
        assert "REASON_REQUIRED" in {e.code for e in refusal.fields}
        request.reason = "an expert"
        refusal = await refused(supervisor.at_desk("ExtendDeadline", request))
        assert [error.code for error in refusal.fields] == ["WORKING_DAYS_WRONG"]
    stream = kaspi.watch("")
    heard = asyncio.ensure_future(changes_of(stream, report_id, 1))
    await asyncio.sleep(0.5)
    extended = (await supervisor.at_desk("ExtendDeadline", extend)).report
    assert (await heard)[0].status == pb.REPORT_STATUS_ROUTED
    assert moment(extended.answer_due_at) > moment(receipt.due_at) + timedelta(days=5)
    seen = (await kaspi.app("GetReport", pb.GetReportRequest(report_id=report_id))).report
    assert seen.HasField("extended_at") and seen.receipt == receipt
    refusal = await refused(supervisor.at_desk("ExtendDeadline", extend))
    assert refusal.code == "ALREADY_EXTENDED"


async def test_whoever_answered_does_not_take_the_report_that_was_disputed(
    register: Register, as_: Callable[..., As], kaspi: As, engines: RunningTestMesh
) -> None:
    report_id, receipt = await register()
    supervisor = as_(operator="supervisor-almaty")
    await act(supervisor, "TakeReport", report_id)
    answer = {"answer": "The lamp is mended", "outcome": "measures_taken"}
    await act(supervisor, "AnswerReport", report_id, **answer)
    dispute = pb.DisputeAnswerRequest(report_id=report_id, text="Still there")
    await kaspi.app("DisputeAnswer", dispute)
    refusal = await refused(act(supervisor, "TakeReport", report_id))
    assert refusal.code == "ANOTHER_OFFICER_REQUIRED"
    number = receipt.number
    assert not [
        one for one in await served_differences(engines, "citizen-reports") if number in one
    ]


async def test_a_year_without_a_calendar_refuses_no_report_and_its_date_comes_with_the_calendar(
    db: Database, as_: Callable[..., As], engines: RunningTestMesh
) -> None:
    bare = law_without_calendar()
    intake = await intake_on(db, law=bare)
    report_id = await opened(intake)
    receipt = await intake.submit(report_id, EURASIAN)
    year = system_clock().year
    assert receipt.number and receipt.deadline.due_at is None
    assert receipt.deadline.rule.endswith(f"missing:{year}")
    assert ("date_answer", f"{report_id}:1") in await waiting_work(engines, str(report_id))
    without = Escalation(db, system_clock, bare.deadlines, ReportRecorder(bare.deadlines))
    with pytest.raises(WaitUntilDue):
        await without.date_answer(f"{report_id}:1")
    for _ in range(2):
        await escalation(db, system_clock).date_answer(f"{report_id}:1")
    view = await intake.by_id(report_id, EURASIAN)
    due = DEADLINES.of(view.report.category, view.report.region, receipt.registered_at)
    assert (view.report.deadline, view.report.deadline_number) == (due, 2)
    assert view.report.receipt == receipt, "a receipt never changes"
    assert ("deadline", f"{report_id}:2:1") in await waiting_work(engines, str(report_id))


def law_without_calendar() -> Law:
    law = read_law()
    calendar = replace(law.deadlines.table.hours.calendar, years={}, assumes=None)
    hours = replace(law.deadlines.table.hours, calendar=calendar)
    return replace(law, deadlines=Deadlines(replace(law.deadlines.table, hours=hours)))


async def act(by: As, method: str, report_id: str, **fields: Any) -> pb.DeskReport:
    request = getattr(pb, f"{method}Request")(report_id=report_id, **fields)
    report: pb.DeskReport = (await by.at_desk(method, request)).report
    return report


async def read(by: As, report_id: str) -> pb.DeskReport:
    request = pb.ReportDeskGetReportRequest(report_id=report_id)
    report: pb.DeskReport = (await by.at_desk("GetReport", request)).report
    return report


async def published(db: Database, report_id: str, subject: str, kind: type[Message]) -> list[Any]:
    query = text(
        "SELECT payload FROM outbox WHERE aggregate = :a AND subject = :s ORDER BY version"
    )
    async with db.begin(SYSTEM) as tx:
        rows = await tx.execute(query.bindparams(a=f"report:{UUID(report_id)}", s=subject))
        return [kind.FromString(row.payload) for row in rows]


async def waiting_work(engines: RunningTestMesh, report_id: str) -> set[tuple[str, str]]:
    connection = await asyncpg.connect(engines.database.url)
    query = "SELECT kind, key FROM citizen_reports.work WHERE done_at IS NULL AND key LIKE $1"
    found = await connection.fetch(query, f"{report_id}:%")
    await connection.close()
    return {(row["kind"], row["key"]) for row in found}


async def changes_of(stream: Any, report_id: str, count: int) -> list[pb.WatchReportsResponse]:
    found: list[pb.WatchReportsResponse] = []
    async with asyncio.timeout(60):
        async for change in stream:
            if change.report_id == report_id:
                found.append(change)
            if len(found) == count:
                break
    stream.cancel()
    return found


def twice(handler: Callable[[str], Any]) -> Callable[[str], Any]:
    """As when a lease runs out before the work is marked as done."""

    async def handle(key: str) -> None:
        await asyncio.gather(handler(key), handler(key))

    return handle


def only(report_id: str, handler: Callable[[str], Any]) -> Callable[[str], Any]:
    """The handler for one report; what other tests have scheduled stays theirs."""

    async def handle(key: str) -> None:
        if not key.startswith(report_id):
            raise WaitUntilDue(timedelta(days=30))
        await handler(key)

    return handle
