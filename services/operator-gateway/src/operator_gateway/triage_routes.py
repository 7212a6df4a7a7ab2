"""Judging whether a report is urgent, and merging reports of the same incident."""

from fastapi import APIRouter
from pydantic import Field
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


class MergeReport(Request):
    parent_id: str = Field(max_length=64, description="The report that is handled.")
    version: ShownVersion = 0


class UnmergeReport(Request):
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


@router.post("/{report_id}/merge")
async def merge_report(report_id: Id, body: MergeReport, context: AsOperator) -> DeskReportAnswer:
    """Merges a report under another one of the same incident. Its reporter is told of that one's
    status and outcome as of his own, and of nothing else."""
    request = body.message(reports_pb2.MergeReportRequest, report_id=report_id)
    answer = await context.call(context.peers.reports.MergeReport, request)
    return DeskReportAnswer.of(answer)


@router.post("/{report_id}/unmerge")
async def unmerge_report(
    report_id: Id, body: UnmergeReport, context: AsOperator
) -> DeskReportAnswer:
    """Has a merged report be handled by itself again."""
    request = body.message(reports_pb2.UnmergeReportRequest, report_id=report_id)
    answer = await context.call(context.peers.reports.UnmergeReport, request)
    return DeskReportAnswer.of(answer)
