"""An id that another partner's report has is answered as one that nobody has used: an answer of its
own would tell that the report exists. The app goes on with its own id, through all of its calls."""

import asyncio
from typing import Any

import pytest
from chassis.clock import new_id
from tartip.reports.v1 import reports_pb2 as pb
from tartip_testing.bounds import SOON_SECONDS

from .conftest import As, draft, jpeg, pieces_of, refused, until

OPEN, HAND_IN = "OpenReport", "HandInReport"
Given = pb.OpenReportRequest


def request_of(method: str, given: Given) -> Any:
    return given if method == OPEN else pb.HandInReportRequest(report=given)


def comparable(shown: pb.Report) -> pb.Report:
    """Without what differs between any two reports."""
    for field in ("report_id", "opened_at", "receipt", "due_at"):
        shown.ClearField(field)
    return shown


@pytest.mark.parametrize("theirs", [OPEN, HAND_IN])
@pytest.mark.parametrize("ours", [OPEN, HAND_IN])
async def test_the_id_of_another_partners_report_is_answered_as_a_fresh_one(
    kaspi: As, halyk: As, theirs: str, ours: str
) -> None:
    taken, fresh = draft(), draft()
    first = await kaspi.app(theirs, request_of(theirs, taken))
    answers = [await halyk.app(ours, request_of(ours, given)) for given in (taken, fresh)]
    assert answers[0].report.report_id == taken.report_id
    again = await halyk.app(ours, request_of(ours, taken))
    assert again.report == answers[0].report
    assert comparable(answers[0].report) == comparable(answers[1].report)

    get = pb.GetReportRequest(report_id=taken.report_id)
    assert (await kaspi.app("GetReport", get)).report == first.report
    assert (await halyk.app("GetReport", get)).report == again.report
    taken.text = "something else"
    assert (await refused(halyk.app(ours, request_of(ours, taken)))).code == "ID_REUSED"


async def test_it_has_files_a_receipt_and_an_answer_of_its_own(kaspi: As, halyk: As) -> None:
    given = draft()
    report_id = given.report_id
    await kaspi.app(HAND_IN, request_of(HAND_IN, given))
    await halyk.app(OPEN, given)
    dropped = pieces_of(report_id, jpeg())
    await halyk.app("PutMedia", dropped[0])
    drop = pb.DropMediaRequest(report_id=report_id, media_id=dropped[0].media_id)
    assert (await halyk.app("DropMedia", drop)).report.report_id == report_id
    for piece in pieces_of(report_id, jpeg()):
        await halyk.app("PutMedia", piece)
    submit = pb.SubmitReportRequest(report_id=report_id)
    receipt = (await halyk.app("SubmitReport", submit)).receipt
    assert (await halyk.app("SubmitReport", submit)).receipt == receipt

    watch = halyk.watch("0")
    async with asyncio.timeout(SOON_SECONDS):
        while (change := await watch.read()).number != receipt.number:
            pass
    assert change.report_id == report_id
    watch.cancel()
    by_number = pb.GetReportRequest(number=receipt.number)

    async def stored() -> pb.Report | None:
        """The report, once its file is stored: until then two answers in a row may differ."""
        found: pb.Report = (await halyk.app("GetReport", by_number)).report
        return found if all(item.state == "stored" for item in found.media) else None

    shown = await until(stored)
    assert (shown.report_id, shown.media_count) == (report_id, 1)
    assert shown.receipt == receipt
    [listed] = [
        report
        for report in (await halyk.app("ListReports", pb.ListReportsRequest())).reports
        if report.report_id == report_id
    ]
    assert listed == shown


async def test_it_is_asked_about_replied_to_and_withdrawn_apart_from_the_other(
    kaspi: As, halyk: As, dispatcher: As
) -> None:
    given = draft()
    report_id = given.report_id
    await kaspi.app(HAND_IN, request_of(HAND_IN, given))
    receipt = (await halyk.app(HAND_IN, request_of(HAND_IN, given))).report.receipt
    by_number = pb.ReportDeskGetReportRequest(number=receipt.number)
    desk_id = (await dispatcher.at_desk("GetReport", by_number)).report.report.report_id
    take = pb.TakeReportRequest(report_id=desk_id)
    await dispatcher.at_desk("TakeReport", take)
    ask = pb.AskReporterRequest(report_id=desk_id, question="Which house number is it at?")
    await dispatcher.at_desk("AskReporter", ask)

    reply = pb.ReplyToQuestionRequest(report_id=report_id, text="House 7.", reply_id=str(new_id()))
    assert (await refused(kaspi.app("ReplyToQuestion", reply))).code == "NOTHING_ASKED"
    replied = (await halyk.app("ReplyToQuestion", reply)).report
    assert (replied.report_id, replied.status) == (report_id, pb.REPORT_STATUS_IN_WORK)
    withdrawn = await halyk.app("WithdrawReport", pb.WithdrawReportRequest(report_id=report_id))
    assert withdrawn.report.report_id == report_id
    assert withdrawn.report.status == pb.REPORT_STATUS_WITHDRAWN
    get = pb.GetReportRequest(report_id=report_id)
    assert (await kaspi.app("GetReport", get)).report.status == pb.REPORT_STATUS_ROUTED


async def test_a_draft_is_withdrawn_and_the_other_stays(kaspi: As, halyk: As) -> None:
    given = draft()
    await kaspi.app(OPEN, given)
    await halyk.app(OPEN, given)
    withdraw = pb.WithdrawReportRequest(report_id=given.report_id)
    for _ in range(2):
        gone = (await halyk.app("WithdrawReport", withdraw)).report
        assert (gone.report_id, gone.status) == (given.report_id, pb.REPORT_STATUS_WITHDRAWN)
    get = pb.GetReportRequest(report_id=given.report_id)
    assert (await kaspi.app("GetReport", get)).report.status == pb.REPORT_STATUS_OPEN
    assert (await refused(halyk.app("GetReport", get))).code == "REPORT_NOT_FOUND"


async def test_its_receipt_has_the_hash_of_what_the_app_handed_in(kaspi: As, halyk: As) -> None:
    given = request_of(HAND_IN, draft())
    receipts = [(await app.app(HAND_IN, given)).report.receipt for app in (kaspi, halyk)]
    assert receipts[0].number != receipts[1].number
    assert receipts[0].content_sha256 == receipts[1].content_sha256
