"""Constructors of the published events, which contain ids, region and status, but no text, person
or place.

Events of complaints about officers have the same messages, but their own subjects and stream.
"""

from datetime import datetime

from audit_log.attempts import Attempt
from chassis.clock import to_timestamp
from chassis.event import Event
from google.protobuf.message import Message
from tartip.reports.v1 import events_pb2, reports_pb2

from citizen_reports.model.categories import Category
from citizen_reports.model.deadlines import DeadlineKind
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Status

CATEGORIES = {
    category: reports_pb2.Category.Value(f"CATEGORY_{category.name}") for category in Category
}
STATUSES = {
    status: reports_pb2.ReportStatus.Value(f"REPORT_STATUS_{status.name}") for status in Status
}


def report_received(report: Report) -> Event:
    assert report.receipt is not None
    return _event(
        report,
        "received",
        events_pb2.ReportReceived(
            report_id=str(report.report_id),
            number=report.number,
            region=report.region,
            category=CATEGORIES[report.category],
            received_at=to_timestamp(report.receipt.registered_at),
        ),
    )


def report_routed(report: Report, at: datetime) -> Event:
    return _event(
        report,
        "routed",
        events_pb2.ReportRouted(
            report_id=str(report.report_id),
            region=report.region,
            unit=report.unit,
            routed_at=to_timestamp(at),
        ),
    )


def status_changed(report: Report, at: datetime) -> Event:
    return _event(
        report,
        "status_changed",
        events_pb2.ReportStatusChanged(
            report_id=str(report.report_id),
            region=report.region,
            status=STATUSES[report.status],
            changed_at=to_timestamp(at),
        ),
    )


def report_overdue(report: Report, kind: DeadlineKind, due_at: datetime, step: int) -> Event:
    """Return the event that a report was given to a position, by a step of escalation after the
    clock of this kind ended at `due_at`."""
    return _event(
        report,
        "overdue",
        events_pb2.ReportOverdue(
            report_id=str(report.report_id),
            region=report.region,
            due_at=to_timestamp(due_at),
            step=step,
            position=report.position,
            clock=kind.value,
        ),
    )


def report_due_soon(report: Report, kind: DeadlineKind, due_at: datetime) -> Event:
    """Return the event that a clock of this kind ends soon, at `due_at`."""
    return _event(
        report,
        "due_soon",
        events_pb2.ReportDueSoon(
            report_id=str(report.report_id),
            region=report.region,
            due_at=to_timestamp(due_at),
            clock=kind.value,
        ),
    )


def traffic_evidence_accepted(report: Report, evidence_sha256: list[str]) -> Event:
    return _event(
        report,
        "traffic_evidence_accepted",
        events_pb2.TrafficEvidenceAccepted(
            report_id=str(report.report_id),
            region=report.region,
            offence_code=report.offence_code,
            occurred_at=to_timestamp(report.occurred_at),
            evidence_sha256=evidence_sha256,
        ),
    )


def access_refused(attempt: Attempt) -> Event:
    """Return the event of a refused access, which names neither report, category nor caller."""
    return Event(
        "reports.v1.access_refused",
        f"attempt:{attempt.attempt_id}",
        1,
        attempt.region,
        events_pb2.AccessRefused(
            attempt_id=str(attempt.attempt_id),
            region=attempt.region,
            attempted_at=to_timestamp(attempt.attempted_at),
        ),
    )


def _event(report: Report, fact: str, message: Message) -> Event:
    area = "complaints" if report.is_complaint else "reports"
    return Event(
        subject=f"{area}.v1.{fact}",
        aggregate=f"report:{report.report_id}",
        version=report.version,
        region=report.region,
        message=message,
        story=report.story,
    )
