"""Judging whether a report is urgent."""

from fastapi import APIRouter
from tartip.reports.v1 import reports_pb2

from operator_gateway.operator_context import AsOperator
from operator_gateway.reports_routes import DeskReportAnswer
from operator_gateway.schemas import Id, Reason, Request, ShownVersion

router = APIRouter(prefix="/v1/reports", tags=["reports"])


class ConfirmUrgency(Request):
    version: ShownVersion = 0


class DeclineUrgency(Request):
    reason: Reason
    version: ShownVersion = 0


@router.post("/{report_id}/confirm-urgency")
async def confirm_urgency(
    report_id: Id, context: AsOperator, body: ConfirmUrgency | None = None
) -> DeskReportAnswer:
    """Records that a report is urgent: somebody has to be at its place within minutes."""
    body = body or ConfirmUrgency()
    request = body.message(reports_pb2.ConfirmUrgencyRequest, report_id=report_id)
    answer = await context.call(context.peers.reports.ConfirmUrgency, request)
    return DeskReportAnswer.of(answer)


@router.post("/{report_id}/decline-urgency")
async def decline_urgency(
    report_id: Id, body: DeclineUrgency, context: AsOperator
) -> DeskReportAnswer:
    """Records that the words for which a report is proposed as urgent mean no danger."""
    request = body.message(reports_pb2.DeclineUrgencyRequest, report_id=report_id)
    answer = await context.call(context.peers.reports.DeclineUrgency, request)
    return DeskReportAnswer.of(answer)
