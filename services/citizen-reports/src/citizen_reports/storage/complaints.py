"""Stores the subjects of complaints, and their candidates: officers whom a complaint may mean."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from audit_log.decisions import EntryOfRecord
from chassis.clock import parse_id
from chassis.db import Database
from chassis.transaction import SYSTEM, Scope, Tx
from sqlalchemy import Result, Select, exists, select
from sqlalchemy.dialects.postgresql import insert

from citizen_reports.model.categories import CONFIDENTIAL, Category
from citizen_reports.model.personnel import Subject
from citizen_reports.storage.tables import complaint_candidates, complaint_subjects, reports


def add_candidates(tx: Tx, report_id: UUID, officer_ids: Iterable[UUID]) -> None:
    """Add candidates of a complaint, in addition to the candidates it has already."""
    for officer_id in sorted(officer_ids):
        row = {"report_id": report_id, "officer_id": officer_id}
        tx.add(complaint_candidates, row, or_ignored=True)


async def candidates_of(tx: Tx, report_id: UUID) -> list[UUID]:
    """Return the ids of the candidates of a complaint. `tx` must have the scope SYSTEM."""
    query = select(complaint_candidates.c.officer_id)
    found = await tx.execute(query.where(complaint_candidates.c.report_id == report_id))
    return list(found.scalars())


async def find_subject(tx: Tx, report_id: UUID) -> Subject | None:
    """Return the subject of a complaint; None if no subject has been settled yet."""
    query = select(complaint_subjects).where(complaint_subjects.c.report_id == report_id)
    row = (await tx.execute(query)).one_or_none()
    return Subject(row.officer_id, row.unit or "") if row else None


def to_row(report_id: UUID, subject: Subject, settled_at: datetime) -> dict[str, Any]:
    """Return the row of a complaint's subject: the fields that the audit entry's hash covers."""
    unit = subject.unit or None
    ids = {"report_id": report_id, "officer_id": subject.officer_id, "unit": unit}
    return {**ids, "settled_at": settled_at}


async def save_subject(tx: Tx, row: dict[str, Any], entry: EntryOfRecord) -> None:
    """Store the subject of a complaint, replacing an earlier one. `row` is the result of `to_row`,
    `entry` the audit entry of the decision."""
    added = insert(complaint_subjects).values(**row, **entry.columns)
    changed = {name: added.excluded[name] for name in (*row, *entry.columns) if name != "report_id"}
    await tx.execute(added.on_conflict_do_update(index_elements=["report_id"], set_=changed))


async def hidden_from(db: Database, scope: Scope, refs: Collection[str]) -> set[str]:
    """Return the complaints among `refs` ("report:<number or id>") that are hidden from `scope`,
    each under two names: with its number, and with its id."""
    query = _named(refs, {Category.COMPLAINT_ABOUT_OFFICER})
    async with db.begin(SYSTEM) as tx:
        every = _refs_in(await tx.execute(query))
    async with db.begin(scope) as tx:
        return every - _refs_in(await tx.execute(query))


async def confidential_among(db: Database, refs: Collection[str]) -> set[str]:
    """Return the reports among `refs` ("report:<number or id>") whose present category is one of
    CONFIDENTIAL, each under two names: with its number, and with its id."""
    async with db.begin(SYSTEM) as tx:
        return _refs_in(await tx.execute(_named(refs, CONFIDENTIAL)))


def _refs_in(rows: Result[Any]) -> set[str]:
    """The references to the reports in `rows`. Those that are not registered have no number."""
    return {f"report:{key}" for row in rows for key in row if key is not None}


def _named(refs: Collection[str], categories: Collection[Category]) -> Select[Any]:
    """Select number and id of the reports that `refs` name and that have one of `categories`."""
    keys = {ref.removeprefix("report:") for ref in refs}
    ids = [report_id for key in keys if (report_id := parse_id(key))]
    is_named = reports.c.number.in_(keys) | reports.c.report_id.in_(ids)
    of_kind = reports.c.category.in_([category.value for category in categories])
    return select(reports.c.number, reports.c.report_id).where(is_named, of_kind)


async def unsettled(tx: Tx) -> list[UUID]:
    """Return the ids of the registered complaints whose subject, an officer or unit, is unknown."""
    named = exists().where(
        complaint_subjects.c.report_id == reports.c.report_id,
        complaint_subjects.c.officer_id.is_not(None) | complaint_subjects.c.unit.is_not(None),
    )
    is_complaint = reports.c.category == Category.COMPLAINT_ABOUT_OFFICER.value
    query = select(reports.c.report_id).where(is_complaint, reports.c.number.is_not(None), ~named)
    return list((await tx.execute(query)).scalars())
