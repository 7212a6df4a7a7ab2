"""Stores reports and adds their changes; the module `changes` numbers and reads the changes.

Row-level security limits every statement to the reports that the transaction's scope may see. A
submission reads a draft without a lock, and is stored only if the draft still has the version that
was read. Every change of a draft, such as the beginning of an upload, increases its version.
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
from sqlalchemy import bindparam, delete, select, union_all, update
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
# The constraints that a report's number may violate if it is taken; PostgreSQL names one of them.
NUMBER_KEYS = frozenset({"report_numbers_pkey", "reports_number_key"})
_SUBMIT = Decision("submit")
# Statements that calls of apps execute; they are built once, since each call would cost their time.
WITH_ID = reports.c.report_id.in_([bindparam("report_id"), bindparam("derived_id")])
_WITH_ID = select(reports).where(WITH_ID)
_GET, _GET_FOR_UPDATE = Read(_WITH_ID), Read(_WITH_ID.with_for_update())
_SAVE = update(reports).where(
    reports.c.report_id == bindparam("old_report_id"), reports.c.version == bindparam("old_version")
)


_OF_REPORT = ("report_id", "partner", "audit_entry", "audit_hash", "position")
_report_key, _person_key = data_keys.alias("report_key"), data_keys.alias("person_key")
# What a submission needs to decide: one row for each file, or one row for a report without files.
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
    """A report that was read for its submission. `media` are in the order in which their uploads
    began. `sealed` is a row with the encrypted contents and reporter; see `written`."""

    report: Report
    media: list[Media]
    sealed: Any

    def written(self, db: Database) -> Written:
        """Return the decrypted contents and reporter of the report, with the report's data key."""
        return to_written(self.sealed, db.keyring.unwrapped)


def add_report(tx: Tx, report: Report) -> None:
    """Add a new report. If any partner already has a report with this id, `tx` raises RowExists
    with the key `KEY` when it writes its rows."""
    tx.add(reports, to_row(report))


def ids_of(report_id: UUID, scope: Scope) -> dict[str, UUID]:
    """Return the parameters of the condition WITH_ID, which finds a report by id. A report of a
    calling app is also found if it is stored under a derived id (see `own_ids`)."""
    derived = derived_id(report_id, scope.name) if scope.kind == "partner" else report_id
    return {"report_id": report_id, "derived_id": derived}


async def get(tx: Tx, report_id: UUID) -> Report:
    """Return a report. Raises ReportNotFound, also if the transaction's scope may not see it."""
    return _found(await tx.read(_GET, **ids_of(report_id, tx.scope)))


async def get_for_update(tx: Tx, report_id: UUID) -> Report:
    """Lock the row of a report, and return the report. Raises ReportNotFound, also if the
    transaction's scope may not see it."""
    return _found(await tx.read(_GET_FOR_UPDATE, **ids_of(report_id, tx.scope)))


async def find_for_update(tx: Tx, report_id: UUID) -> Report | None:
    """Lock the row of a report, and return the report; None if the scope has no such report."""
    rows = await tx.read(_GET_FOR_UPDATE, **ids_of(report_id, tx.scope))
    return to_report(rows[0]) if rows else None


async def find_by_key(tx: Tx, key: UUID | str) -> Report | None:
    """Return the report whose stored id (UUID) or number (str) is `key`; None if there is none that
    the transaction's scope may see."""
    column = reports.c.number if isinstance(key, str) else reports.c.report_id
    row = (await tx.execute(select(reports).where(column == key))).one_or_none()
    return to_report(row) if row else None


async def held_by(tx: Tx, operator: str, unit: str = "") -> list[Report]:
    """Lock and return the reports of a unit ("" for all units) that an operator has in work, or
    whose reporter the operator has asked a question."""
    held = (Status.IN_WORK.value, Status.WAITS_FOR_REPORTER.value)
    query = select(reports).where(reports.c.operator == operator, reports.c.status.in_(held))
    if unit:
        query = query.where(reports.c.unit == unit)
    query = query.order_by(reports.c.report_id).with_for_update()
    return [to_report(row) for row in await tx.execute(query)]


async def get_by_number(tx: Tx, number: str) -> Report:
    """Return a report. Raises ReportNotFound, also if the transaction's scope may not see it."""
    query = select(reports).where(reports.c.number == number)
    return _found((await tx.execute(query)).all())


async def save_report(tx: Tx, before: Report, after: Report, decision: Decision) -> EntryOfRecord:
    """Store the changes from `before` to `after` of a registered report. Add the audit entry of the
    decision, with a hash over all columns of `to_row(after)`, and return it.

    The transaction must have locked the report's row. Raises LookupError if the row no longer has
    `before.version`.
    """
    entry = _audited(tx, after, decision)
    await _save(tx, before, after, entry.columns)
    return entry


async def save_draft(tx: Tx, before: Report, after: Report) -> None:
    """Store the changes from `before` to `after` of a draft, without an audit entry. Its row must
    be locked by the transaction. Raises LookupError if the row no longer has `before.version`."""
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
    """Delete a draft and destroy its data keys. Needs the log-in for background work."""
    for key_id in await _delete_draft(tx, report_id):
        await destroy_recorded(tx, key_id)


async def withdraw_draft(tx: Tx, report_id: UUID) -> None:
    """Delete a draft, and schedule the destruction of its data keys as background work."""
    for key_id in await _delete_draft(tx, report_id):
        await schedule_destruction(tx, key_id)


async def _delete_draft(tx: Tx, report_id: UUID) -> list[UUID]:
    """Delete all rows of a draft and its files; return the ids of the data keys that were the
    draft's alone: its own, and that of a reporter who gave no IIN."""
    own = select(contents.c.key_id).where(contents.c.report_id == report_id)
    of_reporter = (
        select(reporters.c.key_id)
        .join(data_keys, data_keys.c.key_id == reporters.c.key_id)
        .where(reporters.c.report_id == report_id, data_keys.c.person.is_(None))
    )
    keys = list((await tx.execute(union_all(own, of_reporter))).scalars())
    files = (media_chunks, clean_chunks, first_frames, media_taken, dropped_media, media)
    for table in (*files, reporters, contents, reports):
        await tx.execute(delete(table).where(table.c.report_id == report_id))
    return keys


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
    """Read a report for its submission by one SELECT, whatever its status. Raises ReportNotFound,
    also for a report that `scope` may not see."""
    rows = await db.read(scope, _SUBMITTED, **ids_of(report_id, scope))
    if not rows:
        raise ReportNotFound
    items = [to_media(row) for row in rows if row.media_id is not None]
    return Submitted(to_report(rows[0]), items, rows[0])


def register(tx: Tx, before: Report, after: Report, *, waits: bool) -> None:
    """Submit a draft: replace the report `before` by `after`, reserve the number of `after`, and
    audit the submission.

    Everything is written when `tx` ends. If the version of the report is not `before.version` any
    more, nothing is stored and `tx.was_current` is False. If another report has the number, `tx`
    raises RowExists with a key in `NUMBER_KEYS`.

    At its end, `tx` waits for transactions that reserve the same number and, with `waits`, for one
    that has locked the report. Without `waits`, a locked report counts as changed.
    """
    entry = _audited(tx, after, _SUBMIT)
    tx.replace(reports, to_row(after) | entry.columns, version=before.version, waits=waits)
    tx.add(report_numbers, {"number": after.number})


def add_registered(tx: Tx, report: Report) -> None:
    """Add a report that is registered without a draft, reserve its number, audit the submission.

    If any partner already has a report with this id, `tx` raises RowExists with the key `KEY` when
    it writes its rows; if another report has the number, with a key in `NUMBER_KEYS`.
    """
    entry = _audited(tx, report, _SUBMIT)
    tx.add(reports, to_row(report) | entry.columns)
    tx.add(report_numbers, {"number": report.number})


def moment_and_id(after: tuple[str, ...]) -> tuple[datetime, UUID]:
    """Return the moment and id that a page token contains. Raises PageTokenWrong for any other."""
    try:
        moment, report_id = after
        return moment_in(moment), UUID(report_id)
    except ValueError as error:
        raise PageTokenWrong from error


def _found(rows: Sequence[Any]) -> Report:
    if not rows:
        raise ReportNotFound
    return to_report(rows[0])
