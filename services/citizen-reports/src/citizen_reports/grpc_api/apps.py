"""`CitizenReports`, the gRPC service for partners' apps, and conversions that `ReportDesk` also
uses."""

import re
from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

import grpc
from chassis import telemetry
from chassis.call_context import current_caller
from chassis.clock import from_timestamp, new_id, parse_id, parse_new_id, to_timestamp
from chassis.identity import Policy, allow
from chassis.pages import Pages
from google.protobuf.timestamp_pb2 import Timestamp
from law.assumed import assumed_years
from partners.model import PartnerScope
from tartip.reports.v1 import reports_pb2, reports_pb2_grpc

from citizen_reports.events import CATEGORIES, STATUSES
from citizen_reports.model.draft import Draft, Place, Reporter
from citizen_reports.model.media import Announced, Media, Piece, check_piece
from citizen_reports.model.media_kinds import type_of
from citizen_reports.model.refusals import MediaNotFound, ReportNotFound
from citizen_reports.model.report import EMERGENCIES, Receipt, Report
from citizen_reports.storage.app_views import AppView
from citizen_reports.storage.changes import Change
from citizen_reports.usecases.change_feed import ChangeFeed
from citizen_reports.usecases.intake import Intake
from citizen_reports.usecases.uploads import Uploads

Context = grpc.aio.ServicerContext
CATEGORY_OF = {value: category for category, value in CATEGORIES.items()}
_NUMBER = re.compile(r"KZ[0-9]{2}-[0-9]{4}-[0-9]{7,9}")


def _is_emergency(request: reports_pb2.OpenReportRequest) -> bool:
    return CATEGORY_OF.get(request.category) in EMERGENCIES


def _may_be_emergency(request: reports_pb2.SubmitReportRequest) -> bool:
    """Always true: the category is in the database, and an opened emergency must get through."""
    return True


_SERVICE, _SCOPE = "/tartip.reports.v1.CitizenReports", PartnerScope.REPORTS.value
POLICY: Policy = {
    f"{_SERVICE}/OpenReport": allow(partners=True, scope=_SCOPE, urgent=_is_emergency),
    f"{_SERVICE}/SubmitReport": allow(partners=True, scope=_SCOPE, urgent=_may_be_emergency),
    **{
        f"{_SERVICE}/{method}": allow(partners=True, scope=_SCOPE)
        for method in (
            "PutMedia",
            "DropMedia",
            "GetReport",
            "ListReports",
            "WatchReports",
            "ReplyToQuestion",
            "DisputeAnswer",
        )
    },
}


class CitizenReportsApi(reports_pb2_grpc.CitizenReportsServicer):
    def __init__(
        self, intake: Intake, uploads: Uploads, change_feed: ChangeFeed, pages: Pages
    ) -> None:
        self._intake = intake
        self._uploads = uploads
        self._change_feed = change_feed
        self._pages = pages

    async def OpenReport(
        self, request: reports_pb2.OpenReportRequest, context: Context
    ) -> reports_pb2.OpenReportResponse:
        report_id = parse_new_id(request.report_id)
        if report_id is not None:
            telemetry.annotate(report=str(report_id))
        view = await self._intake.open(
            report_id,
            _draft_from_proto(request),
            request.SerializeToString(deterministic=True),
            current_caller(),
        )
        given = request.place.region
        return reports_pb2.OpenReportResponse(
            report=_app_report_to_proto(view),
            region_corrected=given not in ("", view.report.region),
        )

    async def PutMedia(
        self, request: reports_pb2.PutMediaRequest, context: Context
    ) -> reports_pb2.PutMediaResponse:
        media_id = parse_new_id(request.media_id)
        content_type = type_of(request.content_type)
        announced = Announced(request.total_bytes, request.sha256.lower(), content_type)
        piece = Piece(media_id or new_id(), request.offset, request.content, announced)
        check_piece(piece, media_id_ok=media_id is not None)
        item = await self._uploads.put(report_id_of(request.report_id), piece, current_caller())
        return reports_pb2.PutMediaResponse(
            received_bytes=item.received_bytes, complete=item.is_whole
        )

    async def DropMedia(
        self, request: reports_pb2.DropMediaRequest, context: Context
    ) -> reports_pb2.DropMediaResponse:
        report_id, caller = report_id_of(request.report_id), current_caller()
        await self._uploads.drop(report_id, media_id_of(request.media_id), caller)
        view = await self._intake.by_id(report_id, caller)
        return reports_pb2.DropMediaResponse(report=_app_report_to_proto(view))

    async def SubmitReport(
        self, request: reports_pb2.SubmitReportRequest, context: Context
    ) -> reports_pb2.SubmitReportResponse:
        report_id = report_id_of(request.report_id)
        receipt = await self._intake.submit(report_id, current_caller())
        return reports_pb2.SubmitReportResponse(receipt=receipt_to_proto(receipt))

    async def GetReport(
        self, request: reports_pb2.GetReportRequest, context: Context
    ) -> reports_pb2.GetReportResponse:
        caller = current_caller()
        if request.WhichOneof("key") == "number":
            view = await self._intake.by_number(number_of(request.number), caller)
        else:
            view = await self._intake.by_id(report_id_of(request.report_id), caller)
        return reports_pb2.GetReportResponse(report=_app_report_to_proto(view))

    async def ListReports(
        self, request: reports_pb2.ListReportsRequest, context: Context
    ) -> reports_pb2.ListReportsResponse:
        page = self._pages.read(request, current_caller())
        views, keys = await self._intake.list_opened(page.spec, current_caller())
        return reports_pb2.ListReportsResponse(
            reports=[_app_report_to_proto(view) for view in views],
            next_page_token=page.next_token(keys),
        )

    async def WatchReports(
        self, request: reports_pb2.WatchReportsRequest, context: Context
    ) -> AsyncIterator[reports_pb2.WatchReportsResponse]:
        async for change in self._change_feed.follow(request.resume_token, current_caller()):
            yield _change_to_proto(change)

    async def ReplyToQuestion(
        self, request: reports_pb2.ReplyToQuestionRequest, context: Context
    ) -> reports_pb2.ReplyToQuestionResponse:
        report_id = report_id_of(request.report_id)
        view = await self._intake.reply(report_id, request.text, current_caller())
        return reports_pb2.ReplyToQuestionResponse(report=_app_report_to_proto(view))

    async def DisputeAnswer(
        self, request: reports_pb2.DisputeAnswerRequest, context: Context
    ) -> reports_pb2.DisputeAnswerResponse:
        report_id = report_id_of(request.report_id)
        view = await self._intake.dispute(report_id, request.text, current_caller())
        return reports_pb2.DisputeAnswerResponse(report=_app_report_to_proto(view))


def report_id_of(text: str) -> UUID:
    """Return the report id in `text`. Raises ReportNotFound where `text` is not a UUIDv7."""
    parsed = parse_id(text)
    if parsed is None:
        raise ReportNotFound
    return parsed


def media_id_of(text: str) -> UUID:
    """Return the media id in `text`. Raises MediaNotFound where `text` is not a UUIDv7."""
    parsed = parse_id(text)
    if parsed is None:
        raise MediaNotFound
    return parsed


def number_of(text: str) -> str:
    """Check that `text` has the form of a report number, and return it unchanged. Raises
    ReportNotFound if it does not."""
    if _NUMBER.fullmatch(text) is None:
        raise ReportNotFound
    return text


def report_to_proto(
    report: Report, question: str, answer: str, media_count: int
) -> reports_pb2.Report:
    return reports_pb2.Report(
        report_id=str(report.report_id),
        category=CATEGORIES[report.category],
        status=STATUSES[report.status],
        receipt=receipt_to_proto(report.receipt) if report.receipt else None,
        opened_at=to_timestamp(report.opened_at),
        question=question,
        answer=answer,
        answered_at=to_timestamp(report.answered_at),
        outcome=report.outcome,
        version=report.version,
        media_count=media_count,
        region=report.region,
        place_abroad=report.place_abroad,
    )


def receipt_to_proto(receipt: Receipt) -> reports_pb2.Receipt:
    return reports_pb2.Receipt(
        number=receipt.number,
        registered_at=to_timestamp(receipt.registered_at),
        due_at=to_timestamp(receipt.deadline.due_at),
        deadline_rule=receipt.deadline.rule,
        unit=receipt.unit,
        content_sha256=receipt.content_sha256.hex(),
        assumed_years=assumed_years(receipt.deadline.rule),
    )


def _draft_from_proto(request: reports_pb2.OpenReportRequest) -> Draft:
    place = None
    if request.HasField("place"):
        given = request.place
        place = Place(given.latitude, given.longitude, given.region, given.address, given.kato)
    reporter = request.reporter
    return Draft(
        category=CATEGORY_OF.get(request.category),
        place=place,
        occurred_at=_moment(request.occurred_at) if request.HasField("occurred_at") else None,
        text=request.text,
        reporter=Reporter(reporter.iin, reporter.name, reporter.phone),
        language=request.language,
        officer=request.officer,
    )


def _moment(stamp: Timestamp) -> datetime | None:
    """Return the timestamp in UTC, None for a year outside 1 to 9999."""
    try:
        return from_timestamp(stamp)
    except (ValueError, OverflowError):
        return None


def _app_report_to_proto(view: AppView) -> reports_pb2.Report:
    report = report_to_proto(view.report, view.question, view.answer, view.media_count)
    report.media.extend(_media_to_proto(item) for item in view.media)
    return report


def _media_to_proto(item: Media) -> reports_pb2.AppMedia:
    return reports_pb2.AppMedia(
        media_id=str(item.media_id),
        state=item.state.value,
        refused_reason=item.refused_reason,
        content_type=item.announced.content_type,
        received_bytes=item.received_bytes,
        total_bytes=item.announced.total_bytes,
    )


def _change_to_proto(change: Change) -> reports_pb2.WatchReportsResponse:
    return reports_pb2.WatchReportsResponse(
        resume_token=str(change.sequence),
        report_id=str(change.report_id),
        number=change.number,
        status=STATUSES[change.status],
        changed_at=to_timestamp(change.changed_at),
        outcome=change.outcome,
    )
