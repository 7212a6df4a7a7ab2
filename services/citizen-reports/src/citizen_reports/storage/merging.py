"""Finds the related reports of a report: those merged with it, and possible duplicates."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import or_, select

from citizen_reports.model.likeness import likeness
from citizen_reports.model.report import Report
from citizen_reports.storage import text_index
from citizen_reports.storage.report_rows import to_report
from citizen_reports.storage.tables import reports

RELATED_MAX = 50


class Relation(StrEnum):
    """What another report is to a given one: its parent, merged under it, or possibly the same."""

    PARENT = "parent"
    MERGED = "merged"
    POSSIBLE = "possible"


@dataclass(frozen=True)
class Related:
    """A related report: another report that is, or may be, of the same incident as a given one."""

    report_id: UUID
    number: str
    relation: Relation
    # The likeness of both texts (see `likeness`) in percent. 0 if `relation` is not POSSIBLE.
    alike_percent: int = 0


async def lock(tx: Tx, report_ids: Iterable[UUID]) -> dict[UUID, Report]:
    """Lock the rows of reports in the order of their ids, so that concurrent calls do not deadlock.
    Return the reports by id, without those that the transaction's scope may not see."""
    query = select(reports).where(reports.c.report_id.in_(list(report_ids)))
    rows = await tx.execute(query.order_by(reports.c.report_id).with_for_update())
    return {row.report_id: to_report(row) for row in rows}


async def children_of(tx: Tx, parent_id: UUID) -> list[UUID]:
    """Return the ids of the reports that are merged under the report `parent_id`, in order."""
    query = select(reports.c.report_id).where(reports.c.parent == parent_id)
    return list((await tx.execute(query.order_by(reports.c.report_id))).scalars())


async def related_to(tx: Tx, report: Report) -> tuple[Related, ...]:
    """Return up to RELATED_MAX related reports of `report`, in order of number: its parent, reports
    merged under it, and possible duplicates, whichever of the two is the earlier one.

    Omits reports of another category or region, and those that the transaction's scope may not see.
    Returns () for a complaint: who may see one complaint may not always know of another.
    """
    if report.is_complaint:
        return ()
    query = select(reports.c.report_id, reports.c.number, reports.c.parent).where(
        or_(
            reports.c.parent == report.report_id,
            reports.c.report_id.in_([report.parent, report.duplicate_of]),
            reports.c.duplicate_of == report.report_id,
        ),
        reports.c.report_id != report.report_id,
        reports.c.category == report.category.value,
        reports.c.region == report.region,
    )
    rows = await tx.execute(query.order_by(reports.c.number).limit(RELATED_MAX))
    found = [
        Related(row.report_id, row.number, _relation(report, row.report_id, row.parent))
        for row in rows
    ]
    alike = await _alike(tx, report, [one for one in found if one.relation is Relation.POSSIBLE])
    return tuple(replace(one, alike_percent=alike.get(one.report_id, 0)) for one in found)


async def _alike(tx: Tx, report: Report, others: Sequence[Related]) -> dict[UUID, int]:
    """The likeness, in percent, of a report's text and the text of each of `others`, by report id.
    Texts that are not indexed are omitted."""
    stems = await text_index.stems_with(tx, report) if others else []
    if not stems:
        return {}
    counts = await text_index.shared_with(tx, stems, [one.report_id for one in others])
    return {
        report_id: round(100 * likeness(len(stems), other, shared))
        for report_id, (other, shared) in counts.items()
    }


def _relation(report: Report, other: UUID, parent: UUID | None) -> Relation:
    """What the report with the id `other` is to `report`; `parent` is the parent of `other`."""
    if report.parent == other:
        return Relation.PARENT
    return Relation.MERGED if parent == report.report_id else Relation.POSSIBLE
