"""Terms of the law, by the test vectors of the domain reference and by the yearly tables."""

from datetime import UTC, date, datetime

import pytest
from fines.lawbooks import CALENDAR_YEARS, read_lawbooks
from fines.model.days import (
    Calendar,
    DayCount,
    almaty_day,
    in_almaty,
    legal_dates,
    months_after,
    start_of,
)
from fines.model.refusals import TableYearMissing

WEEKENDS_ONLY = Calendar({2026: frozenset()}, {2026: "weekends"})
KAZAKHSTAN = read_lawbooks().calendar


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("count", "discount", "considered", "appeal", "in_force", "voluntary", "enforcement"),
    [
        ("WORKING", "2026-06-12", "2026-06-24", "2026-07-08", "2026-07-09", "2026-08-20",
         "2026-08-30"),
        ("CALENDAR", "2026-06-10", "2026-06-18", "2026-06-28", "2026-06-29", "2026-07-29",
         "2026-08-08"),
    ],
)  # fmt: skip
def test_delivered_on_3_june_2026(
    count: str, discount: str, considered: str, appeal: str, in_force: str, voluntary: str,
    enforcement: str,
) -> None:  # fmt: skip
    dates = legal_dates(day("2026-06-03"), WEEKENDS_ONLY, DayCount(count))
    assert dates.discount_until == day(discount)
    assert dates.considered_on == day(considered)
    assert dates.appeal_until == day(appeal)
    assert dates.in_force_on == day(in_force)
    assert dates.voluntary_until == day(voluntary)
    assert dates.enforcement_by == day(enforcement)


def test_seven_working_days_from_monday_end_on_wednesday_of_the_next_week() -> None:
    """The state portal's own example: issued Mon 01.08.2022, discount through Wed 10.08.2022."""
    calendar = Calendar({2022: frozenset()}, {})
    assert calendar.after(day("2022-08-01"), 7, DayCount.WORKING) == day("2022-08-10")


def test_holidays_and_the_days_they_move_to_are_no_working_days() -> None:
    nauryz = ["2026-03-20", "2026-03-23", "2026-03-24", "2026-03-25", "2026-03-26"]
    assert [KAZAKHSTAN.is_working(day(text)) for text in nauryz] == [
        True, False, False, False, True,
    ]  # fmt: skip
    assert KAZAKHSTAN.after(day("2026-03-20"), 1, DayCount.WORKING) == day("2026-03-26")


def test_capital_day_moves_every_later_term_by_one_day() -> None:
    dates = legal_dates(day("2026-06-03"), KAZAKHSTAN, DayCount.WORKING)
    assert dates.discount_until == day("2026-06-12")
    assert dates.appeal_until == day("2026-07-09")
    assert dates.voluntary_until == day("2026-08-21")


@pytest.mark.parametrize("year", CALENDAR_YEARS)
def test_a_day_off_in_the_table_is_never_a_saturday_or_sunday(year: int) -> None:
    assert all(found.weekday() < 5 for found in KAZAKHSTAN.days_off[year])
    assert len(KAZAKHSTAN.days_off[year]) >= 12


def test_a_year_without_table_is_refused_by_name() -> None:
    with pytest.raises(TableYearMissing) as refused:
        legal_dates(day("2027-12-01"), KAZAKHSTAN, DayCount.WORKING)
    assert (refused.value.table, refused.value.year) == ("calendar", 2028)


def test_calendar_days_need_no_table() -> None:
    dates = legal_dates(day("2031-06-03"), KAZAKHSTAN, DayCount.CALENDAR)
    assert dates.discount_until == day("2031-06-10")
    assert dates.calendar_version == ""


def test_the_versions_of_all_years_used_are_recorded() -> None:
    version = legal_dates(day("2026-11-22"), KAZAKHSTAN, DayCount.WORKING).calendar_version
    assert "kz-2026.1 sha256:" in version and "kz-2027.1 sha256:" in version


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 6, 3, 18, 59, 59, tzinfo=UTC), "2026-06-03"),
        (datetime(2026, 6, 3, 19, 0, 0, tzinfo=UTC), "2026-06-04"),
        (datetime(2025, 12, 31, 19, 0, 0, tzinfo=UTC), "2026-01-01"),
        (datetime(2024, 2, 29, 18, 30, 0, tzinfo=UTC), "2024-03-01"),
        (datetime(2024, 2, 29, 17, 59, 59, tzinfo=UTC), "2024-02-29"),
        (datetime(2024, 2, 28, 18, 0, 0, tzinfo=UTC), "2024-02-29"),
    ],
)
def test_the_day_is_almatys(moment: datetime, expected: str) -> None:
    assert almaty_day(moment) == day(expected)


def test_a_day_begins_at_midnight_in_almaty() -> None:
    assert start_of(day("2026-06-04")) == datetime(2026, 6, 3, 19, tzinfo=UTC)
    assert in_almaty(start_of(day("2026-06-04"))).hour == 0


@pytest.mark.parametrize(
    ("start", "expected"),
    [("2026-01-15", "2026-03-15"), ("2025-12-31", "2026-02-28"), ("2026-11-30", "2027-01-30"),
     ("2026-10-05", "2026-12-05"), ("2027-12-31", "2028-02-29")],
)  # fmt: skip
def test_two_months_end_on_the_same_day_or_the_months_last(start: str, expected: str) -> None:
    assert months_after(day(start), 2) == day(expected)
