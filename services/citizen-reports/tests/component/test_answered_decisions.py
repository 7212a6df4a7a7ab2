"""What a decision answers is what the same caller reads afterwards: an answer shows nothing that
reading the report does not.

What reading shows to whom is walked over in `tests/secrecy`, where decisions are asked for that are
refused. Here each is accepted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from google.protobuf.descriptor import ServiceDescriptor
from tartip.reports.v1 import answers_pb2
from tartip.reports.v1 import reports_pb2 as pb

from .conftest import As, Register, draft, jpeg, pieces_of, refused, until
from .test_actions import ACTIONS, do, read
from .test_answers import GIVE, a_template, giving, of_answers
from .test_merging import merge
from .test_raised_reports import raising
from .test_triage import dangerous
from .test_uploads import stored_media

Decide = Callable[[As, As], Awaitable[Any]]
# The reason for which a decision that needs one is made.
REASON = "said by telephone"
# Of the actions of the desk: what has been done before.
PREPARED = {"answer": ("take",), "ask": ("take",), "extend": ("take",), "record_arrival": ("take",)}
METHODS = {make("", 0)[0]: action for action, make in ACTIONS.items()}
# With a photograph, whose forms an answer names; the others are quicker without.
WITH_EVIDENCE = ("take", "accept_traffic_evidence")
TRIAGED: dict[str, Callable[[str], Any]] = {
    "ConfirmUrgency": lambda report_id: pb.ConfirmUrgencyRequest(report_id=report_id),
    "DeclineUrgency": lambda report_id: pb.DeclineUrgencyRequest(
        report_id=report_id, reason=REASON
    ),
}
RAISED = (pb.CATEGORY_DOMESTIC_VIOLENCE, pb.CATEGORY_COMPLAINT_ABOUT_OFFICER)
COVERED = {*METHODS, *TRIAGED, "RaiseReport", "MergeReport", "UnmergeReport", GIVE}


def answering(service: ServiceDescriptor, message: str) -> set[str]:
    """The methods of a service that answer with a report, as `message` says it is shown."""
    return {
        method.name
        for method in service.methods
        for field in method.output_type.fields
        if field.message_type is not None and not field.is_repeated
        if field.message_type.name == message
    }


def test_each_decision_that_answers_with_a_report_is_tried() -> None:
    desk = answering(pb.DESCRIPTOR.services_by_name["ReportDesk"], "DeskReport")
    answers = answering(answers_pb2.DESCRIPTOR.services_by_name["Answers"], "DeskReport")
    assert desk | answers == COVERED | {"GetReport"}
    apps = answering(pb.DESCRIPTOR.services_by_name["CitizenReports"], "Report")
    assert apps == {*OF_APPS, "GetReport"}


async def with_evidence(kaspi: As, desk: As) -> str:
    """Hand in a report with a photograph, and wait until its forms are made."""
    given = draft()
    await kaspi.app("OpenReport", given)
    await kaspi.app("PutMedia", pieces_of(given.report_id, jpeg(90))[0])
    await kaspi.app("SubmitReport", pb.SubmitReportRequest(report_id=given.report_id))
    await until(lambda: stored_media(desk, given.report_id))

    async def is_blurred() -> bool:
        return all(item.blurred_sha256 for item in (await read(desk, given.report_id)).media)

    await until(is_blurred)
    return given.report_id


@pytest.mark.parametrize("method", METHODS)
async def test_an_action_of_the_desk_answers_what_is_read(
    kaspi: As, as_: Callable[..., As], register: Register, method: str
) -> None:
    action = METHODS[method]
    desk = as_(operator="supervisor-almaty" if action == "extend" else "dispatcher-almaty")
    is_urgent = action == "record_arrival"
    if action in WITH_EVIDENCE:
        report_id = await with_evidence(kaspi, desk)
    else:
        report_id, _ = await register(
            draft(category=pb.CATEGORY_ROAD_ACCIDENT) if is_urgent else None
        )
    for before in PREPARED.get(action, ()):
        await do(desk, before, report_id)
    assert await do(desk, action, report_id) == await read(desk, report_id)


@pytest.mark.parametrize("method", TRIAGED)
async def test_a_judgement_of_urgency_answers_what_is_read(
    dispatcher: As, register: Register, method: str
) -> None:
    report_id, _ = await register(dangerous())
    answer = await dispatcher.at_desk(method, TRIAGED[method](report_id))
    assert answer.report == await read(dispatcher, report_id)


@pytest.mark.parametrize("category", RAISED)
async def test_raising_a_report_answers_what_is_read_or_nothing(
    dispatcher: As, register: Register, category: Any
) -> None:
    report_id, _ = await register(draft(category=pb.CATEGORY_OTHER))
    answer = await dispatcher.at_desk("RaiseReport", raising(report_id, category))
    if answer.hidden:
        assert not answer.HasField("report")
        get = pb.ReportDeskGetReportRequest(report_id=report_id)
        assert (await refused(dispatcher.at_desk("GetReport", get))).code == "REPORT_NOT_FOUND"
    else:
        assert answer.report == await read(dispatcher, report_id)


async def test_merging_and_its_end_answer_what_is_read(dispatcher: As, register: Register) -> None:
    (parent, _), (child, _) = [await register() for _ in range(2)]
    assert await merge(dispatcher, child, parent) == await read(dispatcher, child)
    request = pb.UnmergeReportRequest(report_id=child, reason=REASON)
    answer = await dispatcher.at_desk("UnmergeReport", request)
    assert answer.report == await read(dispatcher, child)


async def test_an_answer_from_a_template_answers_what_is_read(
    dispatcher: As, administrator: As, register: Register
) -> None:
    template = await a_template(administrator)
    report_id, _ = await register()
    taken = await do(dispatcher, "take", report_id)
    answer = await of_answers(dispatcher, GIVE, giving(taken, template))
    assert answer.report == await read(dispatcher, report_id)


async def _opened(kaspi: As, desk: As) -> Any:
    return await kaspi.app("OpenReport", draft())


async def _handed_in(kaspi: As, desk: As) -> Any:
    return await kaspi.app("HandInReport", pb.HandInReportRequest(report=draft()))


async def _dropped(kaspi: As, desk: As) -> Any:
    given = draft()
    [piece] = pieces_of(given.report_id, jpeg())
    await kaspi.app("OpenReport", given)
    await kaspi.app("PutMedia", piece)
    request = pb.DropMediaRequest(report_id=given.report_id, media_id=piece.media_id)
    return await kaspi.app("DropMedia", request)


async def _after(kaspi: As, desk: As, actions: tuple[str, ...], method: str, kind: Any) -> Any:
    report = (await _handed_in(kaspi, desk)).report
    for action in actions:
        await do(desk, action, report.report_id)
    request = kind(report_id=report.report_id)
    if method != "WithdrawReport":
        request.text = "The left one"
    return await kaspi.app(method, request)


OF_APPS: dict[str, Decide] = {
    "OpenReport": _opened,
    "HandInReport": _handed_in,
    "DropMedia": _dropped,
    **{
        method: partial(_after, actions=actions, method=method, kind=kind)
        for method, actions, kind in (
            ("ReplyToQuestion", ("take", "ask"), pb.ReplyToQuestionRequest),
            ("DisputeAnswer", ("take", "answer"), pb.DisputeAnswerRequest),
            ("WithdrawReport", (), pb.WithdrawReportRequest),
        )
    },
}


@pytest.mark.parametrize("method", OF_APPS)
async def test_what_an_app_is_answered_is_what_it_reads(
    kaspi: As, dispatcher: As, method: str
) -> None:
    answered = (await OF_APPS[method](kaspi, dispatcher)).report
    request = pb.GetReportRequest(report_id=answered.report_id)
    assert answered == (await kaspi.app("GetReport", request)).report
