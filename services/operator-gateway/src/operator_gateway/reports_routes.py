"""The report desk over REST: operators read and process citizens' reports. The service that owns
the reports decides who may see which."""

from collections.abc import Mapping
from typing import Annotated, Literal

from chassis import telemetry
from fastapi import APIRouter, Query
from law.report_deadlines import read_report_deadlines
from law.report_outcomes import read_report_outcomes
from pydantic import Field
from tartip.reports.v1 import reports_pb2

from operator_gateway.operator_context import AsOperator
from operator_gateway.report_schemas import (
    Media,
    ProposedPlate,
    RelatedReport,
    ReportCamera,
    UrgencyReason,
    WaitingAnswer,
)
from operator_gateway.schemas import (
    Answer,
    Id,
    Instant,
    Listing,
    Moment,
    Place,
    Reason,
    Region,
    Request,
    ShownVersion,
)

router = APIRouter(prefix="/v1/reports", tags=["reports"])

Category = Literal[
    "road_accident",
    "traffic_violation",
    "domestic_violence",
    "incident",
    "incident_with_child",
    "complaint_about_officer",
    "other",
]
ReportStatus = Literal[
    "open",
    "registered",
    "routed",
    "in_work",
    "waits_for_reporter",
    "answered",
    "disputed",
    "closed",
    "withdrawn",
]
ReportReply = (
    reports_pb2.ReportDeskGetReportResponse
    | reports_pb2.TakeReportResponse
    | reports_pb2.RouteReportResponse
    | reports_pb2.AskReporterResponse
    | reports_pb2.AnswerReportResponse
    | reports_pb2.AcceptTrafficEvidenceResponse
    | reports_pb2.RecordArrivalResponse
    | reports_pb2.ExtendDeadlineResponse
)


class Receipt(Answer):
    number: str
    registered_at: Moment
    due_at: Moment
    deadline_rule: str
    assumed_years: list[int]
    unit: str
    content_sha256: str
    response_due_at: Moment = Field(description="When somebody is to be there.")


class Report(Answer):
    report_id: str
    category: Category | None
    status: ReportStatus | None
    receipt: Receipt | None
    opened_at: Moment
    question: str
    answer: str
    answered_at: Moment
    outcome: str
    version: int
    media_count: int
    region: str
    place_abroad: bool = Field(description="Its place lies abroad: a person finds out where.")
    due_at: Moment = Field(description="As it is now; null while nothing is due.")
    unit: str
    arrived_at: Moment
    extended_at: Moment
    closing_outcome: str


class Reporter(Answer):
    iin: str
    name: str
    phone: str


class ReportStep(Answer):
    at: Moment
    status: ReportStatus | None
    actor: str
    note: str


class DeskReport(Answer):
    report: Report | None
    place: Place | None
    occurred_at: Moment
    text: str
    reporter: Reporter | None
    partner: str
    unit: str
    operator: str
    media: list[Media]
    steps: list[ReportStep]
    overdue: bool
    story: str
    accepted_plate: str
    accepted_offence_code: str
    due_at: Moment = Field(description="The earlier clock; null while nothing is due.")
    actions: list[str] = Field(description="What this operator may do with it now.")
    emergency: bool = Field(description="A person may be in danger.")
    response_due_at: Moment = Field(description="Until when the police respond; never stops.")
    arrived_at: Moment
    answer_due_at: Moment = Field(description="As it is now; null while it is stopped.")
    position: str = Field(description="The position that escalation gave it to.")
    closing_outcome: str
    silent_alarm: bool = Field(description="A call for help by somebody who cannot speak or write.")
    urgency: str = Field(description='"proposed", "confirmed", "declined" or empty.')
    urgency_reasons: list[UrgencyReason] = Field(description="Words that propose it as urgent.")
    proposed_plates: list[ProposedPlate] = Field(description="Read by a model: proposals.")
    cameras: list[ReportCamera] = Field(description="Cameras that may have seen it, nearest first.")
    waiting_answer: WaitingAnswer | None = Field(description="An answer that has not left yet.")
    related: list[RelatedReport] = Field(description="Of the same incident, or perhaps of it.")
    opens_clean: bool = Field(description="Whether this operator is shown the clean form of files.")


class Choice(Answer):
    """A code, its name in three languages, and the categories it is for (empty: all)."""

    id: str
    kk: str
    ru: str
    en: str
    categories: list[str]


class Choices(Answer):
    """The codes of the legal tables from which operators choose, and which reports state."""

    outcomes: list[Choice]
    question_reasons: list[Choice]
    positions: list[Choice]


class OfficerLoad(Answer):
    operator: str
    open: int
    overdue: int


class UnitLoad(Answer):
    unit: str
    unassigned: int
    open: int
    overdue: int
    due_soon: int
    waits_for_reporter: int
    officers: list[OfficerLoad]


class Board(Answer):
    units: list[UnitLoad]


class UnitFigures(Answer):
    unit: str
    registered: int
    on_time: int
    late: int
    overdue: int
    reopened: int
    median_minutes_to_first_action: float


class Figures(Answer):
    units: list[UnitFigures]


class BoardQuery(Request):
    region: Region = ""


class FiguresQuery(Request):
    region: Region = ""
    registered_from: Instant
    registered_until: Instant


class DeskReportAnswer(Answer):
    report: DeskReport


class DeskReportPage(Answer):
    reports: list[DeskReport]
    next_page_token: str


class ReportListing(Listing):
    status: ReportStatus | None = None
    category: Category | None = None
    region: Region = ""
    overdue_only: bool = False
    emergencies_only: bool = False


class TakeReport(Request):
    version: ShownVersion = 0


class RouteReport(Request):
    unit: str = Field(max_length=100)
    reason: Reason
    region: Region = ""
    version: ShownVersion = 0


class AskReporter(Request):
    question: str = Field(max_length=4000)
    reason: str = Field("", max_length=40, examples=["needs_information"])
    version: ShownVersion = 0


class AnswerReport(Request):
    answer: str = Field(max_length=4000)
    outcome: str = Field(
        "", max_length=40, examples=["measures_taken"], description="See /v1/reports/choices."
    )
    version: ShownVersion = 0


class RecordArrival(Request):
    arrived_at: Instant | None = Field(None, description="Null means now.")
    version: ShownVersion = 0


class ExtendDeadline(Request):
    reason: Reason
    working_days: int = Field(ge=-(2**31), le=2**31 - 1)
    version: ShownVersion = 0


class AcceptTrafficEvidence(Request):
    plate: str = Field(max_length=16, description="As the operator reads it from the picture.")
    offence_code: str = Field(max_length=64, examples=["RED_LIGHT"])
    version: ShownVersion = 0


@router.get("")
async def list_reports(
    listing: Annotated[ReportListing, Query()], context: AsOperator
) -> DeskReportPage:
    """The queue of reports: first those where somebody may be in danger, and of these and of the
    others the nearest deadline first. Reports whose reporter has yet to answer a
    question come last. Texts, reporters, media and processing steps are left out."""
    request = listing.message(reports_pb2.ReportDeskListReportsRequest)
    return DeskReportPage.of(await context.call(context.peers.reports.ListReports, request))


@router.get("/choices")
async def list_choices(context: AsOperator) -> Choices:
    """The outcomes that an answer may have, by category, the reasons for asking the reporter, and
    the positions to which overdue reports are given; from the legal tables."""
    return CHOICES


@router.get("/board")
async def get_board(query: Annotated[BoardQuery, Query()], context: AsOperator) -> Board:
    """How many open reports each unit and officer has, of those that the operator may see; units
    with the most unassigned ones first."""
    request = query.message(reports_pb2.GetBoardRequest)
    return Board.of(await context.call(context.peers.reports.GetBoard, request))


@router.get("/figures")
async def get_unit_figures(query: Annotated[FiguresQuery, Query()], context: AsOperator) -> Figures:
    """How each unit handled the reports that were registered in a period of at most 366 days, of
    those that the operator may see."""
    request = query.message(reports_pb2.GetUnitFiguresRequest)
    return Figures.of(await context.call(context.peers.reports.GetUnitFigures, request))


@router.get("/by-number/{number}")
async def get_report_by_number(number: Id, context: AsOperator) -> DeskReportAnswer:
    request = reports_pb2.ReportDeskGetReportRequest(number=number)
    return _answer(await context.call(context.peers.reports.GetReport, request))


@router.get("/{report_id}")
async def get_report(report_id: Id, context: AsOperator) -> DeskReportAnswer:
    """One report in full. The access and its purpose are recorded in the audit log."""
    request = reports_pb2.ReportDeskGetReportRequest(report_id=report_id)
    return _answer(await context.call(context.peers.reports.GetReport, request))


@router.post("/{report_id}/take")
async def take_report(
    report_id: Id, context: AsOperator, body: TakeReport | None = None
) -> DeskReportAnswer:
    """Assigns a report to the operator who makes the request, and sets its status to in_work."""
    body = body or TakeReport()
    request = body.message(reports_pb2.TakeReportRequest, report_id=report_id)
    return _answer(await context.call(context.peers.reports.TakeReport, request))


@router.post("/{report_id}/route")
async def route_report(report_id: Id, body: RouteReport, context: AsOperator) -> DeskReportAnswer:
    """Sends a report to another unit."""
    request = body.message(reports_pb2.RouteReportRequest, report_id=report_id)
    return _answer(await context.call(context.peers.reports.RouteReport, request))


@router.post("/{report_id}/ask")
async def ask_reporter(report_id: Id, body: AskReporter, context: AsOperator) -> DeskReportAnswer:
    """Asks the reporter a question; the deadline is suspended until the reporter answers."""
    request = body.message(reports_pb2.AskReporterRequest, report_id=report_id)
    return _answer(await context.call(context.peers.reports.AskReporter, request))


@router.post("/{report_id}/answer")
async def answer_report(report_id: Id, body: AnswerReport, context: AsOperator) -> DeskReportAnswer:
    request = body.message(reports_pb2.AnswerReportRequest, report_id=report_id)
    return _answer(await context.call(context.peers.reports.AnswerReport, request))


@router.post("/{report_id}/record-arrival")
async def record_arrival(
    report_id: Id, context: AsOperator, body: RecordArrival | None = None
) -> DeskReportAnswer:
    """Records that somebody is at the place of an emergency. Only this ends the response time."""
    body = body or RecordArrival()
    request = body.message(reports_pb2.RecordArrivalRequest, report_id=report_id)
    return _answer(await context.call(context.peers.reports.RecordArrival, request))


@router.post("/{report_id}/extend")
async def extend_deadline(
    report_id: Id, body: ExtendDeadline, context: AsOperator
) -> DeskReportAnswer:
    """Extends the deadline of the answer by working days, once. The reporter is told at once."""
    request = body.message(reports_pb2.ExtendDeadlineRequest, report_id=report_id)
    return _answer(await context.call(context.peers.reports.ExtendDeadline, request))


@router.post("/{report_id}/accept-traffic-evidence")
async def accept_traffic_evidence(
    report_id: Id, body: AcceptTrafficEvidence, context: AsOperator
) -> DeskReportAnswer:
    """Accepts the evidence of a report as showing a traffic offence. The violations service then
    records a violation in review with this evidence, and an officer decides on it."""
    request = body.message(reports_pb2.AcceptTrafficEvidenceRequest, report_id=report_id)
    return _answer(await context.call(context.peers.reports.AcceptTrafficEvidence, request))


def _answer(reply: ReportReply) -> DeskReportAnswer:
    """Convert a reply; the current span gets the report's id and joins the report's story."""
    telemetry.bind_story(reply.report.story)
    telemetry.annotate(report=reply.report.report.report_id)
    return DeskReportAnswer.of(reply)


def _choices() -> Choices:
    deadlines = read_report_deadlines()
    return Choices(
        outcomes=[
            _choice(one.id, one.names, one.categories) for one in read_report_outcomes().outcomes
        ],
        question_reasons=[_choice(one.id, one.names) for one in deadlines.question_reasons],
        positions=[_choice(one.id, one.names) for one in deadlines.positions],
    )


def _choice(choice_id: str, names: Mapping[str, str], categories: tuple[str, ...] = ()) -> Choice:
    return Choice(id=choice_id, **names, categories=list(categories))


CHOICES = _choices()
