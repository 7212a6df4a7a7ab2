"""Between the contract's messages and this service's objects."""

import re
from datetime import UTC, datetime
from uuid import UUID

from chassis.clock import parse_id, to_timestamp
from google.protobuf.timestamp_pb2 import Timestamp
from law.assumed import assumed_years
from tartip.common.v1 import common_pb2
from tartip.reports.v1 import reports_pb2

from citizen_reports.events import CATEGORIES, STATUSES
from citizen_reports.model.draft import Draft, Place, Reporter
from citizen_reports.model.refusals import MediaNotFound, ReportNotFound
from citizen_reports.model.report import Category, Receipt, Report, Status
from citizen_reports.storage.changes import Change
from citizen_reports.usecases.desk import DeskView
from citizen_reports.usecases.intake import AppView

CATEGORY_OF = {value: category for category, value in CATEGORIES.items()}
STATUS_OF = {value: status for status, value in STATUSES.items()}
_NUMBER = re.compile(r"KZ[0-9]{2}-[0-9]{4}-[0-9]{7,9}")


def report_id_of(text: str) -> UUID:
    """An id that could not have been given belongs to no report. Raises ReportNotFound."""
    parsed = parse_id(text)
    if parsed is None:
        raise ReportNotFound
    return parsed


def media_id_of(text: str) -> UUID:
    """An id that could not have been given belongs to nothing. Raises MediaNotFound."""
    parsed = parse_id(text)
    if parsed is None:
        raise MediaNotFound
    return parsed


def number_of(text: str) -> str:
    """A number that could not have been given belongs to no report. Raises ReportNotFound."""
    if _NUMBER.fullmatch(text) is None:
        raise ReportNotFound
    return text


def draft_from_proto(request: reports_pb2.OpenReportRequest) -> Draft:
    place = None
    if request.HasField("place"):
        given = request.place
        place = Place(given.latitude, given.longitude, given.region, given.address, given.kato)
    reporter = request.reporter
    return Draft(
        category=CATEGORY_OF.get(request.category),
        place=place,
        occurred_at=moment(request.occurred_at) if request.HasField("occurred_at") else None,
        text=request.text,
        reporter=Reporter(reporter.iin, reporter.name, reporter.phone),
        language=request.language,
        officer=request.officer,
    )


def moment(stamp: Timestamp) -> datetime | None:
    """None for a timestamp out of any calendar's range."""
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def category_or_none(value: int) -> Category | None:
    return CATEGORY_OF.get(reports_pb2.Category.ValueType(value))


def status_or_none(value: int) -> Status | None:
    return STATUS_OF.get(reports_pb2.ReportStatus.ValueType(value))


def receipt_to_proto(receipt: Receipt) -> reports_pb2.Receipt:
    return reports_pb2.Receipt(
        number=receipt.number,
        registered_at=to_timestamp(receipt.registered_at),
        due_at=to_timestamp(receipt.deadline.due_at),
        deadline_rule=receipt.deadline.rule,
        unit=receipt.unit,
        content_sha256=receipt.content_sha256.hex(),
        assumed_years=assumed_years(receipt.deadline.rule),
    )


def app_report_to_proto(view: AppView) -> reports_pb2.Report:
    return _report(view.report, view.question, view.answer, view.media_count)


def change_to_proto(change: Change) -> reports_pb2.WatchReportsResponse:
    return reports_pb2.WatchReportsResponse(
        resume_token=str(change.sequence),
        report_id=str(change.report_id),
        number=change.number,
        status=STATUSES[change.status],
        changed_at=to_timestamp(change.changed_at),
        outcome=change.outcome,
    )


def desk_report_to_proto(view: DeskView) -> reports_pb2.DeskReport:
    report, written, place = view.report, view.contents, view.contents.place
    return reports_pb2.DeskReport(
        report=_report(report, written.question, written.answer, len(view.media)),
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
        media=[
            reports_pb2.Media(
                media_id=str(item.media_id),
                content_type=item.announced.content_type,
                size_bytes=item.announced.total_bytes,
                evidence_sha256=item.evidence_sha256,
                shown_sha256=item.shown_sha256,
            )
            for item in view.media
        ],
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
    )


def _with_officer(text: str, officer: str) -> str:
    """The contract has no field for the officer at the desk: internal security reads it on top."""
    return f"{officer}\n\n{text}" if officer else text


def _report(report: Report, question: str, answer: str, media_count: int) -> reports_pb2.Report:
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
    )
