"""The steps of the methods of the clients for reports (see `flows`)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from tartip.reports.v1 import reports_pb2 as pb

from tartip_partner.errors import MediaRefused, Refused
from tartip_partner.flows import Flow, Rpc, Work
from tartip_partner.ids import new_id
from tartip_partner.media import Media, Upload, prepared
from tartip_partner.retries import Retries
from tartip_partner.upload_flows import Progress, Sending

MediaSource = Media | str | os.PathLike[str] | bytes
OnReceipt = Callable[[pb.Receipt], None]
# Their reports do not wait for the rest of a file.
EMERGENCIES = (
    pb.CATEGORY_ROAD_ACCIDENT,
    pb.CATEGORY_DOMESTIC_VIOLENCE,
    pb.CATEGORY_INCIDENT_WITH_CHILD,
)

HAND_IN_REPORT = Rpc[pb.HandInReportRequest, pb.HandInReportResponse]("HandInReport")
OPEN_REPORT = Rpc[pb.OpenReportRequest, pb.OpenReportResponse]("OpenReport")
SUBMIT_REPORT = Rpc[pb.SubmitReportRequest, pb.SubmitReportResponse]("SubmitReport")
GET_REPORT = Rpc[pb.GetReportRequest, pb.GetReportResponse]("GetReport")
LIST_VIEWINGS = Rpc[pb.ListViewingsRequest, pb.ListViewingsResponse]("ListViewings")
LIST_REPORTS = Rpc[pb.ListReportsRequest, pb.ListReportsResponse]("ListReports")
COUNT_DAY = Rpc[pb.CountDayRequest, pb.CountDayResponse]("CountDay")
LIST_DAY = Rpc[pb.ListDayRequest, pb.ListDayResponse]("ListDay")
REPLY = Rpc[pb.ReplyToQuestionRequest, pb.ReplyToQuestionResponse]("ReplyToQuestion")
ROTATE = Rpc[pb.RotateWebhookSecretRequest, pb.RotateWebhookSecretResponse]("RotateWebhookSecret")
DISPUTE = Rpc[pb.DisputeAnswerRequest, pb.DisputeAnswerResponse]("DisputeAnswer")


def hand_in_flow(report: pb.OpenReportRequest, retries: Retries) -> Flow[pb.Receipt]:
    """Hand in a report without media, in one call."""
    report.report_id = report.report_id or new_id()
    try:
        answer = yield from HAND_IN_REPORT(pb.HandInReportRequest(report=report), retries)
    except Refused as refused:
        # The caller passed the report alone: its fields are named as with media.
        refused.fields = tuple(
            replace(one, field=one.field.removeprefix("report.")) for one in refused.fields
        )
        raise
    return answer.report.receipt


def submit_flow(
    report: pb.OpenReportRequest,
    media: Sequence[MediaSource],
    retries: Retries,
    progress: Progress | None,
    on_receipt: OnReceipt | None,
) -> Flow[pb.Receipt]:
    """Open a report, upload its media, and submit it; in an emergency, submit it before the rest of
    its media. Raises MediaRefused."""
    tell = on_receipt or (lambda receipt: None)
    if not media:
        tell(receipt := (yield from hand_in_flow(report, retries)))
        return receipt
    report.report_id = report.report_id or new_id()
    uploads: list[Upload] = []
    for given in media:
        uploads.append((yield Work(partial(prepared, given, report.report_id))))
    sending = Sending(report.report_id, uploads, retries, progress)
    yield from OPEN_REPORT(report, retries)
    if report.category not in EMERGENCIES:
        yield from sending.send_all()
        tell(receipt := (yield from _submitted(report.report_id, retries)))
        return receipt
    yield from sending.begin_each()
    tell(receipt := (yield from _submitted_before_the_rest(sending)))
    yield from sending.send_rests()
    if sending.failed:
        raise MediaRefused(receipt, sending.failed)
    return receipt


def _submitted_before_the_rest(sending: Sending) -> Flow[pb.Receipt]:
    try:
        return (yield from _submitted(sending.report_id, sending.retries))
    except Refused as refused:
        if refused.reason == "MEDIA_INCOMPLETE":  # a service of before that takes no rest
            yield from sending.send_rests()
            return (yield from _submitted(sending.report_id, sending.retries))
        for reason in sending.failed.values():  # without them the report may be empty
            raise reason from refused
        raise


def get_flow(report_id: str, number: str, retries: Retries) -> Flow[pb.Report]:
    """Return the report of this id or number. Raises ValueError unless one of them is given."""
    if bool(report_id) == bool(number):
        raise ValueError("name the report by its id or by its number")
    key = {"report_id": report_id} if report_id else {"number": number}
    return (yield from GET_REPORT(pb.GetReportRequest(**key), retries)).report


def reply_flow(report_id: str, text: str, retries: Retries) -> Flow[pb.Report]:
    request = pb.ReplyToQuestionRequest(report_id=report_id, text=text)
    return (yield from REPLY(request, retries)).report


def dispute_flow(report_id: str, text: str, retries: Retries) -> Flow[pb.Report]:
    request = pb.DisputeAnswerRequest(report_id=report_id, text=text)
    return (yield from DISPUTE(request, retries)).report


def count_day_flow(day: str, retries: Retries) -> Flow[pb.DayCount]:
    return (yield from COUNT_DAY(pb.CountDayRequest(day=day), retries)).count


def ids_sha256(report_ids: Iterable[str]) -> str:
    """Return the digest of the ids of your own reports of a day, to be compared with `ids_sha256`
    of `count_day`. Two days that differ are compared id by id, with `list_day`."""
    return hashlib.sha256("".join(f"{one}\n" for one in sorted(report_ids)).encode()).hexdigest()


def rotate_flow(request_id: str, retries: Retries) -> Flow[pb.RotateWebhookSecretResponse]:
    return (yield from ROTATE(pb.RotateWebhookSecretRequest(request_id=request_id), retries))


def _submitted(report_id: str, retries: Retries) -> Flow[pb.Receipt]:
    answer = yield from SUBMIT_REPORT(pb.SubmitReportRequest(report_id=report_id), retries)
    return answer.receipt


def first_page(request: pb.ListReportsRequest | None) -> pb.ListReportsRequest:
    """A copy of the request: the token of each next page is written into it."""
    asked = pb.ListReportsRequest()
    if request:
        asked.CopyFrom(request)
    return asked
