"""Finds reports that may be of the same incident as a given report.

Reports of the same category and region are searched: whoever sees the one may see the others. Each
search takes a single round trip.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Any
from uuid import UUID

from chassis.db import Database
from chassis.tables import data_keys
from chassis.transaction import SYSTEM
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Text,
    bindparam,
    func,
    literal,
    literal_column,
    select,
    true,
    union_all,
)
from statements.reads import Read

from citizen_reports.model.draft import FUTURE_TOLERANCE, Place
from citizen_reports.model.refusals import ReportNotFound
from citizen_reports.model.report import Report
from citizen_reports.storage.contents import NOWHERE, REPORT, place_in, text_in
from citizen_reports.storage.report_rows import to_report
from citizen_reports.storage.tables import contents, reports

NEIGHBOURS_MAX = 50
_PLACED = reports.join(contents, contents.c.report_id == reports.c.report_id).outerjoin(
    data_keys, data_keys.c.key_id == contents.c.key_id
)
_PLACE = (contents.c.key_id, contents.c.place, data_keys.c.wrapped)
_LOCATED = Read(
    select(reports, *_PLACE, contents.c.text)
    .select_from(_PLACED)
    .where(reports.c.report_id == bindparam("report_id"))
)
_IS_THEN = reports.c.occurred_at.between(bindparam("first_from"), bindparam("first_to"))
_CELL = (
    func.unnest(bindparam("cells", type_=ARRAY(Text))).table_valued("cell").render_derived("each")
)


def _in_cell(*conditions: ColumnElement[bool], is_then: bool) -> Select[Any]:
    """The first NEIGHBOURS_MAX of a cell, by the index `reports_at_place`: no incident lies
    later than FUTURE_TOLERANCE after the registration of its report."""
    return (
        select(
            reports.c.report_id,
            reports.c.number,
            reports.c.occurred_at,
            reports.c.registered_at,
            literal(is_then, literal_execute=True).label("is_then"),
        )
        .where(
            # SQLAlchemy would read all cells here again, for it does not see that this is lateral.
            reports.c.cell == literal_column("each.cell", Text),
            reports.c.registered_at.between(
                bindparam("registered_from"), bindparam("registered_to")
            ),
            reports.c.category == bindparam("category"),
            reports.c.region == bindparam("region"),
            reports.c.report_id != bindparam("report_id"),
            *conditions,
        )
        .order_by(reports.c.registered_at)
        .limit(NEIGHBOURS_MAX)
    )


# At one crossing there may be thousands. Those of the same time come first, and where they are
# enough the others are not read; nothing is joined to more than NEIGHBOURS_MAX.
_OF_CELL = (
    select(
        union_all(
            _in_cell(_IS_THEN, is_then=True),
            _in_cell(
                ~_IS_THEN,
                reports.c.occurred_at.between(bindparam("occurred_from"), bindparam("occurred_to")),
                is_then=False,
            ),
        ).subquery("of_both")
    )
    .limit(NEIGHBOURS_MAX)
    .lateral("of_cell")
)
_NEXT = (
    select(_OF_CELL)
    .select_from(_CELL.join(_OF_CELL, true()))
    .order_by(_OF_CELL.c.is_then.desc(), _OF_CELL.c.registered_at)
    .limit(NEIGHBOURS_MAX)
    .subquery("next")
)
BEFORE = Read(
    select(_NEXT, *_PLACE)
    .select_from(
        _NEXT.join(contents, contents.c.report_id == _NEXT.c.report_id).outerjoin(
            data_keys, data_keys.c.key_id == contents.c.key_id
        )
    )
    .order_by(_NEXT.c.is_then.desc(), _NEXT.c.registered_at)
)


@dataclass(frozen=True)
class Located:
    """A report with the decrypted place of its incident and its text; NOWHERE and "" if they were
    erased."""

    report: Report
    place: Place
    text: str


@dataclass(frozen=True)
class Neighbour:
    """A report that may be of the same incident as another."""

    report_id: UUID
    number: str
    occurred_at: datetime
    registered_at: datetime
    open_place: Callable[[], Place] = field(repr=False, compare=False)

    @cached_property
    def place(self) -> Place:
        """The place of its incident, NOWHERE if that was erased. It is decrypted on first access:
        usually only few of many neighbours are looked at."""
        return self.open_place()


async def located(db: Database, report_id: UUID) -> Located:
    """Return a report with its place and text. Raises ReportNotFound."""
    rows = await db.read(SYSTEM, _LOCATED, report_id=report_id)
    if not rows:
        raise ReportNotFound
    [row] = rows
    key = db.keyring.unwrapped(REPORT, row.key_id, row.wrapped)
    return Located(to_report(row), _place(db, row), text_in(row, key) if key else "")


async def registered_before(
    db: Database, report: Report, cells: Iterable[str], within: timedelta, *, first: timedelta
) -> list[Neighbour]:
    """Return other reports, registered no later than `report`, that may be of the same incident.

    They have the same category and region as `report`, which must be registered. Their incidents
    lie in one of these H3 `cells`, and happened at most `within` before or after the incident of
    `report`. Returns at most NEIGHBOURS_MAX reports: before all others those that happened at most
    `first` before or after it, each time in the order of registration.
    """
    rows = await db.read(SYSTEM, BEFORE, **values_of(report, cells, within, first=first))
    return [
        Neighbour(
            row.report_id, row.number, row.occurred_at, row.registered_at, partial(_place, db, row)
        )
        for row in rows
    ]


def values_of(
    report: Report, cells: Iterable[str], within: timedelta, *, first: timedelta
) -> dict[str, Any]:
    """Return the parameters of BEFORE for the arguments of `registered_before`."""
    assert report.receipt is not None
    return {
        "cells": list(cells),
        "occurred_from": report.occurred_at - within,
        "occurred_to": report.occurred_at + within,
        "first_from": report.occurred_at - first,
        "first_to": report.occurred_at + first,
        "category": report.category.value,
        "region": report.region,
        "registered_from": report.occurred_at - within - FUTURE_TOLERANCE,
        "registered_to": report.receipt.registered_at,
        "report_id": report.report_id,
    }


def _place(db: Database, row: Any) -> Place:
    if row.wrapped is None:
        return NOWHERE
    return place_in(row, db.keyring.unwrap(REPORT, row.key_id, row.wrapped))
