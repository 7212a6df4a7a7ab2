"""Counts reports by unit and officer; those that were merged under another count once, with it.
Row-level security limits the counts to the reports that the transaction's scope may see."""

from datetime import datetime
from itertools import groupby
from typing import Any

from chassis.transaction import Tx
from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from citizen_reports.model.board import OfficerLoad, UnitFigures, UnitLoad
from citizen_reports.model.statuses import CLOCK_RUNS, QUEUE, Status
from citizen_reports.storage.queue import DUE_AT, in_regions
from citizen_reports.storage.tables import reports

_IS_OPEN = reports.c.status.in_([status.value for status in QUEUE])
_IS_WARNED = or_(
    and_(reports.c.response_step == 0, reports.c.response_ended_at.is_(None)),
    and_(
        reports.c.warned_number == reports.c.deadline_number,
        reports.c.status.in_([status.value for status in CLOCK_RUNS]),
    ),
)
_IS_ANSWERED = reports.c.status.in_([Status.ANSWERED.value, Status.CLOSED.value])
# What has no time, or no date for want of a calendar, is not late.
_IS_ON_TIME = and_(
    func.coalesce(reports.c.answered_at <= reports.c.due_at, True),
    func.coalesce(reports.c.response_ended_at <= reports.c.response_due_at, True),
)
_MINUTES = func.extract("epoch", reports.c.taken_at - reports.c.registered_at) / 60


async def loads(tx: Tx, region: str, now: datetime) -> tuple[UnitLoad, ...]:
    """Count the open reports of each unit and officer in a region ("" for all). Units with the most
    unassigned reports come first, then those with the most overdue ones."""
    is_overdue = now >= DUE_AT
    query = select(
        reports.c.unit,
        reports.c.operator,
        func.count().label("open"),
        _count(is_overdue).label("overdue"),
        _count(_IS_WARNED & ~func.coalesce(is_overdue, False)).label("due_soon"),
        _count(reports.c.status == Status.WAITS_FOR_REPORTER.value).label("waits"),
    ).where(_IS_OPEN)
    query = _of(tx, query, region).group_by(reports.c.unit, reports.c.operator)
    rows = (await tx.execute(query.order_by(reports.c.unit))).all()
    units = [_to_load(unit, list(own)) for unit, own in groupby(rows, lambda row: row.unit)]
    return tuple(sorted(units, key=lambda one: (-one.unassigned, -one.overdue, one.unit)))


async def figures(
    tx: Tx, region: str, period: tuple[datetime, datetime], now: datetime
) -> tuple[UnitFigures, ...]:
    """Return the figures of each unit for the reports registered in a period (its end excluded), in
    a region ("" for all)."""
    median = func.percentile_cont(0.5).within_group(_MINUTES)
    query = select(
        reports.c.unit,
        func.count().label("registered"),
        _count(_IS_ANSWERED & _IS_ON_TIME).label("on_time"),
        _count(_IS_ANSWERED & ~_IS_ON_TIME).label("late"),
        _count(now >= DUE_AT).label("overdue"),
        _count(reports.c.disputed_at.is_not(None)).label("reopened"),
        median.label("median_minutes"),
    ).where(reports.c.registered_at >= period[0], reports.c.registered_at < period[1])
    query = _of(tx, query, region).group_by(reports.c.unit).order_by(reports.c.unit)
    return tuple(
        UnitFigures(
            row.unit,
            row.registered,
            row.on_time,
            row.late,
            row.overdue,
            row.reopened,
            float(row.median_minutes or 0.0),
        )
        for row in await tx.execute(query)
    )


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(condition)


def _of(tx: Tx, query: Select[Any], region: str) -> Select[Any]:
    query = in_regions(query, tx.scope).where(reports.c.parent.is_(None))
    return query.where(reports.c.region == region) if region else query


def _to_load(unit: str, rows: list[Any]) -> UnitLoad:
    officers = [OfficerLoad(row.operator, row.open, row.overdue) for row in rows if row.operator]
    return UnitLoad(
        unit=unit,
        unassigned=sum(row.open for row in rows if not row.operator),
        open=sum(row.open for row in rows),
        overdue=sum(row.overdue for row in rows),
        due_soon=sum(row.due_soon for row in rows),
        waits_for_reporter=sum(row.waits for row in rows),
        officers=tuple(sorted(officers, key=lambda one: (-one.overdue, -one.open, one.operator))),
    )
