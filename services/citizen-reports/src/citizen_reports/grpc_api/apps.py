"""`CitizenReports`: for the apps of partners."""

from collections.abc import AsyncIterator

import grpc
from chassis import telemetry
from chassis.call_context import current_caller
from chassis.clock import new_id, parse_id
from chassis.grpc_server import Policy
from chassis.identity import allow
from chassis.pages import read_page
from tartip.reports.v1 import reports_pb2, reports_pb2_grpc

from citizen_reports.grpc_api.messages import (
    app_report_to_proto,
    change_to_proto,
    draft_from_proto,
    number_of,
    receipt_to_proto,
    report_id_of,
)
from citizen_reports.model.media import Announced, Piece, check_piece
from citizen_reports.usecases.change_feed import ChangeFeed
from citizen_reports.usecases.intake import REPORTS_OF_PARTNER, Intake
from citizen_reports.usecases.uploads import Uploads

Context = grpc.aio.ServicerContext
POLICY: Policy = {
    f"/tartip.reports.v1.CitizenReports/{method}": allow(partners=True)
    for method in (
        "OpenReport",
        "PutMedia",
        "SubmitReport",
        "GetReport",
        "ListReports",
        "WatchReports",
        "ReplyToQuestion",
        "DisputeAnswer",
    )
}


class CitizenReportsApi(reports_pb2_grpc.CitizenReportsServicer):
    def __init__(self, intake: Intake, uploads: Uploads, change_feed: ChangeFeed) -> None:
        self._intake = intake
        self._uploads = uploads
        self._change_feed = change_feed

    async def OpenReport(
        self, request: reports_pb2.OpenReportRequest, context: Context
    ) -> reports_pb2.OpenReportResponse:
        report_id = parse_id(request.report_id)
        if report_id is not None:
            telemetry.annotate(report=str(report_id))
        view = await self._intake.open(
            report_id,
            draft_from_proto(request),
            request.SerializeToString(deterministic=True),
            current_caller(),
        )
        given = request.place.region
        return reports_pb2.OpenReportResponse(
            report=app_report_to_proto(view),
            region_corrected=given not in ("", view.report.region),
        )

    async def PutMedia(
        self, request: reports_pb2.PutMediaRequest, context: Context
    ) -> reports_pb2.PutMediaResponse:
        media_id = parse_id(request.media_id)
        announced = Announced(request.total_bytes, request.sha256.lower(), request.content_type)
        piece = Piece(media_id or new_id(), request.offset, request.content, announced)
        check_piece(piece, media_id_ok=media_id is not None)
        item = await self._uploads.put(report_id_of(request.report_id), piece, current_caller())
        return reports_pb2.PutMediaResponse(
            received_bytes=item.received_bytes, complete=item.is_whole
        )

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
        return reports_pb2.GetReportResponse(report=app_report_to_proto(view))

    async def ListReports(
        self, request: reports_pb2.ListReportsRequest, context: Context
    ) -> reports_pb2.ListReportsResponse:
        spec = read_page(request.page.size, request.page.token, of=REPORTS_OF_PARTNER)
        views, token = await self._intake.list_opened(spec, current_caller())
        return reports_pb2.ListReportsResponse(
            reports=[app_report_to_proto(view) for view in views], next_page_token=token
        )

    async def WatchReports(
        self, request: reports_pb2.WatchReportsRequest, context: Context
    ) -> AsyncIterator[reports_pb2.WatchReportsResponse]:
        async for change in self._change_feed.follow(request.resume_token, current_caller()):
            yield change_to_proto(change)

    async def ReplyToQuestion(
        self, request: reports_pb2.ReplyToQuestionRequest, context: Context
    ) -> reports_pb2.ReplyToQuestionResponse:
        report_id = report_id_of(request.report_id)
        view = await self._intake.reply(report_id, request.text, current_caller())
        return reports_pb2.ReplyToQuestionResponse(report=app_report_to_proto(view))

    async def DisputeAnswer(
        self, request: reports_pb2.DisputeAnswerRequest, context: Context
    ) -> reports_pb2.DisputeAnswerResponse:
        report_id = report_id_of(request.report_id)
        view = await self._intake.dispute(report_id, request.text, current_caller())
        return reports_pb2.DisputeAnswerResponse(report=app_report_to_proto(view))
