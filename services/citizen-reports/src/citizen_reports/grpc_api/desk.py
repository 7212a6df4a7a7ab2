"""`ReportDesk`, the gRPC service for operators and for the violations service."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
from chassis.call_context import current_caller
from chassis.clock import to_timestamp
from chassis.identity import Policy, allow
from chassis.pages import Pages
from chassis.refusals import checks
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import reports_pb2, reports_pb2_grpc

from citizen_reports.events import STATUSES
from citizen_reports.grpc_api.apps import media_id_of, number_of, report_id_of, report_to_proto
from citizen_reports.grpc_api.cameras import cameras_to_proto, plate_to_proto
from citizen_reports.grpc_api.filters import CATEGORY_OF, STATUS_OF, moment_or_none
from citizen_reports.model.actions import DESK_ROLES, ROLES, DeskAction
from citizen_reports.model.blurred_forms import MediaRequest
from citizen_reports.model.board import UnitFigures, UnitLoad
from citizen_reports.model.categories import Category
from citizen_reports.model.media import Media
from citizen_reports.model.statuses import Status
from citizen_reports.model.waiting_answers import WaitingAnswer
from citizen_reports.storage.merging import Related
from citizen_reports.storage.queue import QueueFilter
from citizen_reports.usecases.board import Board
from citizen_reports.usecases.complaints import Complaints
from citizen_reports.usecases.desk import Desk, DeskView, Shown
from citizen_reports.usecases.execution import Execution
from citizen_reports.usecases.merging import Merging
from citizen_reports.usecases.openings import SentMedia
from citizen_reports.usecases.routing import Routing, Target
from citizen_reports.usecases.searching import Search
from citizen_reports.usecases.triage import Triage

Context = grpc.aio.ServicerContext
DESK = tuple(sorted(DESK_ROLES))
METHODS = {
    "TakeReport": DeskAction.TAKE,
    "RouteReport": DeskAction.ROUTE,
    "AskReporter": DeskAction.ASK,
    "AnswerReport": DeskAction.ANSWER,
    "AcceptTrafficEvidence": DeskAction.ACCEPT_TRAFFIC_EVIDENCE,
    "RecordArrival": DeskAction.RECORD_ARRIVAL,
    "ExtendDeadline": DeskAction.EXTEND,
    "RaiseReport": DeskAction.RAISE,
    "ConfirmUrgency": DeskAction.CONFIRM_URGENCY,
    "DeclineUrgency": DeskAction.DECLINE_URGENCY,
    "MergeReport": DeskAction.MERGE,
    "UnmergeReport": DeskAction.UNMERGE,
}
POLICY: Policy = {
    f"/tartip.reports.v1.ReportDesk/{method}": allow(
        roles=tuple(sorted(ROLES[action])), purpose=True
    )
    for method, action in METHODS.items()
} | {
    "/tartip.reports.v1.ReportDesk/ListReports": allow(roles=DESK),
    "/tartip.reports.v1.ReportDesk/SearchReports": allow(
        roles=("dispatcher", "inspector", "supervisor"), purpose=True
    ),
    "/tartip.reports.v1.ReportDesk/GetBoard": allow(roles=DESK),
    "/tartip.reports.v1.ReportDesk/GetUnitFigures": allow(roles=DESK),
    "/tartip.reports.v1.ReportDesk/OpenEvidence": allow(roles=DESK, purpose=True),
    "/tartip.reports.v1.ReportDesk/GetReport": allow(
        roles=DESK, services=("violations",), purpose=True
    ),
}


@dataclass(frozen=True)
class DeskUseCases:
    """What operators can do."""

    desk: Desk
    routing: Routing
    execution: Execution
    board: Board
    complaints: Complaints
    triage: Triage
    merging: Merging
    search: Search


class ReportDeskApi(reports_pb2_grpc.ReportDeskServicer):
    def __init__(self, usecases: DeskUseCases, sent: SentMedia, pages: Pages) -> None:
        self._desk = usecases.desk
        self._routing = usecases.routing
        self._execution = usecases.execution
        self._board = usecases.board
        self._complaints = usecases.complaints
        self._triage = usecases.triage
        self._merging = usecases.merging
        self._search = usecases.search
        self._sent = sent
        self._pages = pages

    async def ListReports(
        self, request: reports_pb2.ReportDeskListReportsRequest, context: Context
    ) -> reports_pb2.ReportDeskListReportsResponse:
        page = self._pages.read(request, current_caller())
        wanted = QueueFilter(
            _status_or_none(request.status),
            _category_or_none(request.category),
            request.region,
            emergencies_only=request.emergencies_only,
        )
        views, keys = await self._desk.list_queue(
            wanted, page.spec, current_caller(), overdue_only=request.overdue_only
        )
        return reports_pb2.ReportDeskListReportsResponse(
            reports=[desk_report_to_proto(view) for view in views],
            next_page_token=page.next_token(keys),
        )

    async def SearchReports(
        self, request: reports_pb2.SearchReportsRequest, context: Context
    ) -> reports_pb2.SearchReportsResponse:
        caller = current_caller()
        page = self._pages.read(request, caller)
        views, keys = await self._search.by_words(request.words, request.region, page.spec, caller)
        return reports_pb2.SearchReportsResponse(
            reports=[desk_report_to_proto(view) for view in views],
            next_page_token=page.next_token(keys),
        )

    async def GetReport(
        self, request: reports_pb2.ReportDeskGetReportRequest, context: Context
    ) -> reports_pb2.ReportDeskGetReportResponse:
        caller = current_caller()
        if request.WhichOneof("key") == "number":
            view = await self._desk.by_number(number_of(request.number), caller)
        else:
            view = await self._desk.by_id(report_id_of(request.report_id), caller)
        return reports_pb2.ReportDeskGetReportResponse(report=desk_report_to_proto(view))

    async def OpenEvidence(
        self, request: reports_pb2.OpenEvidenceRequest, context: Context
    ) -> AsyncIterator[reports_pb2.OpenEvidenceResponse]:
        report_id, media_id = report_id_of(request.report_id), media_id_of(request.media_id)
        asked = MediaRequest(report_id, media_id, request.blurred, request.first_frame)
        async for piece in self._sent.open(asked, current_caller()):
            yield reports_pb2.OpenEvidenceResponse(
                content_type=piece.content_type,
                sha256=piece.sha256,
                original_sha256=piece.original_sha256,
                size_bytes=piece.size_bytes,
                content=piece.content,
                form=piece.form.value if piece.form else "",
            )

    async def TakeReport(
        self, request: reports_pb2.TakeReportRequest, context: Context
    ) -> reports_pb2.TakeReportResponse:
        view = await self._desk.take(_shown(request), current_caller())
        return reports_pb2.TakeReportResponse(report=desk_report_to_proto(view))

    async def RouteReport(
        self, request: reports_pb2.RouteReportRequest, context: Context
    ) -> reports_pb2.RouteReportResponse:
        target = Target(request.unit, request.region)
        view = await self._routing.route(_shown(request), target, request.reason, current_caller())
        return reports_pb2.RouteReportResponse(report=desk_report_to_proto(view))

    async def AskReporter(
        self, request: reports_pb2.AskReporterRequest, context: Context
    ) -> reports_pb2.AskReporterResponse:
        view = await self._desk.ask(
            _shown(request), request.question, request.reason, current_caller()
        )
        return reports_pb2.AskReporterResponse(report=desk_report_to_proto(view))

    async def AnswerReport(
        self, request: reports_pb2.AnswerReportRequest, context: Context
    ) -> reports_pb2.AnswerReportResponse:
        view = await self._desk.answer(
            _shown(request), request.answer, request.outcome, current_caller()
        )
        return reports_pb2.AnswerReportResponse(report=desk_report_to_proto(view))

    async def AcceptTrafficEvidence(
        self, request: reports_pb2.AcceptTrafficEvidenceRequest, context: Context
    ) -> reports_pb2.AcceptTrafficEvidenceResponse:
        view = await self._desk.accept_traffic_evidence(
            _shown(request), request.plate, request.offence_code, current_caller()
        )
        return reports_pb2.AcceptTrafficEvidenceResponse(report=desk_report_to_proto(view))

    async def RaiseReport(
        self, request: reports_pb2.RaiseReportRequest, context: Context
    ) -> reports_pb2.RaiseReportResponse:
        caller, shown = current_caller(), _shown(request)
        hidden = await self._complaints.raise_report(
            shown, _category_or_none(request.category), request.reason, caller
        )
        if hidden:
            return reports_pb2.RaiseReportResponse(hidden=True)
        view = await self._desk.by_id(shown.report_id, caller)
        return reports_pb2.RaiseReportResponse(report=desk_report_to_proto(view))

    async def ConfirmUrgency(
        self, request: reports_pb2.ConfirmUrgencyRequest, context: Context
    ) -> reports_pb2.ConfirmUrgencyResponse:
        view = await self._triage.confirm(_shown(request), current_caller())
        return reports_pb2.ConfirmUrgencyResponse(report=desk_report_to_proto(view))

    async def DeclineUrgency(
        self, request: reports_pb2.DeclineUrgencyRequest, context: Context
    ) -> reports_pb2.DeclineUrgencyResponse:
        view = await self._triage.decline(_shown(request), request.reason, current_caller())
        return reports_pb2.DeclineUrgencyResponse(report=desk_report_to_proto(view))

    async def MergeReport(
        self, request: reports_pb2.MergeReportRequest, context: Context
    ) -> reports_pb2.MergeReportResponse:
        shown, parent_id = _shown(request), report_id_of(request.parent_id)
        view = await self._merging.merge(shown, parent_id, current_caller())
        return reports_pb2.MergeReportResponse(report=desk_report_to_proto(view))

    async def UnmergeReport(
        self, request: reports_pb2.UnmergeReportRequest, context: Context
    ) -> reports_pb2.UnmergeReportResponse:
        view = await self._merging.unmerge(_shown(request), request.reason, current_caller())
        return reports_pb2.UnmergeReportResponse(report=desk_report_to_proto(view))

    async def RecordArrival(
        self, request: reports_pb2.RecordArrivalRequest, context: Context
    ) -> reports_pb2.RecordArrivalResponse:
        given = request.arrived_at if request.HasField("arrived_at") else None
        moment = moment_or_none(given) if given else None
        with checks() as check:
            is_known = given is None or moment is not None
            check.that(is_known, "arrived_at", "a moment", code="ARRIVED_IN_FUTURE")
        view = await self._execution.record_arrival(_shown(request), moment, current_caller())
        return reports_pb2.RecordArrivalResponse(report=desk_report_to_proto(view))

    async def ExtendDeadline(
        self, request: reports_pb2.ExtendDeadlineRequest, context: Context
    ) -> reports_pb2.ExtendDeadlineResponse:
        view = await self._execution.extend(
            _shown(request), request.reason, request.working_days, current_caller()
        )
        return reports_pb2.ExtendDeadlineResponse(report=desk_report_to_proto(view))

    async def GetBoard(
        self, request: reports_pb2.GetBoardRequest, context: Context
    ) -> reports_pb2.GetBoardResponse:
        units = await self._board.loads(request.region, current_caller())
        return reports_pb2.GetBoardResponse(units=map(_load_to_proto, units))

    async def GetUnitFigures(
        self, request: reports_pb2.GetUnitFiguresRequest, context: Context
    ) -> reports_pb2.GetUnitFiguresResponse:
        has_start = request.HasField("registered_from")
        has_end = request.HasField("registered_until")
        start = moment_or_none(request.registered_from) if has_start else None
        end = moment_or_none(request.registered_until) if has_end else None
        units = await self._board.figures(request.region, start, end, current_caller())
        return reports_pb2.GetUnitFiguresResponse(units=map(_figures_to_proto, units))


def _load_to_proto(load: UnitLoad) -> reports_pb2.UnitLoad:
    return reports_pb2.UnitLoad(
        unit=load.unit,
        unassigned=load.unassigned,
        open=load.open,
        overdue=load.overdue,
        due_soon=load.due_soon,
        waits_for_reporter=load.waits_for_reporter,
        officers=[
            reports_pb2.OfficerLoad(operator=one.operator, open=one.open, overdue=one.overdue)
            for one in load.officers
        ],
    )


def _figures_to_proto(figures: UnitFigures) -> reports_pb2.UnitFigures:
    return reports_pb2.UnitFigures(
        unit=figures.unit,
        registered=figures.registered,
        on_time=figures.on_time,
        late=figures.late,
        overdue=figures.overdue,
        reopened=figures.reopened,
        median_minutes_to_first_action=figures.median_minutes,
    )


def _shown(request: Any) -> Shown:
    """Return the report and the version that a request names."""
    return Shown(report_id_of(request.report_id), request.version)


def _category_or_none(value: int) -> Category | None:
    return CATEGORY_OF.get(reports_pb2.Category.ValueType(value))


def _status_or_none(value: int) -> Status | None:
    return STATUS_OF.get(reports_pb2.ReportStatus.ValueType(value))


def desk_report_to_proto(view: DeskView) -> reports_pb2.DeskReport:
    """Convert a report, as shown to operators, to protobuf."""
    report, written, place = view.report, view.contents, view.contents.place
    return reports_pb2.DeskReport(
        report=report_to_proto(report, written.question, written.answer, len(view.media)),
        place=common_pb2.Place(
            latitude=place.latitude,
            longitude=place.longitude,
            region=report.region,
            address=place.address,
            kato=place.kato,
        ),
        occurred_at=to_timestamp(report.occurred_at),
        text=_with_officer(written.text, written.officer),
        reporter=reports_pb2.Reporter(
            iin=view.reporter.iin, name=view.reporter.name, phone=view.reporter.phone
        ),
        partner=report.partner,
        unit=report.unit,
        operator=report.operator,
        media=[_media_to_proto(item) for item in view.media],
        steps=[
            reports_pb2.ReportStep(
                at=to_timestamp(step.at),
                status=STATUSES[step.status],
                actor=step.actor,
                note=step.note,
            )
            for step in view.steps
        ],
        overdue=view.overdue,
        story=report.story,
        accepted_plate=written.plate,
        accepted_offence_code=report.offence_code,
        due_at=to_timestamp(report.due_at),
        actions=[action.value for action in view.actions],
        emergency=report.is_emergency,
        response_due_at=to_timestamp(report.response_due_at),
        arrived_at=to_timestamp(report.arrived_at),
        answer_due_at=to_timestamp(report.answer_due_at),
        position=report.position,
        closing_outcome=report.closing_outcome,
        silent_alarm=report.silent_alarm,
        urgency=report.urgency.value if report.urgency else "",
        urgency_reasons=[
            reports_pb2.UrgencyReason(danger=reason.danger, words=reason.words)
            for reason in view.urgency_reasons
        ],
        cameras=cameras_to_proto(report, view.cameras),
        proposed_plates=map(plate_to_proto, view.proposed_plates),
        waiting_answer=_waiting_to_proto(view.waiting) if view.waiting else None,
        related=map(_related_to_proto, view.related),
        opens_clean=view.opens_clean,
    )


def _related_to_proto(other: Related) -> reports_pb2.RelatedReport:
    return reports_pb2.RelatedReport(
        report_id=str(other.report_id),
        number=other.number,
        relation=other.relation.value,
        alike_percent=other.alike_percent,
    )


def _waiting_to_proto(answer: WaitingAnswer) -> reports_pb2.WaitingAnswer:
    return reports_pb2.WaitingAnswer(
        request_id=str(answer.request_id),
        operator=answer.operator,
        outcome=answer.outcome,
        leaves_at=to_timestamp(answer.leaves_at),
        answer=answer.text,
    )


def _media_to_proto(item: Media) -> reports_pb2.Media:
    return reports_pb2.Media(
        media_id=str(item.media_id),
        content_type=item.announced.content_type,
        size_bytes=item.announced.total_bytes,
        evidence_sha256=item.evidence_sha256,
        shown_sha256=item.shown_sha256,
        taken_at=to_timestamp(item.taken.at),
        taken_latitude=item.taken.latitude,
        taken_longitude=item.taken.longitude,
        blurred_sha256=item.blurred_sha256,
        first_frame_sha256=item.first_frame_sha256,
    )


def _with_officer(text: str, officer: str) -> str:
    """Return the text preceded by the officer whom a complaint names: the contract has no field for
    the officer."""
    return f"{officer}\n\n{text}" if officer else text
