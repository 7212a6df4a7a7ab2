"""Reads the reports that a partner handed in on one day."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from chassis.pages import PageSpec
from chassis.refusals import PageTokenWrong
from chassis.transaction import Tx
from sqlalchemy import Select, func, select

from citizen_reports.model.categories import Category
from citizen_reports.model.days import Day, DayReport
from citizen_reports.model.own_ids import id_of_app
from citizen_reports.model.statuses import Status
from citizen_reports.storage.tables import reports

# So long before its registration a report may have been opened: a draft is dropped after seven
# days, or by a late scheduler. It bounds what is read, because the index is on `opened_at`.
_DRAFT_AGE_MAX = timedelta(days=60)  # tidy: bounds a read, not a term


async def reports_of_day(tx: Tx, partner: str, day: Day) -> list[DayReport]:
    """Return all reports of a partner that were registered on the day."""
    return [_to_report(row) for row in await tx.execute(_of_day(partner, day))]


async def page_of_day(
    tx: Tx, partner: str, day: Day, spec: PageSpec
) -> list[tuple[DayReport, str]]:
    """Return a page of the reports of a partner that were registered on the day, each with its sort
    key for a page token."""
    query = _of_day(partner, day)
    if spec.after:
        query = query.where(reports.c.report_id > _id_in(spec.after))
    rows = await tx.execute(query.order_by(reports.c.report_id).limit(spec.size))
    return [(_to_report(row), str(row.report_id)) for row in rows]


def _of_day(partner: str, day: Day) -> Select[Any]:
    # As `Report.category_of_app`: nobody is told here that a report was raised.
    category = func.coalesce(reports.c.reported_category, reports.c.category)
    columns = (reports.c.report_id, reports.c.partner, reports.c.number, reports.c.status)
    return select(*columns, category.label("category")).where(
        reports.c.partner == partner,
        reports.c.opened_at >= day.start - _DRAFT_AGE_MAX,
        reports.c.opened_at < day.end,
        reports.c.registered_at >= day.start,
        reports.c.registered_at < day.end,
    )


def _to_report(row: Any) -> DayReport:
    report_id = id_of_app(row.report_id, row.partner)
    return DayReport(report_id, row.number, Category(row.category), Status(row.status))


def _id_in(after: tuple[str, ...]) -> UUID:
    try:
        (report_id,) = after
        return UUID(report_id)
    except ValueError as error:
        raise PageTokenWrong from error
