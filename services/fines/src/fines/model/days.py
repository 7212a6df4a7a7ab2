"""Days as the law counts them: in Almaty, working or calendar, from yearly tables.

KoAP Art. 739: the starting day is not counted and a term ends at 24:00 of its last day; terms in
"сутки" skip days off. A year that no table holds is refused by name: a guessed holiday would move
somebody's deadline.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import Enum

from fines.model.refusals import TableYearMissing

# Said here rather than asked of the host: one with old zone tables would be an hour off, and with
# it a day, near midnight.
_ONE_ZONE_SINCE = datetime(2024, 2, 29, 19, tzinfo=UTC)
_FIVE, _SIX = timezone(timedelta(hours=5)), timezone(timedelta(hours=6))
_ONE_DAY = timedelta(days=1)

DISCOUNT_DAYS = 7
CONSIDERED_DAYS = 15
APPEAL_DAYS = 10
VOLUNTARY_DAYS = 30
ENFORCEMENT_CALENDAR_DAYS = 10


def in_almaty(moment: datetime) -> datetime:
    assert moment.tzinfo is not None
    return moment.astimezone(_FIVE if moment >= _ONE_ZONE_SINCE else _SIX)


def almaty_day(moment: datetime) -> date:
    return in_almaty(moment).date()


def start_of(day: date) -> datetime:
    """The moment at which a day begins in Almaty."""
    zone = _FIVE if day >= date(2024, 3, 1) else _SIX
    return datetime.combine(day, time(), zone).astimezone(UTC)


class DayCount(Enum):
    WORKING = "WORKING"
    CALENDAR = "CALENDAR"


@dataclass(frozen=True)
class Calendar:
    """Days off by year, besides Saturdays and Sundays."""

    days_off: Mapping[int, frozenset[date]]
    versions: Mapping[int, str]

    @classmethod
    def parse(cls, *years: bytes) -> "Calendar":
        days_off, versions = {}, {}
        for raw in years:
            table = json.loads(raw)
            year = int(table["year"])
            days_off[year] = frozenset(date.fromisoformat(day) for day in table["days_off"])
            assert all(day.year == year for day in days_off[year])
            versions[year] = f"{table['version']} sha256:{hashlib.sha256(raw).hexdigest()[:16]}"
        return cls(days_off, versions)

    def is_working(self, day: date) -> bool:
        """Raises TableYearMissing."""
        if day.year not in self.days_off:
            raise TableYearMissing("calendar", day.year)
        return day.weekday() < 5 and day not in self.days_off[day.year]

    def after(self, day: date, days: int, count: DayCount) -> date:
        """The last day of a term of `days` that starts on `day`."""
        if count is DayCount.CALENDAR:
            return day + timedelta(days=days)
        while days:
            day += _ONE_DAY
            days -= self.is_working(day)
        return day

    def version_of(self, first: date, last: date) -> str:
        return ", ".join(self.versions.get(year, "") for year in range(first.year, last.year + 1))


@dataclass(frozen=True)
class LegalDates:
    """Each is the last day of its term; what they are counted with is part of the decision."""

    delivered_on: date
    discount_until: date
    considered_on: date
    appeal_until: date
    in_force_on: date
    voluntary_until: date
    enforcement_by: date
    day_count: DayCount
    calendar_version: str


def legal_dates(delivered_on: date, calendar: Calendar, count: DayCount) -> LegalDates:
    """Arts. 811, 817, 826-2, 883, 893, 894. Raises TableYearMissing."""
    considered = calendar.after(delivered_on, CONSIDERED_DAYS, count)
    appeal = calendar.after(considered, APPEAL_DAYS, count)
    in_force = appeal + _ONE_DAY
    voluntary = calendar.after(in_force, VOLUNTARY_DAYS, count)
    return LegalDates(
        delivered_on=delivered_on,
        discount_until=calendar.after(delivered_on, DISCOUNT_DAYS, count),
        considered_on=considered,
        appeal_until=appeal,
        in_force_on=in_force,
        voluntary_until=voluntary,
        enforcement_by=voluntary + timedelta(days=ENFORCEMENT_CALENDAR_DAYS),
        day_count=count,
        calendar_version=calendar.version_of(delivered_on, voluntary)
        if count is DayCount.WORKING
        else "",
    )


def months_after(day: date, months: int) -> date:
    """The same day of a later month, its last day where there is no such day."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    next_month = date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, min(day.day, (next_month - _ONE_DAY).day))
