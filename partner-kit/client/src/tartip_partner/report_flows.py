"""What the clients for reports do, step by step (see `flows`)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from tartip.reports.v1 import reports_pb2 as pb

from tartip_partner.errors import Refused, TartipError
from tartip_partner.flows import Flow, Rpc, Work
from tartip_partner.ids import new_id
from tartip_partner.media import Media, Upload, prepared
from tartip_partner.retries import Retries

MediaSource = Media | str | os.PathLike[str] | bytes
# Called with the bytes that have arrived and the bytes of all media together.
Progress = Callable[[int, int], None]

_GAPS_MAX = 10

HAND_IN_REPORT = Rpc[pb.HandInReportRequest, pb.HandInReportResponse]("HandInReport")
OPEN_REPORT = Rpc[pb.OpenReportRequest, pb.OpenReportResponse]("OpenReport")
PUT_MEDIA = Rpc[pb.PutMediaRequest, pb.PutMediaResponse]("PutMedia")
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
) -> Flow[pb.Receipt]:
    """Open a report, upload its media, and submit it."""
    if not media:
        return (yield from hand_in_flow(report, retries))
    report.report_id = report.report_id or new_id()
    uploads: list[Upload] = []
    for given in media:
        uploads.append((yield Work(partial(prepared, given, report.report_id))))
    yield from OPEN_REPORT(report, retries)
    total, before = sum(upload.total_bytes for upload in uploads), 0
    for upload in uploads:

        def arrived(count: int, before: int = before) -> None:
            if progress:
                progress(before + count, total)

        yield from _uploaded(report.report_id, upload, retries, arrived)
        before += upload.total_bytes
    return (yield from _submitted(report.report_id, retries))


def _uploaded(
    report_id: str, upload: Upload, retries: Retries, arrived: Callable[[int], None]
) -> Flow[None]:
    """Send a file piece by piece, each from where the service says that it has all before."""
    offset, gaps = 0, 0
    while True:
        content = yield Work(partial(upload.piece, offset))
        piece = pb.PutMediaRequest(
            report_id=report_id,
            media_id=upload.media_id,
            offset=offset,
            content=content,
            total_bytes=upload.total_bytes,
            sha256=upload.sha256,
            content_type=upload.content_type,
        )
        try:
            answer = yield from PUT_MEDIA(piece, retries, is_piece=True)
        except Refused as refused:
            gaps += 1
            if refused.reason != "MEDIA_GAP" or gaps > _GAPS_MAX:
                raise
            offset = int(refused.facts["received_bytes"])
            continue
        arrived(answer.received_bytes)
        if answer.complete:
            return
        if answer.received_bytes <= offset:
            raise TartipError(f"the upload stands still at byte {offset}")
        offset = answer.received_bytes


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
