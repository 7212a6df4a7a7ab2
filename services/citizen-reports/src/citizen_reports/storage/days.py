"""Reads the reports of a partner that were registered on one day, for the daily count."""

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

# The longest time from the opening of a report to its registration: drafts are dropped after seven
# days, or later if the scheduler is late. The index on `opened_at` needs such a bound.
_DRAFT_AGE_MAX = timedelta(days=60)  # tidy: bounds a read, not a term


async def reports_of_day(tx: Tx, partner: str, day: Day) -> list[DayReport]:
    """Return all reports of a partner that were registered on a day, in no particular order."""
    return [_to_report(row) for row in await tx.execute(_of_day(partner, day))]


async def page_of_day(
    tx: Tx, partner: str, day: Day, spec: PageSpec
) -> list[tuple[DayReport, str]]:
    """Return a page of a partner's reports that were registered on a day, in order of stored id,
    each with this id, for a page token. Raises PageTokenWrong for an altered token."""
    query = _of_day(partner, day)
    if spec.after:
        query = query.where(reports.c.report_id > _id_in(spec.after))
    rows = await tx.execute(query.order_by(reports.c.report_id).limit(spec.size))
    return [(_to_report(row), str(row.report_id)) for row in rows]


def _of_day(partner: str, day: Day) -> Select[Any]:
    # The same as `Report.category_of_app`: a partner must not learn that a report was raised.
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
