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
from sqlalchemy import ARRAY, Text, bindparam, func, select
from statements.reads import Read

from citizen_reports.model.draft import Place
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
# At most NEIGHBOURS_MAX, before anything is joined to them: at one crossing there may be thousands.
_NEXT = (
    select(
        reports.c.report_id,
        reports.c.number,
        reports.c.occurred_at,
        reports.c.registered_at,
        _IS_THEN.label("is_then"),
    )
    .where(
        reports.c.cell == func.any(bindparam("cells", type_=ARRAY(Text))),
        reports.c.occurred_at.between(bindparam("occurred_from"), bindparam("occurred_to")),
        reports.c.category == bindparam("category"),
        reports.c.region == bindparam("region"),
        reports.c.registered_at <= bindparam("registered_at"),
        reports.c.report_id != bindparam("report_id"),
    )
    .order_by(_IS_THEN.desc(), reports.c.registered_at)
    .limit(NEIGHBOURS_MAX)
    .subquery("next")
)
_BEFORE = Read(
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
        """The place of its incident, NOWHERE if that was erased. Decrypted when it is asked for:
        most often the first of many neighbours is enough."""
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
    assert report.receipt is not None
    rows = await db.read(
        SYSTEM,
        _BEFORE,
        cells=list(cells),
        occurred_from=report.occurred_at - within,
        occurred_to=report.occurred_at + within,
        first_from=report.occurred_at - first,
        first_to=report.occurred_at + first,
        category=report.category.value,
        region=report.region,
        registered_at=report.receipt.registered_at,
        report_id=report.report_id,
    )
    return [
        Neighbour(
            row.report_id, row.number, row.occurred_at, row.registered_at, partial(_place, db, row)
        )
        for row in rows
    ]


def _place(db: Database, row: Any) -> Place:
    if row.wrapped is None:
        return NOWHERE
    return place_in(row, db.keyring.unwrap(REPORT, row.key_id, row.wrapped))
