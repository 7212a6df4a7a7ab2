"""What the desk offers is what it accepts, and an action meant for an older version is refused."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from chassis.clock import system_clock
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import reports_pb2 as pb

from .conftest import As, Register, complaint, draft, jpeg, pieces_of, refused, until
from .test_uploads import stored_media

STATUSES = ("routed", "in_work", "waits_for_reporter", "answered", "disputed")
ACTIONS: dict[str, Callable[[str, int], tuple[str, Any]]] = {
    "take": lambda report_id, version: (
        "TakeReport",
        pb.TakeReportRequest(report_id=report_id, version=version),
    ),
    "route": lambda report_id, version: (
        "RouteReport",
        pb.RouteReportRequest(report_id=report_id, version=version, reason="theirs"),
    ),
    "ask": lambda report_id, version: (
        "AskReporter",
        pb.AskReporterRequest(report_id=report_id, version=version, question="Which lane?"),
    ),
    "answer": lambda report_id, version: (
        "AnswerReport",
        pb.AnswerReportRequest(
            report_id=report_id,
            version=version,
            answer="The lamp is mended",
            outcome="measures_taken",
        ),
    ),
    "record_arrival": lambda report_id, version: (
        "RecordArrival",
        pb.RecordArrivalRequest(report_id=report_id, version=version),
    ),
    "extend": lambda report_id, version: (
        "ExtendDeadline",
        pb.ExtendDeadlineRequest(
            report_id=report_id, version=version, reason="an expert is asked", working_days=2
        ),
    ),
    "accept_traffic_evidence": lambda report_id, version: (
        "AcceptTrafficEvidence",
        pb.AcceptTrafficEvidenceRequest(
            report_id=report_id, version=version, plate="453DXA12", offence_code="RED_LIGHT"
        ),
    ),
}


@dataclass
class Desks:
    """Operators by role; who brings a report into a status is another than who then acts."""

    kaspi: As
    as_: Callable[..., As]

    def of(self, role: str) -> As:
        return self.as_(operator={"internal_security": "security-1"}.get(role, f"{role}-almaty"))

    def preparer(self, role: str) -> As:
        others = {"internal_security": "internal_security", "supervisor": "dispatcher"}
        return self.of(others.get(role, "supervisor"))

    async def hand_in(self, role: str, *, for_action: str = "") -> str:
        """A report that `role` may see, with stored evidence if the action could need it."""
        given = complaint() if role == "internal_security" else draft()
        await self.kaspi.app("OpenReport", given)
        submission = pb.SubmitReportRequest(report_id=given.report_id)
        if for_action == "accept_traffic_evidence":
            await self.kaspi.app("PutMedia", pieces_of(given.report_id, jpeg(90))[0])
            await self.kaspi.app("SubmitReport", submission)
            await until(lambda: stored_media(self.of(role), given.report_id))
        else:
            await self.kaspi.app("SubmitReport", submission)
        return given.report_id

    async def bring(self, report_id: str, status: str, by: As) -> None:
        steps = STATUSES.index(status)
        if steps >= 1:
            await do(by, "take", report_id)
        if status == "waits_for_reporter":
            await do(by, "ask", report_id)
        if steps >= 3:
            await do(by, "answer", report_id)
        if status == "disputed":
            dispute = pb.DisputeAnswerRequest(report_id=report_id, text="Still there")
            await self.kaspi.app("DisputeAnswer", dispute)


@pytest.fixture
def desks(kaspi: As, as_: Callable[..., As]) -> Desks:
    return Desks(kaspi, as_)


async def do(by: As, action: str, report_id: str, version: int = 0) -> pb.DeskReport:
    method, request = ACTIONS[action](report_id, version)
    if action == "route":
        request.unit = (await read(by, report_id)).unit
    report: pb.DeskReport = (await by.at_desk(method, request)).report
    return report


async def read(by: As, report_id: str) -> pb.DeskReport:
    request = pb.ReportDeskGetReportRequest(report_id=report_id)
    report: pb.DeskReport = (await by.at_desk("GetReport", request)).report
    return report


async def is_accepted(call: Awaitable[pb.DeskReport], before: pb.DeskReport) -> bool:
    """Accepted is what moves the report on; a repetition is answered and changes nothing."""
    try:
        after = await call
    except Exception as error:
        assert "FAILED_PRECONDITION" in str(error) or "PERMISSION_DENIED" in str(error), error
        return False
    return after.report.version > before.report.version


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("role", ["dispatcher", "supervisor", "inspector", "internal_security"])
async def test_an_action_is_accepted_if_it_is_listed_and_refused_if_not(
    desks: Desks, role: str, status: str
) -> None:
    operator, preparer = desks.of(role), desks.preparer(role)

    async def holds(action: str) -> tuple[str, bool, bool]:
        report_id = await desks.hand_in(role, for_action=action)
        await desks.bring(report_id, status, preparer)
        before = await read(operator, report_id)
        accepted = await is_accepted(do(operator, action, report_id, before.report.version), before)
        return action, action in before.actions, accepted

    outcomes = await asyncio.gather(*map(holds, ACTIONS))
    assert [one for one in outcomes if one[1] is not one[2]] == []


async def test_the_list_offers_what_the_report_offers(desks: Desks) -> None:
    dispatcher = desks.of("dispatcher")
    report_id = await desks.hand_in("dispatcher", for_action="accept_traffic_evidence")
    for action in ("", "take", "accept_traffic_evidence"):
        if action:
            await do(dispatcher, action, report_id)
        row = await in_queue(dispatcher, report_id)
        whole = await read(dispatcher, report_id)
        assert list(row.actions) == list(whole.actions)
    assert "accept_traffic_evidence" not in row.actions


@pytest.mark.parametrize("action", ACTIONS)
async def test_an_action_meant_for_an_older_version_changes_nothing(
    desks: Desks, action: str
) -> None:
    dispatcher, supervisor = desks.of("dispatcher"), desks.of("supervisor")
    report_id = await desks.hand_in("dispatcher", for_action=action)
    shown = (await read(dispatcher, report_id)).report.version
    await do(supervisor, "take", report_id)
    now = await read(dispatcher, report_id)
    operator = supervisor if action == "extend" else dispatcher
    refusal = await refused(do(operator, action, report_id, shown))
    assert refusal.code == "REPORT_CHANGED_MEANWHILE"
    assert refusal.facts == {"version": str(now.report.version)}
    assert (await read(dispatcher, report_id)).steps == now.steps


async def test_taking_again_what_one_holds_is_answered_whatever_version_was_shown(
    desks: Desks,
) -> None:
    """The answer to the first may have been lost on its way."""
    dispatcher = desks.of("dispatcher")
    report_id = await desks.hand_in("dispatcher")
    shown = (await read(dispatcher, report_id)).report.version
    first = await do(dispatcher, "take", report_id, shown)
    assert await do(dispatcher, "take", report_id, shown) == first


async def test_the_deadlines_told_are_those_that_hold_now(desks: Desks, register: Register) -> None:
    """Arrival ends the minutes; waiting for the reporter and a dispute move the answer."""
    dispatcher, supervisor = desks.of("dispatcher"), desks.of("supervisor")
    report_id, receipt = await register(draft(category=pb.CATEGORY_INCIDENT_WITH_CHILD))
    before = await read(dispatcher, report_id)
    assert (before.due_at, before.emergency) == (receipt.response_due_at, True)
    assert before.answer_due_at == receipt.due_at
    taken = await do(dispatcher, "take", report_id)
    assert (taken.due_at, taken.response_due_at) == (receipt.response_due_at,) * 2
    assert taken.report.receipt == receipt, "a receipt never changes"
    asked = await do(dispatcher, "ask", report_id)
    assert asked.due_at == receipt.response_due_at and not asked.HasField("answer_due_at")
    reply = pb.ReplyToQuestionRequest(report_id=report_id, text="The left one")
    await desks.kaspi.app("ReplyToQuestion", reply)
    refusal = await refused(do(dispatcher, "answer", report_id))
    assert refusal.code == "ARRIVAL_REQUIRED"
    arrived = await do(dispatcher, "record_arrival", report_id)
    assert arrived.due_at == arrived.answer_due_at and not arrived.HasField("response_due_at")
    assert arrived.answer_due_at.seconds >= receipt.due_at.seconds
    assert arrived.arrived_at == arrived.report.arrived_at
    answered = await do(dispatcher, "answer", report_id)
    assert not answered.HasField("due_at")
    dispute = pb.DisputeAnswerRequest(report_id=report_id, text="Still there")
    await desks.kaspi.app("DisputeAnswer", dispute)
    disputed = await read(supervisor, report_id)
    assert disputed.due_at.seconds > system_clock().timestamp()
    assert not disputed.HasField("response_due_at")


async def test_the_order_of_the_queue_is_that_of_the_deadlines_told(
    desks: Desks, register: Register
) -> None:
    dispatcher = desks.of("dispatcher")
    asked, _ = await register()
    await do(dispatcher, "take", asked)
    await do(dispatcher, "ask", asked)
    urgent, _ = await register(draft(category=pb.CATEGORY_ROAD_ACCIDENT))
    calm, _ = await register(draft(category=pb.CATEGORY_OTHER))
    rows = await queue(dispatcher, size=3)
    ids = [row.report.report_id for row in rows]
    assert ids.index(urgent) < ids.index(calm) < ids.index(asked)
    assert len(ids) == len(set(ids))
    # Words that nobody has judged yet are due for that before their deadline.
    judged = [row for row in rows if row.urgency != "proposed"]
    due = [
        (
            not row.emergency or row.HasField("arrived_at"),
            row.due_at.seconds if row.HasField("due_at") else 2**40,
        )
        for row in judged
    ]
    assert due == sorted(due)


async def test_emergencies_are_listed_apart(desks: Desks, register: Register) -> None:
    dispatcher = desks.of("dispatcher")
    urgent, _ = await register(draft(category=pb.CATEGORY_ROAD_ACCIDENT))
    calm, _ = await register()
    ids = {row.report.report_id for row in await queue(dispatcher, emergencies_only=True)}
    assert urgent in ids and calm not in ids


async def in_queue(by: As, report_id: str) -> pb.DeskReport:
    rows = await queue(by)
    return next(row for row in rows if row.report.report_id == report_id)


async def queue(by: As, size: int = 200, **wanted: Any) -> list[pb.DeskReport]:
    found: list[pb.DeskReport] = []
    token = ""
    while True:
        page = common_pb2.Page(size=size, token=token)
        request = pb.ReportDeskListReportsRequest(page=page, **wanted)
        answer = await by.at_desk("ListReports", request)
        found += answer.reports
        token = answer.next_page_token
        if not token:
            return found
