"""Converts reports to rows of the table `reports`, and back."""

from datetime import timedelta
from typing import Any

from law.report_deadlines import Deadline

from citizen_reports.model.categories import Category
from citizen_reports.model.receipt import Receipt
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Status, Urgency
from citizen_reports.model.waiting import Waiting


def to_row(report: Report) -> dict[str, Any]:
    """Return a report's row of `reports`, without computed columns and those of its audit entry."""
    receipt, deadline = report.receipt, report.deadline
    return {
        "report_id": report.report_id,
        "partner": report.partner,
        "category": report.category.value,
        "region": report.region,
        "status": report.status.value,
        "language": report.language,
        "occurred_at": report.occurred_at,
        "opened_at": report.opened_at,
        "story": report.story,
        "version": report.version,
        "cell": report.cell,
        "place_abroad": report.place_abroad,
        "number": receipt.number if receipt else None,
        "registered_at": receipt.registered_at if receipt else None,
        "receipt_due_at": receipt.deadline.due_at if receipt else None,
        "receipt_rule": receipt.deadline.rule if receipt else None,
        "receipt_unit": receipt.unit if receipt else None,
        "content_sha256": receipt.content_sha256 if receipt else None,
        "due_at": deadline.due_at if deadline else None,
        "deadline_rule": deadline.rule if deadline else None,
        "deadline_number": report.deadline_number,
        "waits_since": report.waiting.since,
        "escalation_step": report.escalation_step,
        "unit": report.unit,
        "operator": report.operator,
        "answered_at": report.answered_at,
        "disputed_at": report.disputed_at,
        "outcome": report.outcome,
        "offence_code": report.offence_code,
        "duplicate_of": report.duplicate_of,
        **_execution_to_row(report),
    }


def _execution_to_row(report: Report) -> dict[str, Any]:
    """The later columns, about clocks and handling. Absent values are None (not 0, "" or False), so
    that reports decided before these columns existed keep their hash."""
    response, waiting = report.response, report.waiting
    return {
        "response_due_at": response.due_at if response else None,
        "response_rule": response.rule if response else None,
        "response_ended_at": report.response_ended_at,
        "arrived_at": report.arrived_at,
        "response_step": report.response_step,
        "position": report.position or None,
        "taken_at": report.taken_at,
        "answered_by": report.answered_by or None,
        "closing_outcome": report.closing_outcome or None,
        "extended_at": report.extended_at,
        "questions": waiting.questions or None,
        "reminders": waiting.reminders or None,
        "waits_until": waiting.until,
        "waited_seconds": int(waiting.waited.total_seconds()) or None,
        "warned_number": report.warned_number or None,
        "silent_alarm": report.silent_alarm or None,
        "reported_category": report.reported_category and report.reported_category.value,
        "urgency": report.urgency and report.urgency.value,
        "waiting_answer": report.waiting_answer,
        "parent": report.parent,
        "is_parent": report.is_parent or None,
    }


def to_report(row: Any) -> Report:
    receipt = None
    if row.number is not None:
        receipt = Receipt(
            row.number,
            row.registered_at,
            Deadline(row.receipt_due_at, row.receipt_rule),
            row.receipt_unit,
            bytes(row.content_sha256),
            Deadline(row.response_due_at, row.response_rule) if row.response_rule else None,
        )
    return Report(
        report_id=row.report_id,
        partner=row.partner,
        category=Category(row.category),
        region=row.region,
        status=Status(row.status),
        language=row.language,
        occurred_at=row.occurred_at,
        opened_at=row.opened_at,
        story=row.story,
        version=row.version,
        cell=row.cell,
        place_abroad=row.place_abroad,
        receipt=receipt,
        deadline=Deadline(row.due_at, row.deadline_rule) if row.deadline_rule else None,
        deadline_number=row.deadline_number,
        waiting=Waiting(
            row.waits_since,
            row.waits_until,
            row.questions or 0,
            row.reminders or 0,
            timedelta(seconds=row.waited_seconds or 0),
        ),
        escalation_step=row.escalation_step,
        warned_number=row.warned_number or 0,
        response_ended_at=row.response_ended_at,
        response_step=row.response_step,
        arrived_at=row.arrived_at,
        position=row.position or "",
        unit=row.unit,
        operator=row.operator,
        taken_at=row.taken_at,
        answered_at=row.answered_at,
        answered_by=row.answered_by or "",
        closing_outcome=row.closing_outcome or "",
        disputed_at=row.disputed_at,
        extended_at=row.extended_at,
        outcome=row.outcome,
        offence_code=row.offence_code,
        duplicate_of=row.duplicate_of,
        silent_alarm=bool(row.silent_alarm),
        reported_category=Category(row.reported_category) if row.reported_category else None,
        urgency=Urgency(row.urgency) if row.urgency else None,
        waiting_answer=row.waiting_answer,
        parent=row.parent,
        is_parent=bool(row.is_parent),
    )
