"""The daily count of what a partner handed in, by which both sides compare their records.

The count has the numbers of reports by category and by status, and a digest of their ids.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from chassis.refusals import checks
from law.zone import almaty_day, parse_day, start_of

from citizen_reports.model.categories import Category
from citizen_reports.model.statuses import Status

_RIGHT = "a day as YYYY-MM-DD, in Asia/Almaty, that has begun"
_DAY = timedelta(days=1)  # tidy: a day of the calendar, not a term


@dataclass(frozen=True)
class Day:
    """A day of the calendar in Asia/Almaty, from its `start` until just before its `end`."""

    date: date
    start: datetime
    end: datetime


@dataclass(frozen=True)
class DayReport:
    """A report that was registered on a day, with the id and the category that the app gave."""

    report_id: UUID
    number: str
    category: Category
    status: Status


@dataclass(frozen=True)
class DayCount:
    """How many reports a partner registered on a day, by category and by their present status.

    `ids_sha256` is the SHA-256 (hex) of their sorted ids, with a line feed after each id. If
    `is_over`, the day has ended, and no report is added any more.
    """

    day: Day
    is_over: bool
    accepted: dict[Category, int] = field(default_factory=dict)
    by_status: Counter[Status] = field(default_factory=Counter)
    ids_sha256: str = ""

    @property
    def open(self) -> int:
        """How many are registered, routed, in work or waiting for the reporter; not disputed."""
        ended = (Status.ANSWERED, Status.DISPUTED, Status.CLOSED, Status.WITHDRAWN)
        return self.by_status.total() - sum(self.by_status[status] for status in ended)


def day_of(text: str, now: datetime) -> Day:
    """Return the day that `text` states as YYYY-MM-DD. Raises BadRequest for any other text, and
    for a day that has not begun in Asia/Almaty at the moment `now`."""
    found = parse_day(text)
    is_right = found is not None and found <= almaty_day(now)
    with checks() as check:
        check.that(is_right, "day", _RIGHT, code="DAY_WRONG")
    assert found is not None
    return Day(found, start_of(found), start_of(found + _DAY))


def count_of(day: Day, reports: Sequence[DayReport], now: datetime) -> DayCount:
    """Count `reports`, all that a partner registered on `day`, as of the moment `now`."""
    ids = sorted(str(report.report_id) for report in reports)
    digest = hashlib.sha256("".join(f"{one}\n" for one in ids).encode())
    kinds = Counter(report.category for report in reports)
    return DayCount(
        day,
        is_over=now >= day.end,
        accepted={category: kinds[category] for category in Category if kinds[category]},
        by_status=Counter(report.status for report in reports),
        ids_sha256=digest.hexdigest(),
    )
