"""Working days: a table for each year lists the weekdays off and the working weekend days.

The days off are the country's public holidays, the days to which holidays on a weekend are moved,
and days moved by order of the minister. A year without a table raises TableYearMissing. Only a
trial run may derive such a year (`Holidays.assumed_year`); the calendar's version then marks the
year as assumed.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from law.assumed import mark_of
from law.refusals import TableYearMissing

CALENDAR = "calendar"
_ONE_DAY = timedelta(days=1)
_SATURDAY = 5


@dataclass(frozen=True)
class CalendarYear:
    """The exceptions of one year: weekdays that are off and weekend days that are worked."""

    days_off: frozenset[date]
    working_days: frozenset[date]
    version: str

    @classmethod
    def parse(cls, raw: bytes) -> "tuple[int, CalendarYear]":
        """Parse the content of a file `calendar-*.json`; return the year and its exceptions.

        Raises ValueError for a day of another year, a weekend day listed as off or a weekday listed
        as worked.
        """
        table = json.loads(raw)
        days_off = frozenset(map(date.fromisoformat, table["days_off"]))
        working_days = frozenset(map(date.fromisoformat, table["working_days"]))
        for day in days_off | working_days:
            if day.year != table["year"] or (day.weekday() < _SATURDAY) == (day in working_days):
                raise ValueError(f"{day} does not belong in the calendar of {table['year']}")
        digest = hashlib.sha256(raw).hexdigest()[:16]
        return table["year"], cls(days_off, working_days, f"{table['version']} sha256:{digest}")

    def is_working(self, day: date) -> bool:
        """Whether a day of this year is a working day."""
        if day.weekday() < _SATURDAY:
            return day not in self.days_off
        return day in self.working_days


@dataclass(frozen=True)
class Holiday:
    """A public holiday with a fixed date.

    If `moves` is set and the holiday is on a weekend, the next working day is off.
    """

    name: str
    month: int
    day: int
    # If it falls on a weekend, the next working day is off; not so for Christmas and Kurban Ait.
    moves: bool


@dataclass(frozen=True)
class Holidays:
    """The holidays with fixed dates by the latest law, from which trial runs derive later years."""

    holidays: tuple[Holiday, ...]
    version: str

    @classmethod
    def parse(cls, raw: bytes) -> "Holidays":
        """Parse `holidays.json` (Law on holidays, Arts. 3 to 5, and Labour Code Art. 84)."""
        table = json.loads(raw)
        digest = hashlib.sha256(raw).hexdigest()[:16]
        rows = tuple(Holiday(**row) for row in table["holidays"])
        return cls(rows, f"{table['version']} sha256:{digest}")

    def assumed_year(self, year: int) -> CalendarYear:
        """Derive the days off of a year: the fixed holidays and the days to which they are moved.

        Holidays without a fixed date and days moved by order are not known, and so are left out.
        """
        dates = {date(year, holiday.month, holiday.day): holiday.moves for holiday in self.holidays}
        days_off = set(dates)
        for day in sorted(day for day, moves in dates.items() if moves):
            if day.weekday() >= _SATURDAY:
                days_off.add(_next_working(day, days_off))
        weekdays = frozenset(day for day in days_off if day.weekday() < _SATURDAY)
        return CalendarYear(weekdays, frozenset(), f"{mark_of(year)} by {self.version}")


def _next_working(day: date, days_off: set[date]) -> date:
    while day.weekday() >= _SATURDAY or day in days_off:
        day += _ONE_DAY
    return day


@dataclass(frozen=True)
class Calendar:
    """The tables of all known years; only trial runs set `assumes`, to derive later years."""

    years: Mapping[int, CalendarYear]
    assumes: Holidays | None = None

    def year(self, year: int) -> CalendarYear:
        """Return the exceptions of a year, from its table or, for a later year, from `assumes`.

        Raises TableYearMissing if neither is possible.
        """
        if year in self.years:
            return self.years[year]
        if self.assumes is None or year < max(self.years):
            raise TableYearMissing(CALENDAR, year)
        return self.assumes.assumed_year(year)

    def holds(self, year: int) -> bool:
        """Return whether there is a table of this year; an assumed year has none."""
        return year in self.years

    def is_working(self, day: date) -> bool:
        """Whether a day is a working day. Raises TableYearMissing."""
        return self.year(day.year).is_working(day)

    def is_working_or_weekday(self, day: date) -> bool:
        """Whether a day is a working day; in a year without a table, Monday to Friday are.

        For what is no legal date, such as the desk that takes a report at this hour.
        """
        try:
            return self.is_working(day)
        except TableYearMissing:
            return day.weekday() < _SATURDAY

    def next_working(self, day: date) -> date:
        """The first working day on or after `day`. Raises TableYearMissing."""
        while not self.is_working(day):
            day += _ONE_DAY
        return day

    def after(self, day: date, working_days: int) -> date:
        """The last day of a time limit of `working_days` that begins on the day after `day`.

        See KoAP 739. Raises TableYearMissing.
        """
        for _ in range(working_days):
            day = self.next_working(day + _ONE_DAY)
        return day

    def version_of(self, first: date, last: date) -> str:
        """The versions and hashes of the tables for the days `first` to `last`, joined by commas.

        Raises TableYearMissing.
        """
        return ", ".join(self.year(year).version for year in range(first.year, last.year + 1))
