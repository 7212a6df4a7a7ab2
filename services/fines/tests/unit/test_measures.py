"""The metric that alerts on a missing table of the next year."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from fines.measures import missing_tables
from law.calendar import Calendar
from law.yearly import YearlyTables

from .samples import LAW

UNTIL_2027 = {year: LAW.calendar.years[year] for year in (2025, 2026, 2027)}
TABLES = YearlyTables(
    Calendar(UNTIL_2027), replace(LAW.yearly.base_values, until=date(2026, 12, 31))
)


@pytest.mark.parametrize(
    ("now", "calendars", "base_values"),
    [
        (datetime(2026, 11, 30, 18, 59, tzinfo=UTC), 0, 0),
        (datetime(2026, 11, 30, 19, 0, tzinfo=UTC), 0, 1),  # 1 December in Almaty
        (datetime(2027, 12, 1, tzinfo=UTC), 1, 2),
    ],
)
def test_the_tables_of_the_next_year_are_counted_from_december_on(
    now: datetime, calendars: int, base_values: int
) -> None:
    missing = missing_tables(TABLES, lambda: now)
    told = {one.attributes["table"]: one.value for one in missing if one.attributes}
    assert told == {"calendar": calendars, "base_values": base_values}


def test_what_is_read_at_the_start_is_what_is_measured() -> None:
    assert LAW.yearly.calendar is LAW.calendar
