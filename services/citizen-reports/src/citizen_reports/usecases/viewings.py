"""The use case by which a reporter learns, through the app, to whom the report was shown."""

from uuid import UUID

from chassis.audit_entry import AuditEntry
from chassis.db import Database
from chassis.identity import Caller

from citizen_reports.model.report import Report
from citizen_reports.model.viewings import (
    Capacity,
    Seen,
    Viewing,
    purpose_told,
    seen_in,
    unit_told,
)
from citizen_reports.storage import reports
from citizen_reports.storage.viewings import OPEN_EVIDENCE, viewings_of
from citizen_reports.usecases.openings import Openings
from citizen_reports.usecases.recording import bind_trace


class Viewings:
    """Lists the viewings of a report for its reporter."""

    def __init__(self, db: Database, openings: Openings) -> None:
        self._db = db
        self._openings = openings

    async def of_report(
        self, report_id: UUID, *, after: int, size: int, caller: Caller
    ) -> tuple[list[Viewing], list[int]]:
        """Return at most `size` viewings of a report of the calling partner, in order of time, and
        their positions in the audit log. Viewings up to the position `after` are left out.

        Raises ReportNotFound, also for a report of another partner.
        """
        async with self._openings.begin(report_id, caller) as tx:
            report = await reports.get(tx, report_id)
            bind_trace(report)
            entries, positions = await viewings_of(tx, report.name, after=after, size=size)
        return [_viewing_in(entry, report) for entry in entries], positions


def _viewing_in(entry: AuditEntry, report: Report) -> Viewing:
    """The viewing that an audit entry records. If the entry is older than the facts "capacity" and
    "seen", an officer (or service) is assumed, who saw the text, or a file if one was opened."""
    by_operator = entry.actor.startswith("operator/")
    of_before = Capacity.OFFICER if by_operator else Capacity.SERVICE
    shown_before = Seen.MEDIA if entry.action == OPEN_EVIDENCE else Seen.TEXT
    capacity = Capacity(entry.facts.get("capacity", of_before))
    return Viewing(
        viewed_at=entry.at,
        capacity=capacity,
        unit=unit_told(report, entry.facts.get("unit", "")),
        purpose=purpose_told(capacity, entry.purpose),
        seen=seen_in(entry.facts.get("seen", shown_before).split()),
    )
