"""Finds the reports that are merged with one, or that may be of the same incident."""

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
    """How another report is related to a report."""

    PARENT = "parent"
    MERGED = "merged"
    POSSIBLE = "possible"


@dataclass(frozen=True)
class Related:
    """Another report that is, or may be, of the same incident."""

    report_id: UUID
    number: str
    relation: Relation
    # Of the stems of both texts, how many of a hundred both have; of possible ones alone.
    alike_percent: int = 0


async def lock(tx: Tx, report_ids: Iterable[UUID]) -> dict[UUID, Report]:
    """Lock reports, and return by id those that the transaction's scope may see. Reports are locked
    in the order of their ids, so that transactions that lock several do not deadlock."""
    query = select(reports).where(reports.c.report_id.in_(list(report_ids)))
    rows = await tx.execute(query.order_by(reports.c.report_id).with_for_update())
    return {row.report_id: to_report(row) for row in rows}


async def children_of(tx: Tx, parent_id: UUID) -> list[UUID]:
    """Return the ids of all reports that are merged under a report."""
    query = select(reports.c.report_id).where(reports.c.parent == parent_id)
    return list((await tx.execute(query.order_by(reports.c.report_id))).scalars())


async def related_to(tx: Tx, report: Report) -> tuple[Related, ...]:
    """Return up to RELATED_MAX reports that are merged with a report, or of which one was found to
    be a possible duplicate of the other.

    They have the report's category and region, and the transaction's scope may see them. A
    complaint has none: whoever sees it may be one of those from whom another is hidden.
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
    """How many of a hundred stems the texts of the report and of each other one have in common;
    nothing of texts that are not indexed."""
    stems = await text_index.stems_with(tx, report) if others else []
    if not stems:
        return {}
    counts = await text_index.shared_with(tx, stems, [one.report_id for one in others])
    return {
        report_id: round(100 * likeness(len(stems), other, shared))
        for report_id, (other, shared) in counts.items()
    }


def _relation(report: Report, other: UUID, parent: UUID | None) -> Relation:
    """How the report `other`, whose parent is `parent`, is related to a report."""
    if report.parent == other:
        return Relation.PARENT
    return Relation.MERGED if parent == report.report_id else Relation.POSSIBLE
