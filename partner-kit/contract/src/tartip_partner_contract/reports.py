"""The rules of citizens' reports as the adapter meets them: ids, uploads, receipts, changes.

Everything is in memory. The rules are those of `tartip/reports/v1/reports.proto`, as far as the
scenarios need them.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from tartip.reports.v1 import reports_pb2 as pb

from tartip_partner_contract.refusals import Refusal, invalid, too_soon

PIECE_BYTES_MAX = 512 * 1024
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_LANGUAGES = ("kk", "ru", "en")
_DUE_SECONDS = 15 * 24 * 3600


_EMERGENCIES = (
    pb.CATEGORY_ROAD_ACCIDENT,
    pb.CATEGORY_DOMESTIC_VIOLENCE,
    pb.CATEGORY_INCIDENT_WITH_CHILD,
)


@dataclass
class ReceivedMedia:
    """What has arrived of a file."""

    announced: tuple[int, str, str]
    content: bytes = b""

    @property
    def is_complete(self) -> bool:
        return len(self.content) == self.announced[0]


@dataclass
class ReceivedReport:
    """A report as it was opened, and what became of it."""

    opened: pb.OpenReportRequest
    report: pb.Report
    media: dict[str, ReceivedMedia] = field(default_factory=dict)
    replies: list[str] = field(default_factory=list)

    @property
    def is_emergency(self) -> bool:
        return self.opened.category in _EMERGENCIES


class ReportBook:
    """All reports of the adapter, and the changes that it may follow."""

    def __init__(self) -> None:
        self.reports: dict[str, ReceivedReport] = {}
        self.changes: list[pb.WatchReportsResponse] = []

    @property
    def submitted(self) -> list[ReceivedReport]:
        return [held for held in self.reports.values() if held.report.HasField("receipt")]

    def open(self, request: pb.OpenReportRequest) -> pb.OpenReportResponse:
        if wrong := _wrong_fields(request):
            raise invalid(next(iter(wrong.values())), wrong)
        held = self.reports.get(request.report_id)
        if held and held.opened != request:
            raise Refusal(grpc.StatusCode.ALREADY_EXISTS, "ID_REUSED")
        if held is None:
            held = self.reports[request.report_id] = _opened(request)
        return pb.OpenReportResponse(report=held.report)

    def hand_in(self, request: pb.HandInReportRequest) -> pb.HandInReportResponse:
        report = request.report
        if wrong := _wrong_fields(report) | _nothing_said(report):
            named = {f"report.{name}": reason for name, reason in wrong.items()}
            raise invalid(next(iter(wrong.values())), named)
        self.open(report)
        self.submit(pb.SubmitReportRequest(report_id=report.report_id))
        return pb.HandInReportResponse(report=self.by_id(report.report_id).report)

    def put(self, request: pb.PutMediaRequest) -> pb.PutMediaResponse:
        held = self.by_id(request.report_id)
        if wrong := _wrong_piece(request):
            raise invalid(next(iter(wrong.values())), wrong)
        announced = (request.total_bytes, request.sha256, request.content_type)
        media = held.media.setdefault(request.media_id, ReceivedMedia(announced))
        received = len(media.content)
        if media.announced != announced:
            raise invalid("MEDIA_DIFFERS", {})
        if request.offset > received:
            raise too_soon("MEDIA_GAP", received_bytes=str(received))
        new = request.content[received - request.offset :]
        # In an emergency the rest of a file that was begun follows.
        follows = bool(received) and held.is_emergency
        if new and held.report.HasField("receipt") and not follows:
            raise too_soon("REPORT_ALREADY_SUBMITTED")
        media.content += new
        if media.is_complete and hashlib.sha256(media.content).hexdigest() != request.sha256:
            media.content = b""
            raise invalid("MEDIA_DIFFERS", {})
        held.report.media_count = len(held.media)
        return pb.PutMediaResponse(received_bytes=len(media.content), complete=media.is_complete)

    def submit(self, request: pb.SubmitReportRequest) -> pb.SubmitReportResponse:
        held = self.by_id(request.report_id)
        is_whole = all(media.is_complete for media in held.media.values())
        if not is_whole and not held.is_emergency:
            raise too_soon("MEDIA_INCOMPLETE")
        if not held.report.HasField("receipt"):
            held.report.receipt.CopyFrom(_receipt(held.opened))
            self.change(request.report_id, pb.REPORT_STATUS_REGISTERED)
            self.change(request.report_id, pb.REPORT_STATUS_ROUTED)
        return pb.SubmitReportResponse(receipt=held.report.receipt)

    def get(self, request: pb.GetReportRequest) -> pb.GetReportResponse:
        if request.WhichOneof("key") == "report_id":
            return pb.GetReportResponse(report=self.by_id(request.report_id).report)
        for held in self.submitted:
            if held.report.receipt.number == request.number:
                return pb.GetReportResponse(report=held.report)
        raise Refusal(grpc.StatusCode.NOT_FOUND, "REPORT_NOT_FOUND")

    def list(self, request: pb.ListReportsRequest) -> pb.ListReportsResponse:
        reports = [held.report for held in self.reports.values()]
        first, size = int(request.page.token or 0), request.page.size or 100
        rest = str(first + size) if first + size < len(reports) else ""
        return pb.ListReportsResponse(reports=reports[first : first + size], next_page_token=rest)

    def reply(self, request: pb.ReplyToQuestionRequest) -> pb.ReplyToQuestionResponse:
        held = self.by_id(request.report_id)
        if held.report.question:
            held.replies.append(request.text)
            held.report.question = ""
            self.change(request.report_id, pb.REPORT_STATUS_IN_WORK)
        elif request.text not in held.replies:
            raise too_soon("NOTHING_ASKED")
        return pb.ReplyToQuestionResponse(report=held.report)

    def dispute(self, request: pb.DisputeAnswerRequest) -> pb.DisputeAnswerResponse:
        held = self.by_id(request.report_id)
        if held.report.status != pb.REPORT_STATUS_ANSWERED:
            raise too_soon("REPORT_NOT_ANSWERED")
        self.change(request.report_id, pb.REPORT_STATUS_DISPUTED)
        return pb.DisputeAnswerResponse(report=held.report)

    def by_id(self, report_id: str) -> ReceivedReport:
        if report_id not in self.reports:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "REPORT_NOT_FOUND")
        return self.reports[report_id]

    def ask(self, report_id: str, question: str) -> None:
        """As the desk does: the report waits for its reporter."""
        self.by_id(report_id).report.question = question
        self.change(report_id, pb.REPORT_STATUS_WAITS_FOR_REPORTER)

    def change(
        self, report_id: str, status: pb.ReportStatus.ValueType, *, unknown: bytes = b""
    ) -> str:
        """Set a status, which need not be one that the contract knows, and return the change's
        token. `unknown` are encoded fields of a later contract."""
        held = self.by_id(report_id)
        held.report.status = status
        held.report.version += 1
        held.report.MergeFromString(unknown)
        change = pb.WatchReportsResponse(
            resume_token=str(len(self.changes) + 1),
            report_id=report_id,
            number=held.report.receipt.number,
            status=status,
            changed_at=_now(),
        )
        change.MergeFromString(unknown)
        self.changes.append(change)
        return change.resume_token


def _wrong_fields(request: pb.OpenReportRequest) -> dict[str, str]:
    checks = {
        "report_id": (bool(_UUID7.fullmatch(request.report_id)), "REPORT_ID_WRONG"),
        "category": (request.category in pb.Category.values()[1:], "CATEGORY_UNKNOWN"),
        "place": (request.HasField("place"), "PLACE_REQUIRED"),
        "occurred_at": (request.HasField("occurred_at"), "OCCURRED_AT_REQUIRED"),
        "language": (request.language in _LANGUAGES, "LANGUAGE_UNKNOWN"),
    }
    return {name: reason for name, (is_right, reason) in checks.items() if not is_right}


def _nothing_said(request: pb.OpenReportRequest) -> dict[str, str]:
    """A report in one call has a text, or is a silent alarm or a complaint."""
    is_complaint = request.category == pb.CATEGORY_COMPLAINT_ABOUT_OFFICER
    says = request.text.strip() or request.silent_alarm or is_complaint
    return {} if says else {"text": "TEXT_REQUIRED"}


def _wrong_piece(request: pb.PutMediaRequest) -> dict[str, str]:
    checks = {
        "media_id": (bool(_UUID7.fullmatch(request.media_id)), "MEDIA_ID_WRONG"),
        "offset": (request.offset >= 0, "OFFSET_WRONG"),
        "content": (0 < len(request.content) <= PIECE_BYTES_MAX, "CONTENT_REQUIRED"),
        "total_bytes": (request.total_bytes > 0, "TOTAL_WRONG"),
        "sha256": (len(request.sha256) == 64, "SHA256_WRONG"),
    }
    return {name: reason for name, (is_right, reason) in checks.items() if not is_right}


def _opened(request: pb.OpenReportRequest) -> ReceivedReport:
    report = pb.Report(
        report_id=request.report_id,
        category=request.category,
        status=pb.REPORT_STATUS_OPEN,
        opened_at=_now(),
        region=request.place.region,
        version=1,
    )
    opened = pb.OpenReportRequest()
    opened.CopyFrom(request)
    return ReceivedReport(opened, report)


def _receipt(opened: pb.OpenReportRequest) -> pb.Receipt:
    now = _now()
    return pb.Receipt(
        number=f"KZ75-2026-{secrets.randbelow(10**7):07d}",
        registered_at=now,
        due_at=Timestamp(seconds=now.seconds + _DUE_SECONDS),
        deadline_rule="contract kit",
        content_sha256=hashlib.sha256(opened.SerializeToString(deterministic=True)).hexdigest(),
    )


def _now() -> Timestamp:
    stamp = Timestamp()
    stamp.GetCurrentTime()
    return stamp
