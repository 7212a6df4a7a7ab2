"""Stores reports and adds their changes; the module `changes` numbers and reads the changes.

Row-level security limits every statement to the reports in the transaction's scope. A submission
holds no lock while it decides: it is stored only if the report still has the version that was read.
Whatever changes a draft, such as the beginning of an upload, gives it a new version.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from audit_log.decisions import Decision, EntryOfRecord, audit_decision
from chassis.db import Database
from chassis.pages import moment_in
from chassis.refusals import PageTokenWrong
from chassis.tables import data_keys
from chassis.transaction import Scope, Tx
from host.key_destruction import destroy_recorded, schedule_destruction
from sqlalchemy import bindparam, delete, select, update
from statements.reads import Read

from citizen_reports.model.decided import REPORT
from citizen_reports.model.media import Media
from citizen_reports.model.own_ids import derived_id
from citizen_reports.model.refusals import ReportNotFound
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Status
from citizen_reports.storage.contents import Written, to_media, to_written
from citizen_reports.storage.report_rows import to_report, to_row
from citizen_reports.storage.tables import (
    changes,
    clean_chunks,
    contents,
    dropped_media,
    first_frames,
    media,
    media_chunks,
    media_taken,
    report_numbers,
    reporters,
    reports,
)

KEY = "reports_pkey"
# Where a number is taken already; which of the two PostgreSQL names depends on its plan.
NUMBER_KEYS = frozenset({"report_numbers_pkey", "reports_number_key"})
_SUBMIT = Decision("submit")
# Made once: the calls of apps execute these.
WITH_ID = reports.c.report_id.in_([bindparam("report_id"), bindparam("derived_id")])
_WITH_ID = select(reports).where(WITH_ID)
_GET, _GET_FOR_UPDATE = Read(_WITH_ID), Read(_WITH_ID.with_for_update())
_SAVE = update(reports).where(
    reports.c.report_id == bindparam("old_report_id"), reports.c.version == bindparam("old_version")
)


_OF_REPORT = ("report_id", "partner", "audit_entry", "audit_hash", "position")
_report_key, _person_key = data_keys.alias("report_key"), data_keys.alias("person_key")
# All that a submission decides on: a row for each file, or a single row without one.
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
    .where(WITH_ID)
    .order_by(media.c.position)
)


@dataclass(frozen=True)
class Submitted:
    """A report read for its submission, with its media in the order in which their uploads began.
    `sealed` has the encrypted rows of its contents and its reporter."""

    report: Report
    media: list[Media]
    sealed: Any

    def written(self, db: Database) -> Written:
        """Return the decrypted contents and reporter, with the report's data key."""
        return to_written(self.sealed, db.keyring.unwrapped)


def add_report(tx: Tx, report: Report) -> None:
    """Add a new report. If any partner already has a report with this id, `tx` raises RowExists
    with the key `KEY` when it writes its rows."""
    tx.add(reports, to_row(report))


def ids_of(report_id: UUID, scope: Scope) -> dict[str, UUID]:
    """Return the parameters of the condition `WITH_ID`: an app's own report may be stored under a
    derived id (see `own_ids`)."""
    derived = derived_id(report_id, scope.name) if scope.kind == "partner" else report_id
    return {"report_id": report_id, "derived_id": derived}


async def get(tx: Tx, report_id: UUID) -> Report:
    """Return the report. Raises ReportNotFound, also for a report outside the scope."""
    return _found(await tx.read(_GET, **ids_of(report_id, tx.scope)))


async def get_for_update(tx: Tx, report_id: UUID) -> Report:
    """Return the report and lock its row. Raises ReportNotFound, also for a report outside the
    scope."""
    return _found(await tx.read(_GET_FOR_UPDATE, **ids_of(report_id, tx.scope)))


async def find_for_update(tx: Tx, report_id: UUID) -> Report | None:
    """Return the report and lock its row, or return None if there is no such report any more."""
    rows = await tx.read(_GET_FOR_UPDATE, **ids_of(report_id, tx.scope))
    return to_report(rows[0]) if rows else None


async def find_by_key(tx: Tx, key: UUID | str) -> Report | None:
    """Return the report with this id or number; None if the transaction's scope has none."""
    column = reports.c.number if isinstance(key, str) else reports.c.report_id
    row = (await tx.execute(select(reports).where(column == key))).one_or_none()
    return to_report(row) if row else None


async def held_by(tx: Tx, operator: str, unit: str = "") -> list[Report]:
    """Return the reports of a unit, or of all units, on which an operator works or waits for the
    reporter, and lock their rows."""
    held = (Status.IN_WORK.value, Status.WAITS_FOR_REPORTER.value)
    query = select(reports).where(reports.c.operator == operator, reports.c.status.in_(held))
    if unit:
        query = query.where(reports.c.unit == unit)
    query = query.order_by(reports.c.report_id).with_for_update()
    return [to_report(row) for row in await tx.execute(query)]


async def get_by_number(tx: Tx, number: str) -> Report:
    """Return the report. Raises ReportNotFound, also for a report outside the scope."""
    query = select(reports).where(reports.c.number == number)
    return _found((await tx.execute(query)).all())


async def save_report(tx: Tx, before: Report, after: Report, decision: Decision) -> EntryOfRecord:
    """Store the columns in which `after` differs from `before`, for a registered report, and audit
    the decision with a hash over all columns of the report. Return the audit entry.

    The transaction must have locked the report's row. Raises LookupError if the row no longer has
    `before.version`.
    """
    entry = _audited(tx, after, decision)
    await _save(tx, before, after, entry.columns)
    return entry


async def save_draft(tx: Tx, before: Report, after: Report) -> None:
    """Store the columns in which `after` differs from `before`. The transaction must have
    locked the report's row. Raises LookupError if the row no longer has `before.version`."""
    await _save(tx, before, after, {})


async def _save(tx: Tx, before: Report, after: Report, audited: dict[str, Any]) -> None:
    old = to_row(before)
    changed = {name: value for name, value in to_row(after).items() if value != old[name]}
    changed |= audited
    is_locked = {"old_report_id": before.report_id, "old_version": before.version}
    saved = await tx.execute(_SAVE, {**is_locked, **changed})
    if saved.rowcount != 1:
        raise LookupError(f"report {before.report_id} was not locked before it was changed")


def _audited(tx: Tx, report: Report, decision: Decision) -> EntryOfRecord:
    return audit_decision(
        tx,
        report.object_ref,
        decision,
        {REPORT: to_row(report)},
        region=report.region,
        confidential=report.is_confidential,
    )


async def drop_draft(tx: Tx, report_id: UUID) -> None:
    """Delete a report that was never submitted and destroy its data key."""
    await destroy_recorded(tx, await _delete_draft(tx, report_id))


async def withdraw_draft(tx: Tx, report_id: UUID) -> None:
    """Delete a report that was never submitted, and schedule the destruction of its data key."""
    await schedule_destruction(tx, await _delete_draft(tx, report_id))


async def _delete_draft(tx: Tx, report_id: UUID) -> UUID:
    """Delete all rows of a draft; return the id of its data key."""
    query = select(contents.c.key_id).where(contents.c.report_id == report_id)
    key_id: UUID = await tx.scalar(query)
    files = (media_chunks, clean_chunks, first_frames, media_taken, dropped_media, media)
    for table in (*files, reporters, contents, reports):
        await tx.execute(delete(table).where(table.c.report_id == report_id))
    return key_id


def add_change(tx: Tx, report: Report, at: datetime) -> None:
    row = {
        "partner": report.partner,
        "report_id": report.report_id,
        "number": report.number,
        "status": report.status.value,
        "outcome": report.outcome,
        "changed_at": at,
    }
    tx.add(changes, row)


async def submitted(db: Database, scope: Scope, report_id: UUID) -> Submitted:
    """Read a report for its submission, in one round trip. Raises ReportNotFound, also for a report
    outside the scope."""
    rows = await db.read(scope, _SUBMITTED, **ids_of(report_id, scope))
    if not rows:
        raise ReportNotFound
    items = [to_media(row) for row in rows if row.media_id is not None]
    return Submitted(to_report(rows[0]), items, rows[0])


def register(tx: Tx, before: Report, after: Report, *, waits: bool) -> None:
    """Replace the report `before` by `after`, reserve the number of `after`, and audit the
    submission.

    Everything is written when `tx` ends. If the report has changed since `before`, nothing is
    stored and `tx.was_current` is False. If another report has the number, `tx` raises RowExists
    with a key in `NUMBER_KEYS`.

    At its end, `tx` waits for other transactions that reserve the same number. With `waits`, it
    also waits for a transaction that has locked the report; otherwise a locked report counts as
    changed.
    """
    entry = _audited(tx, after, _SUBMIT)
    tx.replace(reports, to_row(after) | entry.columns, version=before.version, waits=waits)
    tx.add(report_numbers, {"number": after.number})


def add_registered(tx: Tx, report: Report) -> None:
    """Add a new report that is registered, reserve its number, and audit the submission.

    If any partner already has a report with this id, `tx` raises RowExists with the key `KEY` when
    it writes its rows; if another report has the number, with a key in `NUMBER_KEYS`.
    """
    entry = _audited(tx, report, _SUBMIT)
    tx.add(reports, to_row(report) | entry.columns)
    tx.add(report_numbers, {"number": report.number})


def moment_and_id(after: tuple[str, ...]) -> tuple[datetime, UUID]:
    """Return the position at which a page ended. Raises PageTokenWrong for an altered token."""
    try:
        moment, report_id = after
        return moment_in(moment), UUID(report_id)
    except ValueError as error:
        raise PageTokenWrong from error


def _found(rows: Sequence[Any]) -> Report:
    if not rows:
        raise ReportNotFound
    return to_report(rows[0])
