"""A report as the app that opened it sees it, read in a single round trip to the database."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from chassis.db import Database
from chassis.tables import data_keys
from chassis.transaction import Scope
from sqlalchemy import Label, Select, bindparam, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from statements.reads import Read

from citizen_reports.model.media import Media, handed_in
from citizen_reports.model.refusals import ReportNotFound
from citizen_reports.model.report import BEFORE_WORK, Report
from citizen_reports.storage.contents import REPORT, question_and_answer, to_media
from citizen_reports.storage.reports import to_report
from citizen_reports.storage.tables import contents, media, reports


@dataclass(frozen=True)
class AppView:
    """A report as shown to the app that opened it; `question` and `answer` are "" if absent."""

    report: Report
    question: str
    answer: str
    # Without those that were refused.
    media_count: int
    # All files that were sent, in the order in which their uploads began.
    media: tuple[Media, ...] = ()


def _views() -> Select[Any]:
    return select(
        reports,
        contents.c.key_id,
        contents.c.question,
        contents.c.answer,
        data_keys.c.wrapped,
        _media(),
    ).select_from(
        reports.outerjoin(contents, contents.c.report_id == reports.c.report_id).outerjoin(
            data_keys, data_keys.c.key_id == contents.c.key_id
        )
    )


def _media() -> Label[Any]:
    """All files of the report, in one column: the round trip is the same with any number."""
    rows = aggregate_order_by(func.to_jsonb(media.table_valued()), media.c.position)
    query = select(func.jsonb_agg(rows)).where(media.c.report_id == reports.c.report_id)
    return query.scalar_subquery().label("media")


def _to_items(rows: list[dict[str, Any]] | None) -> tuple[Media, ...]:
    """The files in a column of `_media`, which is None without files."""
    return tuple(to_media(SimpleNamespace(**row | _ids_of(row))) for row in rows or ())


def _ids_of(row: dict[str, Any]) -> dict[str, UUID]:
    return {name: UUID(row[name]) for name in ("report_id", "media_id")}


_BY_ID = Read(_views().where(reports.c.report_id == bindparam("key")))
_BY_NUMBER = Read(_views().where(reports.c.number == bindparam("key")))


async def view_of(db: Database, scope: Scope, key: UUID | str) -> AppView:
    """Return the report with this id or number. Raises ReportNotFound, also for a report outside
    the scope."""
    rows = await db.read(scope, _BY_NUMBER if isinstance(key, str) else _BY_ID, key=key)
    if not rows:
        raise ReportNotFound
    [row] = rows
    report = to_report(row)
    data_key = None
    if report.status not in BEFORE_WORK and row.wrapped is not None:
        data_key = db.keyring.unwrap(REPORT, row.key_id, row.wrapped)
    question, answer = question_and_answer(report.report_id, row, data_key)
    items = _to_items(row.media)
    return AppView(report, question, answer, len(handed_in(items)), items)
