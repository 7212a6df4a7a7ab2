"""The report desk as a small server: reports change as citizen-reports changes them."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

from chassis.call_context import current_caller
from chassis.clock import system_clock, to_timestamp
from chassis.refusals import Kind, Refusal, checks
from chassis.texts import Message
from tartip.reports.v1 import reports_pb2, reports_pb2_grpc

from .peers import (
    BLURRED,
    BLURRED_SHA,
    NOON,
    ORIGINAL_SHA,
    PHOTOGRAPH,
    PHOTOGRAPH_SHA,
    Asked,
)


class MediaNotBlurredYet(Refusal):
    code = "MEDIA_NOT_BLURRED_YET"
    message = Message(en="Not blurred yet.", ru="Ещё не готова.", kk="Әлі дайын емес.")


class MediaNotStored(Refusal):
    code = "MEDIA_NOT_STORED"
    message = Message(en="Not stored yet.", ru="Ещё не сохранён.", kk="Әлі сақталған жоқ.")


class MediaHasNoFirstFrame(Refusal):
    code = "MEDIA_HAS_NO_FIRST_FRAME"
    message = Message(en="No first frame.", ru="Нет первого кадра.", kk="Бірінші кадр жоқ.")


class ReportNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "REPORT_NOT_FOUND"
    message = Message(en="No such report.", ru="Нет такого сообщения.", kk="Мұндай хабарлама жоқ.")


class ReportChangedMeanwhile(Refusal):
    kind = Kind.CONFLICT
    code = "REPORT_CHANGED_MEANWHILE"
    message = Message(
        en="Changed meanwhile.", ru="Тем временем изменилось.", kk="Осы арада өзгерді."
    )


class MergeNotAllowed(Refusal):
    code = "MERGE_NOT_ALLOWED"
    message = Message(
        en="These cannot be merged.", ru="Их нельзя объединить.", kk="Біріктіруге болмайды."
    )


# What may be done in which status, and what it leads to.
STEPS = {
    "take": {"ROUTED": "IN_WORK", "DISPUTED": "IN_WORK"},
    "route": {"ROUTED": "ROUTED", "IN_WORK": "ROUTED"},
    "ask": {"IN_WORK": "WAITS_FOR_REPORTER"},
    "answer": {"IN_WORK": "ANSWERED", "WAITS_FOR_REPORTER": "ANSWERED"},
}


def a_report(report_id: str, due: datetime, **changes: Any) -> reports_pb2.DeskReport:
    report = reports_pb2.DeskReport(
        unit="KZ-75-duty",
        occurred_at=to_timestamp(NOON),
        text="A car stands on the pavement.",
        partner="kaspi",
        due_at=to_timestamp(due),
        overdue=due < system_clock(),
    )
    inner = report.report
    inner.report_id, inner.version = report_id, 1
    inner.status = reports_pb2.REPORT_STATUS_ROUTED
    inner.category = changes.pop("category", reports_pb2.CATEGORY_OTHER)
    inner.receipt.number = f"KZ75-2026-{report_id[-1] * 7}"
    inner.receipt.registered_at.CopyFrom(to_timestamp(NOON))
    inner.receipt.due_at.CopyFrom(to_timestamp(due))
    report.place.region, report.place.address = "KZ-75", "Abai 44"
    report.reporter.name = "Test Person"
    report.MergeFrom(reports_pb2.DeskReport(**changes))
    return offered(report)


def offered(report: reports_pb2.DeskReport) -> reports_pb2.DeskReport:
    status = reports_pb2.ReportStatus.Name(report.report.status).removeprefix("REPORT_STATUS_")
    report.actions[:] = [action for action, steps in STEPS.items() if status in steps]
    report.actions.append("raise")
    if status in ("ROUTED", "IN_WORK"):
        report.actions.append("merge")
    if report.urgency in ("", "proposed") and not report.HasField("response_due_at"):
        report.actions.append("confirm_urgency")
    if report.urgency == "proposed":
        report.actions.append("decline_urgency")
    if report.HasField("response_due_at"):
        report.actions.append("record_arrival")
        report.actions[:] = [action for action in report.actions if action != "answer"]
    return report


def advance(report: reports_pb2.DeskReport, action: str, operator: str) -> reports_pb2.DeskReport:
    """As the owner does it: status, holder, version, step and deadline."""
    status = reports_pb2.ReportStatus.Name(report.report.status).removeprefix("REPORT_STATUS_")
    target = STEPS[action][status]
    report.report.status = reports_pb2.ReportStatus.Value(f"REPORT_STATUS_{target}")
    report.report.version += 1
    report.operator, report.opens_clean = operator, True
    step = report.steps.add(status=report.report.status, actor=operator)
    step.at.CopyFrom(to_timestamp(system_clock()))
    if action == "take":
        report.due_at.CopyFrom(to_timestamp(system_clock() + timedelta(days=30)))
    if target in ("ANSWERED", "WAITS_FOR_REPORTER"):
        report.ClearField("due_at")
    report.overdue = False
    return offered(report)


class PeerReports(reports_pb2_grpc.ReportDeskServicer):
    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    async def ListReports(self, request: Any, context: Any) -> Any:
        rows = [one for one in self._asked.reports.values() if self._fits(one, request)]
        rows.sort(key=lambda row: row.due_at.seconds if row.HasField("due_at") else 2**40)
        size = request.page.size or 50
        start = int(request.page.token or 0)
        more = str(start + size) if len(rows) > start + size else ""
        found = rows[start : start + size]
        return reports_pb2.ReportDeskListReportsResponse(reports=found, next_page_token=more)

    def _fits(self, row: reports_pb2.DeskReport, request: Any) -> bool:
        closed = (reports_pb2.REPORT_STATUS_ANSWERED, reports_pb2.REPORT_STATUS_CLOSED)
        status = row.report.status
        fits_status = status == request.status if request.status else status not in closed
        fits_category = request.category in (0, row.report.category)
        is_wanted = row.overdue or not request.overdue_only
        is_merged = any(one.relation == "parent" for one in row.related)
        return (
            not is_merged
            and fits_status
            and fits_category
            and is_wanted
            and (row.emergency or not request.emergencies_only)
        )

    async def SearchReports(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        words = request.words.split()
        rows = self._asked.reports.values()
        found = [row for row in rows if all(word in row.text for word in words)]
        return reports_pb2.SearchReportsResponse(reports=found)

    async def GetReport(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        report = self._found(request)
        return reports_pb2.ReportDeskGetReportResponse(report=report)

    async def OpenEvidence(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self._asked.note(request)
        report = self._found(request)
        [item] = [one for one in report.media if one.media_id == request.media_id]
        if request.first_frame and not item.first_frame_sha256:
            raise MediaHasNoFirstFrame
        if not request.first_frame and not item.evidence_sha256:
            raise MediaNotStored
        is_blurred = request.blurred or not report.opens_clean
        if is_blurred and not item.blurred_sha256:
            raise MediaNotBlurredYet
        content = BLURRED if is_blurred else PHOTOGRAPH
        yield reports_pb2.OpenEvidenceResponse(
            content_type="image/jpeg",
            content=content,
            sha256=BLURRED_SHA if is_blurred else PHOTOGRAPH_SHA,
            original_sha256=ORIGINAL_SHA,
            size_bytes=len(content),
            form="blurred" if is_blurred else "clean",
        )

    async def TakeReport(self, request: Any, context: Any) -> Any:
        return reports_pb2.TakeReportResponse(report=self._act(request, "take"))

    async def AskReporter(self, request: Any, context: Any) -> Any:
        return reports_pb2.AskReporterResponse(report=self._act(request, "ask"))

    async def AnswerReport(self, request: Any, context: Any) -> Any:
        report = self._unchanged(request)
        with checks() as check:
            long_enough = len(request.answer) > 3
            check.that(long_enough, "answer", "what the reporter reads", code="ANSWER_REQUIRED")
            check.that(bool(request.outcome), "outcome", "what came of it", code="OUTCOME_REQUIRED")
        report.report.answer = request.answer
        report.closing_outcome = request.outcome
        return reports_pb2.AnswerReportResponse(report=self._act(request, "answer"))

    async def RaiseReport(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        report = self._unchanged(request)
        with checks() as check:
            check.that(bool(request.reason), "reason", "what shows it", code="REASON_REQUIRED")
            check.that(request.category > 0, "category", "a kind", code="CATEGORY_UNKNOWN")
        if request.category == reports_pb2.CATEGORY_COMPLAINT_ABOUT_OFFICER:
            del self._asked.reports[request.report_id]
            return reports_pb2.RaiseReportResponse(hidden=True)
        report.report.category = request.category
        report.report.version += 1
        return reports_pb2.RaiseReportResponse(report=offered(report))

    async def ConfirmUrgency(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        report = self._unchanged(request)
        report.urgency, report.emergency = "confirmed", True
        report.response_due_at.CopyFrom(to_timestamp(system_clock() + timedelta(minutes=7)))
        report.report.version += 1
        return reports_pb2.ConfirmUrgencyResponse(report=offered(report))

    async def DeclineUrgency(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        report = self._unchanged(request)
        with checks() as check:
            check.that(bool(request.reason), "reason", "why not", code="REASON_REQUIRED")
        report.urgency, report.emergency = "declined", False
        report.report.version += 1
        return reports_pb2.DeclineUrgencyResponse(report=offered(report))

    async def MergeReport(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        report = self._unchanged(request)
        if self._asked.reports[request.parent_id].report.status != report.report.status:
            raise MergeNotAllowed
        del report.related[:]
        report.related.add(report_id=request.parent_id, number="KZ75-2026-1", relation="parent")
        report.report.version += 1
        report.actions[:] = ["raise", "unmerge"]
        return reports_pb2.MergeReportResponse(report=report)

    async def UnmergeReport(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        report = self._unchanged(request)
        del report.related[:]
        report.report.version += 1
        return reports_pb2.UnmergeReportResponse(report=offered(report))

    async def GetBoard(self, request: Any, context: Any) -> Any:
        officers = [reports_pb2.OfficerLoad(operator="dispatcher-almaty", open=3, overdue=1)]
        load = reports_pb2.UnitLoad(
            unit="KZ-75-duty", unassigned=17, open=20, overdue=2, officers=officers
        )
        return reports_pb2.GetBoardResponse(units=[load])

    async def RecordArrival(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        report = self._unchanged(request)
        report.arrived_at.CopyFrom(to_timestamp(system_clock()))
        report.ClearField("response_due_at")
        report.report.version += 1
        return reports_pb2.RecordArrivalResponse(report=offered(report))

    async def ExtendDeadline(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        return reports_pb2.ExtendDeadlineResponse(report=self._unchanged(request))

    def _found(self, request: Any) -> reports_pb2.DeskReport:
        if request.report_id not in self._asked.reports:
            raise ReportNotFound
        return self._asked.reports[request.report_id]

    def _unchanged(self, request: Any) -> reports_pb2.DeskReport:
        report = self._found(request)
        if request.version not in (0, report.report.version):
            raise ReportChangedMeanwhile
        return report

    def _act(self, request: Any, action: str) -> reports_pb2.DeskReport:
        self._asked.note(request)
        operator = current_caller().operator
        assert operator is not None
        return advance(self._unchanged(request), action, operator.operator_id)
