"""The tables of each year (working calendar and base values), and a check for missing ones.

A base value is the amount of the monthly calculation index, by which fines are computed.
"""

from dataclasses import dataclass
from datetime import date

from law.base_values import BASE_VALUES, BaseValues
from law.calendar import CALENDAR, Calendar, CalendarYear, Holidays
from law.packaged import tables

# The month from which the next year's table is needed: terms of a fine delivered in October run
# into the next year; the base value is known with the budget law in December.
MISSED_FROM_MONTH = {CALENDAR: 9, BASE_VALUES: 12}


@dataclass(frozen=True)
class MissingTable:
    """A year that a yearly table lacks; `table` is "calendar" or "base_values"."""

    table: str
    year: int


@dataclass(frozen=True)
class YearlyTables:
    """The working calendar and the base values of all known years."""

    calendar: Calendar
    base_values: BaseValues

    @property
    def assumes(self) -> bool:
        """Whether values of later years are derived, as in a trial run, or are missing."""
        return self.base_values.assumes

    def missing(self, today: date) -> tuple[MissingTable, ...]:
        """The tables that do not exist, although decisions need them on `today` or soon afterwards.

        Next year's calendar is needed from September on, next year's base value from December on. A
        table that is only assumed counts as missing.
        """
        holders: dict[str, Calendar | BaseValues] = {
            CALENDAR: self.calendar,
            BASE_VALUES: self.base_values,
        }
        return tuple(
            MissingTable(table, year)
            for table, holder in holders.items()
            for year in _needed(today, MISSED_FROM_MONTH[table])
            if not holder.holds(year)
        )


def read_yearly_tables(*, assume_years: bool = False) -> YearlyTables:
    """Read the yearly tables shipped with this library.

    With `assume_years`, for trial runs only, later years are derived: base values from the last
    known value, calendars from the holidays with fixed dates.
    """
    years = dict(CalendarYear.parse(raw) for raw in tables("calendar-"))
    [holidays] = map(Holidays.parse, tables("holidays"))
    [base_values] = map(BaseValues.parse, tables("base_values"))
    if not assume_years:
        return YearlyTables(Calendar(years), base_values)
    return YearlyTables(Calendar(years, assumes=holidays), base_values.assuming())


def _needed(today: date, next_from_month: int) -> tuple[int, ...]:
    if today.month < next_from_month:
        return (today.year,)
    return (today.year, today.year + 1)
