"""Reads the operators' queue of reports, page by page, and defines its order."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID

from chassis.pages import PageSpec
from chassis.refusals import PageTokenWrong
from chassis.transaction import Scope, Tx
from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    Text,
    Uuid,
    bindparam,
    case,
    func,
    literal_column,
    select,
    text,
    true,
    tuple_,
)

from citizen_reports.model.categories import EMERGENCIES, Category
from citizen_reports.model.report import URGENT, Report
from citizen_reports.model.statuses import CLOCK_RUNS, QUEUE, Status, Urgency
from citizen_reports.model.urgency import LOOK_WITHIN, comes_first, look_at
from citizen_reports.storage.report_rows import to_report
from citizen_reports.storage.reports import moment_and_id
from citizen_reports.storage.tables import reports

# Stands for the deadline of a report without a running clock; asyncpg sends it as infinity.
_NO_DEADLINE = datetime.max.replace(tzinfo=UTC)


def _is_one_of(column: ColumnElement[str], values: Iterable[StrEnum]) -> ColumnElement[bool]:
    """An SQL condition: the column has one of these values. They are constants of the statement,
    since PostgreSQL uses the queue's indexes (migration 0035) only for identical expressions."""
    return column.in_([_constant(value) for value in sorted(each.value for each in values)])


def _constant(value: str) -> ColumnElement[str]:
    return literal_column(f"'{value}'", Text)


_IS_OPEN = _is_one_of(reports.c.status, QUEUE)
# The same as `Report.due_at`: the earliest deadline whose clock runs. `least` ignores NULL.
DUE_AT = func.least(
    case((_is_one_of(reports.c.status, CLOCK_RUNS), reports.c.due_at)),
    case((_IS_OPEN & reports.c.response_ended_at.is_(None), reports.c.response_due_at)),
)
_IS_EMERGENCY = _is_one_of(reports.c.category, EMERGENCIES) | _is_one_of(reports.c.urgency, URGENT)
# The same as `comes_first` of the model: 0 if a report precedes all others, else 1.
_RANK = case(
    (_IS_EMERGENCY & _IS_OPEN & reports.c.arrived_at.is_(None), literal_column("0")),
    else_=literal_column("1"),
)
# In UTC, since an expression that depends on the time zone of a session cannot be in an index.
_UTC = _constant("UTC")
_LOOK_AT = func.timezone(
    _UTC,
    func.timezone(_UTC, reports.c.registered_at)
    + literal_column(f"interval '{LOOK_WITHIN.total_seconds():.0f} seconds'"),
)
PLACE_IN_QUEUE = (
    _RANK,
    func.coalesce(
        func.least(DUE_AT, case((_is_one_of(reports.c.urgency, [Urgency.PROPOSED]), _LOOK_AT))),
        literal_column("timestamptz 'infinity'"),
    ),
    reports.c.report_id,
)
_PLACE = (PLACE_IN_QUEUE[0].label("rank"), PLACE_IN_QUEUE[1].label("due"))
_AFTER: tuple[BindParameter[Any], ...] = (
    bindparam("after_rank", type_=Integer),
    bindparam("after_due", type_=DateTime(timezone=True)),
    bindparam("after_id", type_=Uuid),
)
_SIZE = bindparam("size", type_=Integer)
# JIT off: a plan that must sort though sorting is off costs so much that it would be compiled.
_IN_ORDER_OF_AN_INDEX = text(
    "SELECT set_config('enable_sort', 'off', true), set_config('jit', 'off', true)"
)


@dataclass(frozen=True)
class QueueFilter:
    """Filters of the operators' queue of reports. None, "" and False set no filter, but a `status`
    of None selects those in QUEUE. `overdue_at` selects reports that are overdue at this moment."""

    status: Status | None = None
    category: Category | None = None
    region: str = ""
    overdue_at: datetime | None = None
    emergencies_only: bool = False


async def reports_for_desk(tx: Tx, wanted: QueueFilter, spec: PageSpec) -> list[Report]:
    """Return a page of the operators' queue, without reports that are merged under others.

    Emergencies at which no officer has arrived precede all other reports. Within either group,
    reports are ordered by their earliest deadline; reports without a running clock are last. A
    proposed urgency counts as a deadline LOOK_WITHIN after registration.
    """
    regions = [wanted.region] if wanted.region else _regions_of(tx.scope)
    values: dict[str, Any] = {"size": spec.size, "regions": regions, "now": wanted.overdue_at}
    if spec.after:
        values |= zip((each.key for each in _AFTER), _place_after(spec.after), strict=True)
    if not (regions or tx.scope.sees_all_regions):
        return []
    if wanted.status in (None, *QUEUE) and wanted.category is None:
        # PostgreSQL expects row-level security to hide nearly all rows, and would sort the queue.
        await tx.execute(_IN_ORDER_OF_AN_INDEX)
    kind = replace(wanted, region="", overdue_at=None)
    query = _page(
        kind,
        overdue_only=wanted.overdue_at is not None,
        is_after=bool(spec.after),
        by_region=bool(regions),
    )
    return [to_report(row) for row in await tx.execute(query, values)]


@lru_cache(maxsize=256)
def _page(
    wanted: QueueFilter, *, overdue_only: bool, is_after: bool, by_region: bool
) -> Select[Any]:
    """The SELECT of a page. Cached by kind of page, since it is long and so costs time to build."""
    page = select(reports, *_PLACE).where(*_conditions(wanted))
    if overdue_only:
        page = page.where(bindparam("now", type_=DateTime(timezone=True)) >= DUE_AT)
    if is_after:
        page = page.where(tuple_(*PLACE_IN_QUEUE) > tuple_(*_AFTER))
    page = page.order_by(*PLACE_IN_QUEUE).limit(_SIZE)
    if not by_region:
        return page
    # The first rows of each region, in the order of the index; of all these rows, the first.
    regions = func.unnest(bindparam("regions", type_=ARRAY(Text))).table_valued("region")
    each = regions.render_derived("each")
    first = page.where(reports.c.region == each.c.region).lateral("first")
    rows = select(first).select_from(each.join(first, true()))
    return rows.order_by(first.c.rank, first.c.due, first.c.report_id).limit(_SIZE)


def place_in_queue(report: Report) -> tuple[str, ...]:
    """Return the position of a report in the order of `reports_for_desk`, for a page token."""
    due = [moment for moment in (report.due_at, look_at(report)) if moment is not None]
    moment = min(due, default=_NO_DEADLINE)
    return str(int(not comes_first(report))), moment.isoformat(), str(report.report_id)


def _place_after(after: tuple[str, ...]) -> tuple[int, datetime, UUID]:
    if not after or after[0] not in ("0", "1"):  # altered, or from an earlier release
        raise PageTokenWrong
    return int(after[0]), *moment_and_id(after[1:])


def in_regions(query: Select[Any], scope: Scope) -> Select[Any]:
    """Return the query of `reports`, restricted to the regions of the scope. Row-level security
    restricts it too, but by a condition for which PostgreSQL uses no index."""
    return query if scope.sees_all_regions else query.where(reports.c.region.in_(scope.regions))


def _regions_of(scope: Scope) -> list[str]:
    """The regions of the scope, sorted; empty if it sees all regions."""
    return [] if scope.sees_all_regions else sorted(set(scope.regions))


def _conditions(wanted: QueueFilter) -> list[ColumnElement[bool]]:
    statuses = [wanted.status] if wanted.status else QUEUE
    conditions = [_is_one_of(reports.c.status, statuses), reports.c.parent.is_(None)]
    if wanted.category is not None:
        conditions.append(reports.c.category == wanted.category.value)
    if wanted.emergencies_only:
        conditions.append(_IS_EMERGENCY)
    return conditions
