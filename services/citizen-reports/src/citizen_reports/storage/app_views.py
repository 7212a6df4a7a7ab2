"""A report as the app that opened it sees it, read in a single round trip to the database."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chassis.db import Database
from chassis.tables import data_keys
from chassis.transaction import Scope
from sqlalchemy import Select, bindparam, func, select
from statements.reads import Read

from citizen_reports.model.refusals import ReportNotFound
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import BEFORE_WORK
from citizen_reports.storage.contents import REPORT, question_and_answer
from citizen_reports.storage.report_rows import to_report
from citizen_reports.storage.tables import contents, media, reports


@dataclass(frozen=True)
class AppView:
    """A report as shown to the app that opened it; `question` and `answer` are "" if absent."""

    report: Report
    question: str
    answer: str
    media_count: int


def _views() -> Select[Any]:
    counted = select(func.count()).where(media.c.report_id == reports.c.report_id)
    return select(
        reports,
        contents.c.key_id,
        contents.c.question,
        contents.c.answer,
        data_keys.c.wrapped,
        counted.scalar_subquery().label("media_count"),
    ).select_from(
        reports.outerjoin(contents, contents.c.report_id == reports.c.report_id).outerjoin(
            data_keys, data_keys.c.key_id == contents.c.key_id
        )
    )


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
    return AppView(report, question, answer, row.media_count)
