"""Reads all that a submission decides on with one statement, and stores what it decided with one.

A submission holds no lock meanwhile: it is stored only if the report still has the version that
was read. Whatever changes a draft, such as the beginning of an upload, gives it a new version.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chassis.db import Database
from chassis.tables import data_keys
from chassis.transaction import Scope, Tx
from sqlalchemy import bindparam, select
from statements.reads import Read

from citizen_reports.model.media import Media
from citizen_reports.model.refusals import ReportNotFound
from citizen_reports.model.report import Report
from citizen_reports.storage.contents import Written, to_media, to_written
from citizen_reports.storage.reports import to_report, to_row
from citizen_reports.storage.tables import contents, media, report_numbers, reporters, reports

NUMBER_KEY = "report_numbers_pkey"
_OF_REPORT = ("report_id", "partner")
_report_key, _person_key = data_keys.alias("report_key"), data_keys.alias("person_key")
# A row for each file, or a single row without one.
_SUBMITTED = Read(
    select(
        reports,
        *(column for column in contents.c if column.name not in _OF_REPORT),
        _report_key.c.wrapped,
        reporters.c.sealed.label("reporter"),
        reporters.c.key_id.label("person_key_id"),
        _person_key.c.wrapped.label("person_wrapped"),
        *(column for column in media.c if column.name not in _OF_REPORT),
    )
    .select_from(
        reports.join(contents, contents.c.report_id == reports.c.report_id)
        .outerjoin(_report_key, _report_key.c.key_id == contents.c.key_id)
        .outerjoin(reporters, reporters.c.report_id == reports.c.report_id)
        .outerjoin(_person_key, _person_key.c.key_id == reporters.c.key_id)
        .outerjoin(media, media.c.report_id == reports.c.report_id)
    )
    .where(reports.c.report_id == bindparam("report_id"))
    .order_by(media.c.position)
)


@dataclass(frozen=True)
class Submitted:
    """A report as it was read to be submitted: its media, in the order in which their uploads
    began, and the rows of its contents and reporter, still encrypted."""

    report: Report
    media: list[Media]
    sealed: Any

    def written(self, db: Database) -> Written:
        """Decrypt the contents and the reporter."""
        return to_written(self.sealed, db.keyring.unwrapped)


async def submitted(db: Database, scope: Scope, report_id: UUID) -> Submitted:
    """Read a report that its app submits, in one round trip. Raises ReportNotFound, also for a
    report outside the scope."""
    rows = await db.read(scope, _SUBMITTED, report_id=report_id)
    if not rows:
        raise ReportNotFound
    items = [to_media(row) for row in rows if row.media_id is not None]
    return Submitted(to_report(rows[0]), items, rows[0])


def register(tx: Tx, before: Report, after: Report, *, waits: bool) -> None:
    """Replace `before` by `after` and claim the number of `after`.

    `tx.was_current` says after the commit whether the report was still as in `before`; if not,
    nothing is stored. The end of `tx` raises RowExists (`NUMBER_KEY`) if another report has the
    number. It waits for another open transaction that has claimed the number and, with `waits`,
    for one that has locked the report; without, a locked report counts as changed.
    """
    tx.replace(reports, to_row(after), version=before.version, waits=waits)
    tx.add(report_numbers, {"number": after.number})
