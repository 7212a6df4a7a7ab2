"""Reads reports as they are shown to the app that opened them: one report, or a page of a partner's
reports, in either case by a single SELECT."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from chassis.db import Database
from chassis.pages import PageSpec
from chassis.tables import data_keys
from chassis.transaction import Scope, Tx
from sqlalchemy import Label, Select, bindparam, case, func, select, tuple_
from sqlalchemy.dialects.postgresql import aggregate_order_by
from statements.reads import Read

from citizen_reports.model.categories import Category
from citizen_reports.model.media import Media, handed_in
from citizen_reports.model.refusals import ReportNotFound
from citizen_reports.model.report import Report
from citizen_reports.model.reporter_actions import ReporterAction
from citizen_reports.model.statuses import BEFORE_WORK, Status
from citizen_reports.storage.contents import (
    REPORT,
    Unwrap,
    question_and_answer,
    text_in,
    to_media,
)
from citizen_reports.storage.report_rows import to_report
from citizen_reports.storage.reports import WITH_ID, ids_of, moment_and_id
from citizen_reports.storage.tables import contents, media, reports


@dataclass(frozen=True)
class AppView:
    """A report as shown to the app that opened it; `question` and `answer` are "" if absent.

    `has_text` is False except for drafts with a text. Use cases set `actions` and `dispute_until`.
    """

    report: Report
    question: str = ""
    answer: str = ""
    # The number of files, without the refused ones.
    media_count: int = 0
    has_text: bool = False
    # All files of the report, refused ones included, in the order in which their uploads began.
    media: tuple[Media, ...] = ()
    actions: tuple[ReporterAction, ...] = ()
    dispute_until: datetime | None = None


@dataclass(frozen=True)
class OwnFilter:
    """Filters of the list of a partner's reports; None, () and False set no filter. Reports match
    if they were opened at or after `opened_from` and before `opened_until`. With `needs_reply`,
    only reports that wait for their reporter match."""

    statuses: tuple[Status, ...] = ()
    categories: tuple[Category, ...] = ()
    opened_from: datetime | None = None
    opened_until: datetime | None = None
    needs_reply: bool = False


def _views() -> Select[Any]:
    return select(
        reports,
        contents.c.key_id,
        contents.c.question,
        contents.c.answer,
        case((reports.c.status == Status.OPEN.value, contents.c.text)).label("text"),
        data_keys.c.wrapped,
        _media(),
    ).select_from(
        reports.outerjoin(contents, contents.c.report_id == reports.c.report_id).outerjoin(
            data_keys, data_keys.c.key_id == contents.c.key_id
        )
    )


def _media() -> Label[Any]:
    """The column `media`: all files of the report as one JSON array, in the order of upload."""
    rows = aggregate_order_by(func.to_jsonb(media.table_valued()), media.c.position)
    query = select(func.jsonb_agg(rows)).where(media.c.report_id == reports.c.report_id)
    return query.scalar_subquery().label("media")


def _to_items(rows: list[dict[str, Any]] | None) -> tuple[Media, ...]:
    """The files in the value of the column `_media`, which is None if a report has no files."""
    return tuple(to_media(SimpleNamespace(**row | _ids_of(row))) for row in rows or ())


def _ids_of(row: dict[str, Any]) -> dict[str, UUID]:
    return {name: UUID(row[name]) for name in ("report_id", "media_id")}


# The same as `Report.category_of_app`: a filter must not reveal that a report was raised.
_CATEGORY_OF_APP = func.coalesce(reports.c.reported_category, reports.c.category)
_BY_ID = Read(_views().where(WITH_ID))
_BY_NUMBER = Read(_views().where(reports.c.number == bindparam("key")))


async def view_of(db: Database, scope: Scope, key: UUID | str) -> AppView:
    """Return the view of the report with the id (UUID) or number (str) `key`. Raises
    ReportNotFound, also for a report that `scope` may not see."""
    if isinstance(key, str):
        rows = await db.read(scope, _BY_NUMBER, key=key)
    else:
        rows = await db.read(scope, _BY_ID, **ids_of(key, scope))
    if not rows:
        raise ReportNotFound
    return _to_view(rows[0], db.keyring.unwrapped)


async def views_of_partner(
    tx: Tx, partner: str, wanted: OwnFilter, spec: PageSpec
) -> list[AppView]:
    """Return a page of a partner's reports in the order in which they were opened. Raises
    PageTokenWrong for an altered token."""
    query = _views().where(reports.c.partner == partner, *_conditions(wanted))
    place = (reports.c.opened_at, reports.c.report_id)
    if spec.after:
        query = query.where(tuple_(*place) > tuple_(*moment_and_id(spec.after)))
    rows = await tx.execute(query.order_by(*place).limit(spec.size))
    return [_to_view(row, tx.keys.unwrapped) for row in rows]


def _conditions(wanted: OwnFilter) -> Iterable[Any]:
    if wanted.statuses:
        yield reports.c.status.in_([status.value for status in wanted.statuses])
    if wanted.categories:
        yield _CATEGORY_OF_APP.in_([category.value for category in wanted.categories])
    if wanted.opened_from is not None:
        yield reports.c.opened_at >= wanted.opened_from
    if wanted.opened_until is not None:
        yield reports.c.opened_at < wanted.opened_until
    if wanted.needs_reply:
        yield reports.c.status == Status.WAITS_FOR_REPORTER.value


def _to_view(row: Any, unwrapped: Unwrap) -> AppView:
    report, key = to_report(row), None
    if report.status not in BEFORE_WORK or row.text is not None:
        key = unwrapped(REPORT, row.key_id, row.wrapped)
    question, answer = question_and_answer(report.report_id, row, key)
    has_text = bool(key and row.text is not None and text_in(row, key))
    items = _to_items(row.media)
    return AppView(report, question, answer, len(handed_in(items)), has_text, items)
