"""Until when: on the working calendar of Almaty, by a versioned table."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from citizen_reports.model.categories import Category
from citizen_reports.model.deadlines import Deadlines
from citizen_reports.model.law import read_law
from citizen_reports.model.refusals import CalendarYearMissing
from law.assumed import assumed_years
from law.report_deadlines import Deadline, OfficeHours
from law.zone import UTC_PLUS_5

DEADLINES = read_law().deadlines
TABLE = DEADLINES.table


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC_PLUS_5)


@pytest.mark.parametrize(
    ("registered", "category", "due"),
    [
        # Wednesday 3 June 2026: fifteen working days end on Wednesday 24 June at 24:00.
        ("2026-06-03T10:00", Category.TRAFFIC_VIOLATION, "2026-06-25T00:00"),
        ("2026-06-03T10:00", Category.OTHER, "2026-06-25T00:00"),
        # After office hours and on a day off it counts as registered on the next working day.
        ("2026-06-03T18:30", Category.OTHER, "2026-06-26T00:00"),
        ("2026-06-06T12:00", Category.OTHER, "2026-06-30T00:00"),
        # Twenty, over the Day of the Capital on Monday 6 July.
        ("2026-06-15T10:00", Category.COMPLAINT_ABOUT_OFFICER, "2026-07-15T00:00"),
        # Over the New Year, into another year's table.
        ("2026-12-15T10:00", Category.OTHER, "2027-01-12T00:00"),
        # Monday 31 August 2026 is worked; Monday 15 March 2027 is Constitution Day.
        ("2026-08-20T10:00", Category.OTHER, "2026-09-11T00:00"),
        ("2027-03-01T10:00", Category.OTHER, "2027-03-30T00:00"),
        # Nauryz on a weekend moves to the two working days after it.
        ("2026-03-19T10:00", Category.OTHER, "2026-04-15T00:00"),
        ("2026-06-03T10:00", Category.INCIDENT, "2026-06-04T10:00"),
        ("2026-06-06T03:00", Category.DOMESTIC_VIOLENCE, "2026-06-06T03:07"),
    ],
)
def test_a_term_ends_where_the_law_says(registered: str, category: Category, due: str) -> None:
    assert DEADLINES.of(category, "KZ-75", at(registered)).due_at == at(due)


def test_an_emergency_outside_the_cities_has_fifteen_minutes() -> None:
    moment = at("2026-06-03T10:00")
    due = DEADLINES.of(Category.ROAD_ACCIDENT, "KZ-19", moment)
    assert due.due_at - moment == timedelta(minutes=15)


def test_the_day_is_almatys_whatever_the_zone_of_the_clock() -> None:
    # 20:00 UTC on Tuesday is 01:00 on Wednesday in Almaty.
    assert DEADLINES.of(Category.OTHER, "KZ-75", datetime(2026, 6, 2, 20, tzinfo=UTC)).due_at == at(
        "2026-06-25T00:00"
    )


def until(year: int, deadlines: Deadlines) -> Deadlines:
    """As if no later table had come yet."""
    calendar = deadlines.table.hours.calendar
    known = {told: table for told, table in calendar.years.items() if told <= year}
    hours = OfficeHours(replace(calendar, years=known), deadlines.table.hours.closes)
    return Deadlines(replace(deadlines.table, hours=hours))


def test_a_year_without_a_table_is_refused_by_name() -> None:
    with pytest.raises(CalendarYearMissing) as caught:
        until(2027, DEADLINES).of(Category.OTHER, "KZ-75", at("2027-12-20T10:00"))
    assert caught.value.facts == {"year": "2028"}


def test_every_category_has_a_rule_in_every_region() -> None:
    for category in Category:
        assert DEADLINES.of(category, "KZ-62", at("2026-06-03T10:00")).rule


def test_a_deadline_names_its_rule_version_and_hash() -> None:
    told = DEADLINES.of(Category.OTHER, "KZ-75", at("2026-06-03T10:00")).rule
    calendar = TABLE.hours.calendar.years[2026].version
    assert told == f"appc.76.answer@{TABLE.version}#{TABLE.digest} {calendar}"


def test_a_trial_assumes_a_year_and_the_deadline_says_so() -> None:
    trial = until(2027, read_law(assume_years=True).deadlines)
    due = trial.of(Category.OTHER, "KZ-75", at("2027-12-20T10:00"))
    assert due.due_at == at("2028-01-14T00:00")
    assert assumed_years(due.rule) == (2028,)
    known = trial.of(Category.OTHER, "KZ-75", at("2026-06-03T10:00"))
    assert known == DEADLINES.of(Category.OTHER, "KZ-75", at("2026-06-03T10:00"))


def test_waiting_into_an_assumed_year_says_so_once() -> None:
    trial = until(2027, read_law(assume_years=True).deadlines)
    due = trial.of(Category.OTHER, "KZ-75", at("2027-11-29T10:00"))
    assert assumed_years(due.rule) == ()
    moved = trial.after_waiting(due, timedelta(days=60))
    assert assumed_years(moved.rule) == (2028,)
    assert trial.after_waiting(moved, timedelta(days=1)).rule == moved.rule


def test_a_disputed_emergency_has_the_time_of_an_answer() -> None:
    due = DEADLINES.of_dispute(Category.ROAD_ACCIDENT, "KZ-75", at("2026-06-03T10:00"))
    assert due.due_at == at("2026-06-25T00:00")


def test_waiting_never_ends_a_term_on_a_day_off() -> None:
    friday_night = Deadline(at("2026-06-06T00:00"), "appc.76.answer@1#x")
    assert DEADLINES.after_waiting(friday_night, timedelta(0)).due_at == friday_night.due_at
    moved = DEADLINES.after_waiting(friday_night, timedelta(hours=5))
    assert moved.due_at == at("2026-06-09T00:00")


def test_taking_does_not_move_a_deadline_that_an_answer_meets() -> None:
    due = DEADLINES.of(Category.OTHER, "KZ-75", at("2026-06-03T10:00"))
    assert DEADLINES.after_taking(due, at("2026-06-03T10:00")) == due
