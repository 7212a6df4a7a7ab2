"""What is told to everybody: moved clocks, assumed years, missing tables; else nothing."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from law.calendar import Calendar
from law.notices import CLOCK_MOVED, YEAR_ASSUMED, YEAR_MISSING, notices
from law.yearly import YearlyTables, read_yearly_tables

NONE = timedelta()


def until_2026(*, assume_years: bool) -> YearlyTables:
    """As the law stood in November 2026, whatever has come since."""
    tables = read_yearly_tables(assume_years=assume_years)
    years = {year: table for year, table in tables.calendar.years.items() if year <= 2027}
    return YearlyTables(
        Calendar(years, tables.calendar.assumes),
        replace(tables.base_values, until=date(2026, 12, 31)),
    )


@pytest.mark.parametrize("assume_years", [False, True])
def test_in_order_there_is_nothing_to_tell(assume_years: bool) -> None:
    november = datetime(2026, 11, 30, 18, 59, tzinfo=UTC)
    assert notices(november, until_2026(assume_years=assume_years), NONE) == ()


@pytest.mark.parametrize(("assume_years", "code"), [(False, YEAR_MISSING), (True, YEAR_ASSUMED)])
def test_from_the_first_of_december_in_almaty_the_missing_table_is_named(
    assume_years: bool, code: str
) -> None:
    december = datetime(2026, 11, 30, 19, tzinfo=UTC)
    [notice] = notices(december, until_2026(assume_years=assume_years), NONE)
    assert notice.code == code
    assert notice.facts == {"table": "base_values", "year": "2027"}
    for text in (notice.message.en, notice.message.ru, notice.message.kk):
        assert "2027" in text


def test_a_moved_clock_is_told_first_with_the_day_that_it_makes() -> None:
    now = datetime(2027, 1, 15, 6, tzinfo=UTC)
    moved, assumed = notices(now, until_2026(assume_years=True), timedelta(days=48))
    assert (moved.code, assumed.code) == (CLOCK_MOVED, YEAR_ASSUMED)
    assert moved.facts == {"offset_seconds": "4147200", "today": "2027-01-15"}


def test_what_is_missing_now_and_next_year_is_told_of_each_table() -> None:
    december = datetime(2027, 12, 5, 6, tzinfo=UTC)
    told = notices(december, until_2026(assume_years=False), NONE)
    assert [(one.facts["table"], one.facts["year"]) for one in told] == [
        ("calendar", "2028"),
        ("base_values", "2027"),
        ("base_values", "2028"),
    ]
