"""`CitizenReports`, the gRPC service for partners' apps, and conversions that `ReportDesk` also
uses."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from uuid import UUID

import grpc
from chassis import telemetry
from chassis.call_context import current_caller
from chassis.clock import parse_id, parse_new_id, to_timestamp
from chassis.fields import NEW_ID, read_new_id
from chassis.identity import Policy, allow
from chassis.pages import Pages
from chassis.refusals import BadRequest, checks
from law.assumed import assumed_years
from partners.model import PartnerScope
from tartip.reports.v1 import reports_pb2, reports_pb2_grpc

from citizen_reports.events import CATEGORIES, STATUSES
from citizen_reports.grpc_api.days import DayRpcs
from citizen_reports.grpc_api.filters import CATEGORY_OF, filter_from_proto, moment_or_none
from citizen_reports.grpc_api.pieces import piece_reader
from citizen_reports.grpc_api.viewings import ViewingRpcs
from citizen_reports.model.categories import EMERGENCIES
from citizen_reports.model.draft import Draft, Place, Reporter
from citizen_reports.model.media import Media
from citizen_reports.model.receipt import Receipt
from citizen_reports.model.refusals import MediaNotFound, ReportNotFound
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Status
from citizen_reports.storage.app_views import AppView
from citizen_reports.storage.changes import Change
from citizen_reports.usecases.change_feed import ChangeFeed
from citizen_reports.usecases.correspondence import Correspondence, Said
from citizen_reports.usecases.days import Days
from citizen_reports.usecases.intake import Intake
from citizen_reports.usecases.uploads import Uploads
from citizen_reports.usecases.viewings import Viewings
from citizen_reports.usecases.webhooks import Webhooks

Context = grpc.aio.ServicerContext
_NUMBER = re.compile(r"KZ[0-9]{2}-[0-9]{4}-[0-9]{7,9}")


def _is_emergency(request: reports_pb2.OpenReportRequest) -> bool:
    return CATEGORY_OF.get(request.category) in EMERGENCIES


def _hands_emergency_in(request: reports_pb2.HandInReportRequest) -> bool:
    return _is_emergency(request.report)


def _may_be_emergency(request: reports_pb2.SubmitReportRequest) -> bool:
    """Always true: the category is in the database, and an opened emergency must get through."""
    return True


_SERVICE, _SCOPE = "/tartip.reports.v1.CitizenReports", PartnerScope.REPORTS.value
POLICY: Policy = {
    f"{_SERVICE}/OpenReport": allow(partners=True, scope=_SCOPE, urgent=_is_emergency),
    f"{_SERVICE}/HandInReport": allow(partners=True, scope=_SCOPE, urgent=_hands_emergency_in),
    f"{_SERVICE}/SubmitReport": allow(partners=True, scope=_SCOPE, urgent=_may_be_emergency),
    **{
        f"{_SERVICE}/{method}": allow(partners=True, scope=_SCOPE)
        for method in (
            "PutMedia",
            "DropMedia",
            "GetReport",
            "ListReports",
            "CountDay",
            "ListDay",
            "WatchReports",
            "RotateWebhookSecret",
            "ReplyToQuestion",
            "DisputeAnswer",
            "WithdrawReport",
            "ListViewings",
        )
    },
}


@dataclass(frozen=True)
class AppUseCases:
    """What apps can do."""

    intake: Intake
    correspondence: Correspondence
    uploads: Uploads
    change_feed: ChangeFeed
    webhooks: Webhooks
    days: Days
    viewings: Viewings


class CitizenReportsApi(DayRpcs, ViewingRpcs, reports_pb2_grpc.CitizenReportsServicer):
    def __init__(self, usecases: AppUseCases, pages: Pages) -> None:
        self._intake = usecases.intake
        self._correspondence = usecases.correspondence
        self._uploads = usecases.uploads
        self._change_feed = usecases.change_feed
        self._webhooks = usecases.webhooks
        self._days = usecases.days
        self._viewings = usecases.viewings
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
        return reports_pb2.OpenReportResponse(
            report=_app_report_to_proto(view), region_corrected=_is_corrected(request, view)
        )

    async def HandInReport(
        self, request: reports_pb2.HandInReportRequest, context: Context
    ) -> reports_pb2.HandInReportResponse:
        given = request.report
        report_id = parse_new_id(given.report_id)
        if report_id is not None:
            telemetry.annotate(report=str(report_id))
        content = given.SerializeToString(deterministic=True)  # as OpenReport's
        with _fields_in("report"):
            view = await self._intake.hand_in(
                report_id, _draft_from_proto(given), content, current_caller()
            )
        return reports_pb2.HandInReportResponse(
            report=_app_report_to_proto(view), region_corrected=_is_corrected(given, view)
        )

    async def PutMedia(
        self, request: reports_pb2.PutMediaRequest, context: Context
    ) -> reports_pb2.PutMediaResponse:
        read = piece_reader(request)
        item = await self._uploads.put(report_id_of(request.report_id), read, current_caller())
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
        wanted = filter_from_proto(request)
        views, keys = await self._intake.list_opened(wanted, page.spec, current_caller())
        return reports_pb2.ListReportsResponse(
            reports=[_app_report_to_proto(view) for view in views],
            next_page_token=page.next_token(keys),
        )

    async def WatchReports(
        self, request: reports_pb2.WatchReportsRequest, context: Context
    ) -> AsyncIterator[reports_pb2.WatchReportsResponse]:
        changes = await self._change_feed.follow(request.resume_token, current_caller())
        # At once, so that the app sees that it is connected while nothing changes.
        await context.send_initial_metadata(())
        async for change in changes:
            yield _change_to_proto(change)

    async def RotateWebhookSecret(
        self, request: reports_pb2.RotateWebhookSecretRequest, context: Context
    ) -> reports_pb2.RotateWebhookSecretResponse:
        with checks() as check:
            request_id = read_new_id(
                check, "request_id", request.request_id, code="REQUEST_ID_WRONG"
            )
        rotated = await self._webhooks.rotate(request_id, current_caller())
        return reports_pb2.RotateWebhookSecretResponse(
            secret=rotated.secret, previous_ends_at=to_timestamp(rotated.previous_ends_at)
        )

    async def ReplyToQuestion(
        self, request: reports_pb2.ReplyToQuestionRequest, context: Context
    ) -> reports_pb2.ReplyToQuestionResponse:
        said = _said(request, "reply_id", code="REPLY_ID_WRONG")
        view = await self._correspondence.reply(said, current_caller())
        return reports_pb2.ReplyToQuestionResponse(report=_app_report_to_proto(view))

    async def DisputeAnswer(
        self, request: reports_pb2.DisputeAnswerRequest, context: Context
    ) -> reports_pb2.DisputeAnswerResponse:
        said = _said(request, "dispute_id", code="DISPUTE_ID_WRONG")
        view = await self._correspondence.dispute(said, current_caller())
        return reports_pb2.DisputeAnswerResponse(report=_app_report_to_proto(view))

    async def WithdrawReport(
        self, request: reports_pb2.WithdrawReportRequest, context: Context
    ) -> reports_pb2.WithdrawReportResponse:
        report_id = report_id_of(request.report_id)
        view = await self._correspondence.withdraw(report_id, request.reason, current_caller())
        if view is None:
            gone = reports_pb2.Report(report_id=str(report_id), status=STATUSES[Status.WITHDRAWN])
            return reports_pb2.WithdrawReportResponse(report=gone)
        return reports_pb2.WithdrawReportResponse(report=_app_report_to_proto(view))


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
        due_at=to_timestamp(report.due_at),
        unit=_unit_of(report),
        arrived_at=to_timestamp(report.arrived_at),
        extended_at=to_timestamp(report.extended_at),
        closing_outcome=report.closing_outcome,
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
        response_due_at=to_timestamp(receipt.arrival_due_at),
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
        occurred_at=moment_or_none(request.occurred_at)
        if request.HasField("occurred_at")
        else None,
        text=request.text,
        reporter=Reporter(reporter.iin, reporter.name, reporter.phone),
        language=request.language,
        officer=request.officer,
        silent_alarm=request.silent_alarm,
    )


def _unit_of(report: Report) -> str:
    """The unit that the app is shown: the report's unit, but for a complaint that of the
    receipt."""
    return report.receipt.unit if report.is_complaint and report.receipt else report.unit


def _is_corrected(given: reports_pb2.OpenReportRequest, view: AppView) -> bool:
    return given.place.region not in ("", view.report.region)


@contextmanager
def _fields_in(message: str) -> Iterator[None]:
    """Give wrong fields of a message the names that they have in the request containing it."""
    try:
        yield
    except BadRequest as wrong:
        fields = (replace(error, field=f"{message}.{error.field}") for error in wrong.fields)
        raise BadRequest(fields=tuple(fields)) from None


def _said(
    request: reports_pb2.ReplyToQuestionRequest | reports_pb2.DisputeAnswerRequest,
    field: str,
    *,
    code: str,
) -> Said:
    """Return the reporter's message in a request; `field` names the field that has its id."""
    given, request_id = getattr(request, field), None
    if given:
        request_id = parse_new_id(given)
        with checks() as check:
            check.that(request_id is not None, field, NEW_ID, code=code)
    content = request.SerializeToString(deterministic=True)
    return Said(report_id_of(request.report_id), request.text, request_id, content)


def _hide_raising(shown: reports_pb2.Report, report: Report) -> None:
    """Show a raised report with the category that the app gave. Its unit and times must not reveal
    the new category."""
    if report.reported_category is None or report.receipt is None:
        return
    shown.category = CATEGORIES[report.reported_category]
    shown.unit = report.receipt.unit
    shown.ClearField("due_at")
    if report.answer_due_at is not None:
        shown.due_at.CopyFrom(to_timestamp(report.answer_due_at))
    if report.reported_category not in EMERGENCIES:
        shown.receipt.ClearField("response_due_at")
        shown.ClearField("arrived_at")


def _app_report_to_proto(view: AppView) -> reports_pb2.Report:
    shown = report_to_proto(view.report, view.question, view.answer, view.media_count)
    shown.report_id = str(view.report.id_of_app)
    _hide_raising(shown, view.report)
    shown.actions[:] = view.actions
    shown.media.extend(_media_to_proto(item) for item in view.media)
    if view.dispute_until is not None:
        shown.dispute_until.CopyFrom(to_timestamp(view.dispute_until))
    return shown


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
