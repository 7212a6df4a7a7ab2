"""Finds reports that may be of the same incident as a given report, each time by a single SELECT.

Only reports of the given report's category and region are found: whoever may see the given report
may see these too.
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
    """Select the first NEIGHBOURS_MAX reports of a cell by the index `reports_at_place`. No report
    is registered more than FUTURE_TOLERANCE before its incident, so `registered_at` has bounds."""
    return (
        select(
            reports.c.report_id,
            reports.c.number,
            reports.c.occurred_at,
            reports.c.registered_at,
            literal(is_then, literal_execute=True).label("is_then"),
        )
        .where(
            # With a column here, SQLAlchemy would add all cells to FROM: it does not see LATERAL.
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


# One crossing may have thousands of reports. If NEIGHBOURS_MAX of them are of the same time, the
# rest is not read; contents are joined to at most NEIGHBOURS_MAX reports.
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
    """A report with the decrypted place and text of its incident. `place` is NOWHERE and `text` is
    "" if the report's key was destroyed."""

    report: Report
    place: Place
    text: str


@dataclass(frozen=True)
class Neighbour:
    """A report that may be of the same incident as a given one; `open_place` decrypts its place."""

    report_id: UUID
    number: str
    occurred_at: datetime
    registered_at: datetime
    open_place: Callable[[], Place] = field(repr=False, compare=False)

    @cached_property
    def place(self) -> Place:
        """The place of the incident; NOWHERE if the report's key was destroyed. Decrypted on first
        access, since of many neighbours usually few are compared."""
        return self.open_place()


async def located(db: Database, report_id: UUID) -> Located:
    """Return a report with its decrypted place and text. Raises ReportNotFound."""
    rows = await db.read(SYSTEM, _LOCATED, report_id=report_id)
    if not rows:
        raise ReportNotFound
    [row] = rows
    key = db.keyring.unwrapped(REPORT, row.key_id, row.wrapped)
    return Located(to_report(row), _place(db, row), text_in(row, key) if key else "")


async def registered_before(
    db: Database, report: Report, cells: Iterable[str], within: timedelta, *, first: timedelta
) -> list[Neighbour]:
    """Return at most NEIGHBOURS_MAX other reports, registered no later than `report`, that may be
    of the same incident. `report` must be registered.

    They have its category and region. Their incidents lie in the H3 `cells`, and happened at most
    `within` before or after the incident of `report`. Reports whose incidents happened at most
    `first` before or after it precede all others; the order is otherwise that of registration.
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
    """Return the parameters of the statement BEFORE, given the arguments of `registered_before`."""
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
