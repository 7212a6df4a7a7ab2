"""Finds and erases the parts of ended reports whose retention term has passed, and stores holds.

The moment at which a report ended is read from its steps, whose rows nobody may change. The hash in
the report's newest audit entry covers its status and outcome.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.tables import data_keys
from chassis.transaction import Tx
from host.key_destruction import destroy_recorded
from sqlalchemy import (
    ColumnElement,
    Date,
    Select,
    and_,
    cast,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from citizen_reports.model.media import MediaState
from citizen_reports.model.report import Report
from citizen_reports.model.retention import (
    ENDED,
    EVIDENCE_NO_MORE,
    Hold,
    HoldReason,
    Part,
    PlannedErasure,
    Rule,
)
from citizen_reports.storage.report_rows import to_report
from citizen_reports.storage.tables import (
    blurred_forms,
    clean_chunks,
    contents,
    first_frames,
    media,
    media_chunks,
    media_taken,
    report_erasures,
    report_holds,
    reporters,
    reports,
    steps,
)
from citizen_reports.storage.text_index import remove_stems

# The hashes of all forms of a file in the evidence store, except for its blurred form.
_HASHES = media.c.evidence_sha256, media.c.shown_sha256, media.c.first_frame_sha256
_ENDED = [status.value for status in ENDED]
_ENDED_AT = (
    select(func.max(steps.c.at))
    .where(steps.c.report_id == reports.c.report_id, steps.c.status.in_(_ENDED))
    .scalar_subquery()
)


@dataclass(frozen=True)
class EndedReport:
    report: Report
    ended_at: datetime


async def due_reports(
    tx: Tx, rule: Rule, now: datetime, *, after: UUID | None, size: int
) -> list[EndedReport]:
    """Return at most `size` reports whose part is due for erasure by `rule` and that are not held.
    They are in order of id and begin after the id `after`, or with the first if it is None."""
    query = _due(rule, rule.ended_before(now)).where(~_is_held(now))
    if after is not None:
        query = query.where(reports.c.report_id > after)
    rows = await tx.execute(query.order_by(reports.c.report_id).limit(size))
    return [EndedReport(to_report(row), row.ended_at) for row in rows]


async def lock_due(tx: Tx, rule: Rule, now: datetime, report_id: UUID) -> EndedReport | None:
    """Lock and return a report if its part is due for erasure by `rule` and the report is not held;
    otherwise return None."""
    query = _due(rule, rule.ended_before(now)).where(
        reports.c.report_id == report_id, ~_is_held(now)
    )
    row = (await tx.execute(query.with_for_update(of=reports))).one_or_none()
    return EndedReport(to_report(row), row.ended_at) if row else None


async def count_due(tx: Tx, rule: Rule, now: datetime) -> int:
    """Return how many reports have a part that is due for erasure by `rule`, and are not held."""
    query = _due(rule, rule.ended_before(now)).where(~_is_held(now)).subquery()
    return int(await tx.scalar(select(func.count()).select_from(query)))


async def planned(tx: Tx, rule: Rule, now: datetime, until: datetime) -> list[PlannedErasure]:
    """Return for each day (UTC), until the moment `until`, how many parts of reports are due for
    erasure by a rule, and how many of these are held at `now`. Overdue parts count for the day on
    which they became due."""
    day = cast(func.timezone("UTC", _ENDED_AT + rule.term), Date).label("day")
    due = _due(rule, rule.ended_before(until))
    ended = due.add_columns(day, _is_held(now).label("held")).subquery()
    counts = func.count().label("reports"), func.count().filter(ended.c.held).label("held")
    query = select(ended.c.day, *counts).group_by(ended.c.day).order_by(ended.c.day)
    return [
        PlannedErasure(rule.report_class, rule.part, row.day, row.reports, row.held)
        for row in await tx.execute(query)
    ]


def note_erased(tx: Tx, report_id: UUID, part: Part, at: datetime, entry_id: UUID) -> None:
    """Record that a part of a report was erased. `entry_id` is the audit entry of the erasure."""
    row = {"report_id": report_id, "part": part.value, "erased_at": at, "audit_entry": entry_id}
    tx.add(report_erasures, row)


async def is_erased(tx: Tx, report_id: UUID, part: Part) -> bool:
    """Return whether a part of a report was erased because its retention term had passed."""
    return bool(await tx.scalar(select(_erased(report_id, part))))


async def erase_text(tx: Tx, report_id: UUID) -> None:
    """Destroy a report's data key, so that nobody can read its text, place, question, answer and
    notes. Also delete the stems by which the report is found."""
    await remove_stems(tx, report_id)
    key_id = await tx.scalar(select(contents.c.key_id).where(contents.c.report_id == report_id))
    if key_id is not None:
        await destroy_recorded(tx, key_id)


async def erase_reporter(tx: Tx, report_id: UUID) -> None:
    """Delete the reporter of a report. If the reporter gave no IIN (personal identification
    number), destroy the reporter's data key; with an IIN, other reports may share the key."""
    gone = delete(reporters).where(reporters.c.report_id == report_id)
    key_id = await tx.scalar(gone.returning(reporters.c.key_id))
    if key_id is None:
        return
    person = await tx.scalar(select(data_keys.c.person).where(data_keys.c.key_id == key_id))
    if person is None:
        await destroy_recorded(tx, key_id)


async def erase_copies(tx: Tx, report_id: UUID) -> None:
    """Delete all bytes of a report's files outside the evidence store, and when and where each file
    was taken."""
    for table in (media_chunks, clean_chunks, first_frames, media_taken):
        await tx.execute(delete(table).where(table.c.report_id == report_id))
    blurred = update(blurred_forms).where(blurred_forms.c.report_id == report_id)
    await tx.execute(blurred.values(sealed=None))


async def has_unstored(tx: Tx, report_id: UUID) -> bool:
    """Return whether a complete file or a blurred form of a report is not sent as evidence yet."""
    waiting = media.c.state == MediaState.COMPLETE.value
    blurred = blurred_forms.c.report_id == report_id, blurred_forms.c.sealed.is_not(None)
    either = or_(exists().where(media.c.report_id == report_id, waiting), exists().where(*blurred))
    return bool(await tx.scalar(select(either)))


async def evidence_of_report_alone(tx: Tx, report_id: UUID, part: Part) -> list[str]:
    """Return the SHA-256 (hex) of the evidence in the part ORIGINAL or CLEAN of a report, without
    evidence that another report whose part CLEAN is not erased has too. CLEAN includes blurred
    forms, first frames, and originals that have no other clean form."""
    own = select(*_HASHES).where(
        media.c.report_id == report_id, media.c.state == MediaState.STORED.value
    )
    rows = (await tx.execute(own)).all()
    forms = {row.shown_sha256 or row.evidence_sha256 for row in rows}
    originals = {row.evidence_sha256 for row in rows} - forms
    forms |= {row.first_frame_sha256 for row in rows if row.first_frame_sha256}
    blurred = select(blurred_forms.c.sha256).where(blurred_forms.c.report_id == report_id)
    forms |= set((await tx.execute(blurred)).scalars())
    wanted = originals if part is Part.ORIGINAL else forms
    return sorted(wanted - await _elsewhere(tx, report_id, wanted))


async def _elsewhere(tx: Tx, report_id: UUID, hashes: Collection[str]) -> set[str]:
    names = or_(*(column.in_(hashes) for column in _HASHES))
    query = select(*_HASHES).where(
        names, media.c.report_id != report_id, ~_erased(media.c.report_id, Part.CLEAN)
    )
    blurred = select(blurred_forms.c.sha256).where(
        blurred_forms.c.sha256.in_(hashes),
        blurred_forms.c.report_id != report_id,
        ~_erased(blurred_forms.c.report_id, Part.CLEAN),
    )
    found = {digest for row in await tx.execute(query) for digest in row}
    return found | set((await tx.execute(blurred)).scalars())


async def add_hold(tx: Tx, hold: Hold, placed_at: datetime) -> None:
    tx.add(
        report_holds,
        {
            "hold_id": hold.hold_id,
            "report_id": hold.report_id,
            "reason": hold.reason.value,
            "placed_at": placed_at,
            "ends_at": hold.ends_at,
        },
    )


async def find_hold(tx: Tx, hold_id: UUID) -> Hold | None:
    """Lock the row of a hold of a report, and return the hold; None if no hold has this id."""
    query = select(report_holds).where(report_holds.c.hold_id == hold_id).with_for_update()
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        return None
    return Hold(row.hold_id, row.report_id, HoldReason(row.reason), row.ends_at, row.lifted_at)


async def lift_hold(tx: Tx, hold_id: UUID, at: datetime) -> None:
    await tx.execute(
        update(report_holds).where(report_holds.c.hold_id == hold_id).values(lifted_at=at)
    )


def _due(rule: Rule, ended_before: datetime) -> Select[Any]:
    """Select the reports of the rule that ended by `ended_before` and whose part is not erased."""
    return select(reports, _ENDED_AT.label("ended_at")).where(
        reports.c.status.in_(_ENDED),
        reports.c.category.in_([category.value for category in rule.categories]),
        reports.c.opened_at <= ended_before,
        ended_before >= _ENDED_AT,
        ~_erased(reports.c.report_id, rule.part),
    )


def _erased(report_id: Any, part: Part) -> ColumnElement[bool]:
    return exists().where(
        report_erasures.c.report_id == report_id, report_erasures.c.part == part.value
    )


def _is_held(now: datetime) -> ColumnElement[bool]:
    """An SQL condition: a report is held, by a hold that lasts, or as evidence of a violation."""
    by_law = exists().where(
        report_holds.c.report_id == reports.c.report_id,
        report_holds.c.lifted_at.is_(None),
        report_holds.c.ends_at > now,
    )
    is_evidence = and_(
        reports.c.offence_code != "", reports.c.outcome.not_in(sorted(EVIDENCE_NO_MORE))
    )
    return or_(by_law, is_evidence)
