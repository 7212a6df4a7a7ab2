"""Raising a report to a more secret category, and whom a complaint about an officer is about."""

from typing import Literal

from fastapi import APIRouter
from pydantic import Field
from tartip.reports.v1 import personnel_pb2, reports_pb2

from operator_gateway.operator_context import AsOperator
from operator_gateway.reports_routes import DeskReport
from operator_gateway.schemas import Answer, Id, Moment, Reason, Request, ShownVersion

router = APIRouter(prefix="/v1/reports", tags=["reports"])

SecretCategory = Literal["domestic_violence", "incident_with_child", "complaint_about_officer"]


class RaiseReport(Request):
    category: SecretCategory
    reason: Reason
    version: ShownVersion = 0


class RaisedReport(Answer):
    report: DeskReport | None = Field(description="Null where it is hidden from the operator now.")
    hidden: bool


class OfficerName(Answer):
    family: str
    given: str


class Posting(Answer):
    posting_id: str
    unit: str
    starts_at: Moment
    ends_at: Moment


class Officer(Answer):
    officer_id: str
    log_in: str
    badge: str
    kk: OfficerName | None
    ru: OfficerName | None
    postings: list[Posting]


class Subject(Answer):
    officer_id: str
    unit: str


class Candidates(Answer):
    candidates: list[Officer]
    subject: Subject | None = Field(description="Null while nobody has settled it.")


class SubjectRequest(Request):
    officer_id: str = Field("", max_length=64)
    unit: str = Field("", max_length=64)


class NameSubject(Request):
    subject: SubjectRequest = Field(description="An officer, else a unit, else it is not known.")
    version: ShownVersion = 0


class SettledSubject(Answer):
    subject: Subject | None
    hidden: bool = Field(description="Whether the operator may not see the complaint any more.")


@router.post("/{report_id}/raise")
async def raise_report(report_id: Id, body: RaiseReport, context: AsOperator) -> RaisedReport:
    """Gives a report a more secret category. It is hidden at once from all who may not see that
    category."""
    request = body.message(reports_pb2.RaiseReportRequest, report_id=report_id)
    return RaisedReport.of(await context.call(context.peers.reports.RaiseReport, request))


@router.get("/{report_id}/candidates")
async def list_candidates(report_id: Id, context: AsOperator) -> Candidates:
    """The officers whom the words of a complaint may mean. None of them sees the complaint until
    somebody has settled whom it is about."""
    request = personnel_pb2.ListCandidatesRequest(report_id=report_id)
    return Candidates.of(await context.call(context.peers.complaints.ListCandidates, request))


@router.post("/{report_id}/subject")
async def name_subject(report_id: Id, body: NameSubject, context: AsOperator) -> SettledSubject:
    """Settles whom a complaint is about. It is hidden from then on from this officer, his units and
    those above and below them."""
    request = body.message(personnel_pb2.NameSubjectRequest, report_id=report_id)
    return SettledSubject.of(await context.call(context.peers.complaints.NameSubject, request))
