"""Working days after registration: office hours, the change of zone, year ends, worked Sundays."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from law.calendar import Calendar, CalendarYear
from law.refusals import TableYearMissing
from law.report_deadlines import Deadline, OfficeHours, read_report_deadlines
from law.yearly import read_yearly_tables
from law.zone import UTC_PLUS_5, UTC_PLUS_6

TABLE = read_report_deadlines()
CALENDAR = read_yearly_tables().calendar
WEEKENDS = CalendarYear(frozenset(), frozenset(), "weekends")
HOURS_2024 = OfficeHours(Calendar({2024: WEEKENDS}), time(18, 30))


def at(text: str, zone: object = UTC_PLUS_5) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("registered", "days", "due"),
    [
        # At midnight of 1 March 2024 clocks went back: the term ends by the new ones.
        ("2024-02-28T10:00", 1, "2024-03-01T00:00"),
        ("2024-02-29T10:00", 1, "2024-03-02T00:00"),
        ("2024-02-29T18:29", 1, "2024-03-02T00:00"),
        ("2024-02-29T18:30", 1, "2024-03-05T00:00"),
    ],
)
def test_a_term_over_the_change_of_zone_ends_at_the_midnight_of_its_last_day(
    registered: str, days: int, due: str
) -> None:
    moment = at(registered, UTC_PLUS_6)
    assert HOURS_2024.after_working_days(moment, days) == at(due)


def test_the_office_closes_by_the_clock_of_that_day() -> None:
    """12:30 UTC was 18:30 until 29 February 2024, and 17:30 from 1 March on."""
    february = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
    march = datetime(2024, 3, 4, 12, 30, tzinfo=UTC)
    assert HOURS_2024.after_working_days(february, 1) == at("2024-03-05T00:00")
    assert HOURS_2024.after_working_days(march, 1) == at("2024-03-06T00:00")


@pytest.mark.parametrize(
    ("registered", "days", "due"),
    [
        ("2025-01-02T10:00", 1, "2025-01-07T00:00"),  # a day off: as on Sunday 5 January
        ("2024-12-31T18:30", 1, "2025-01-07T00:00"),  # 1 to 4 January off, 5 worked
        ("2026-12-31T18:29", 1, "2027-01-06T00:00"),
        ("2026-12-31T18:30", 1, "2027-01-07T00:00"),
    ],
)
def test_terms_over_a_year_end_skip_its_days_off_and_count_worked_ones(
    registered: str, days: int, due: str
) -> None:
    years = {**CALENDAR.years, 2024: WEEKENDS}
    hours = OfficeHours(replace(CALENDAR, years=years), time(18, 30))
    assert hours.after_working_days(at(registered), days) == at(due)


def test_a_worked_saturday_counts_and_ends_a_term() -> None:
    saturday, monday = date(2026, 6, 6), date(2026, 6, 8)
    moved = CalendarYear(frozenset({monday}), frozenset({saturday}), "moved")
    hours = OfficeHours(Calendar({2026: moved}), time(18, 30))
    friday = at("2026-06-05T10:00")
    assert hours.after_working_days(friday, 1) == at("2026-06-07T00:00")
    assert hours.after_working_days(friday, 2) == at("2026-06-10T00:00")
    assert hours.at_least(at("2026-06-06T15:00")) == at("2026-06-07T00:00")
    assert hours.at_least(at("2026-06-08T15:00")) == at("2026-06-10T00:00")


def test_a_year_without_a_table_is_refused_by_name() -> None:
    with pytest.raises(TableYearMissing) as caught:
        TABLE.of("other", "KZ-75", at("2099-12-20T10:00"))
    assert caught.value.facts == {"table": "calendar", "year": "2099"}


def test_what_waits_into_another_year_names_its_calendar() -> None:
    due = Deadline(at("2026-12-30T00:00"), "appc.76.answer@1#x")
    moved = TABLE.after_waiting(due, timedelta(days=11))
    assert moved.due_at == at("2027-01-12T00:00")
    assert moved.rule == f"appc.76.answer@1#x {CALENDAR.years[2027].version}"


def test_every_rule_names_its_basis() -> None:
    assert all(rule.basis and (rule.minutes or rule.working_days) for rule in TABLE.rules)
