"""Until when: on the working calendar of Almaty, by a versioned table."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import holidays
import pytest
from citizen_reports.model.categories import Category
from citizen_reports.model.deadlines import DeadlineKind, Deadlines
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
        # Emergencies and crimes too: their minutes and hours are a clock of their own.
        ("2026-06-03T10:00", Category.INCIDENT, "2026-06-25T00:00"),
        ("2026-06-03T10:00", Category.DOMESTIC_VIOLENCE, "2026-06-25T00:00"),
    ],
)
def test_a_term_ends_where_the_law_says(registered: str, category: Category, due: str) -> None:
    assert DEADLINES.of(category, "KZ-75", at(registered)).due_at == at(due)


@pytest.mark.parametrize(
    ("category", "region", "minutes"),
    [
        (Category.DOMESTIC_VIOLENCE, "KZ-75", 7),
        (Category.ROAD_ACCIDENT, "KZ-19", 15),
        (Category.INCIDENT_WITH_CHILD, "KZ-62", 15),
        (Category.INCIDENT, "KZ-75", 24 * 60),
    ],
)
def test_the_response_is_due_in_minutes_at_any_hour(
    category: Category, region: str, minutes: int
) -> None:
    moment = at("2026-06-06T03:00")
    due = DEADLINES.response_of(category, region, moment)
    assert due is not None and due.due_at == moment + timedelta(minutes=minutes)


def test_what_is_not_urgent_has_the_clock_of_the_answer_alone() -> None:
    calm = (Category.TRAFFIC_VIOLATION, Category.OTHER, Category.COMPLAINT_ABOUT_OFFICER)
    assert [DEADLINES.response_of(one, "KZ-75", at("2026-06-03T10:00")) for one in calm] == [
        None
    ] * 3


def test_the_day_is_almatys_whatever_the_zone_of_the_clock() -> None:
    # 20:00 UTC on Tuesday is 01:00 on Wednesday in Almaty.
    assert DEADLINES.of(Category.OTHER, "KZ-75", datetime(2026, 6, 2, 20, tzinfo=UTC)).due_at == at(
        "2026-06-25T00:00"
    )


@pytest.mark.parametrize(
    ("category", "days"), [(Category.OTHER, 15), (Category.COMPLAINT_ABOUT_OFFICER, 20)]
)
@pytest.mark.parametrize("year", [2025, 2026])
def test_a_year_of_deadlines_agrees_with_a_second_implementation(
    year: int, category: Category, days: int
) -> None:
    """By the package `holidays`, for each day, in the morning and before and after the office
    closes."""
    opinion = holidays.country_holidays("KZ", years=[year, year + 1], language="en_US")
    for number in range(365):
        day = date(year, 1, 1) + timedelta(days=number)
        for hour, registers_on in (
            (time(9, 0), day),
            (time(18, 29), day),
            (time(18, 30), day + timedelta(days=1)),
        ):
            moment = datetime.combine(day, hour, UTC_PLUS_5)
            last = opinion.get_nth_working_day(opinion.get_nth_working_day(registers_on, 0), days)
            ends = datetime.combine(last + timedelta(days=1), time(0), UTC_PLUS_5)
            assert DEADLINES.of(category, "KZ-75", moment).due_at == ends, moment


def test_an_extension_ends_at_most_two_months_after_its_clock_began() -> None:
    assert TABLE.extension_end(at("2026-06-03T10:00")) == at("2026-08-04T00:00")
    assert TABLE.extension_end(at("2026-12-31T10:00")) == at("2027-03-01T00:00")
    due = DEADLINES.of(Category.OTHER, "KZ-75", at("2026-06-03T10:00"))
    extended = DEADLINES.extended(due, 5)
    assert (extended.due_at, extended.rule) == (at("2026-07-02T00:00"), due.rule)


def test_a_warning_comes_at_four_fifths_of_the_time() -> None:
    registered = at("2026-06-03T10:00")
    assert TABLE.warn_at(registered, registered + timedelta(minutes=10)) == at("2026-06-03T10:08")


def test_a_case_climbs_to_positions_that_may_see_it_step_by_step() -> None:
    """Complaints go up within internal security alone, and it has no others."""
    roles = {position.id: position.role for position in TABLE.positions}
    for category in Category:
        for kind in DeadlineKind:
            ladder = DEADLINES.ladder(kind, category)
            assert [step.step for step in ladder] == list(range(1, len(ladder) + 1))
            delays = [step.after_minutes for step in ladder]
            assert delays == sorted(set(delays))
            is_complaint = category is Category.COMPLAINT_ABOUT_OFFICER
            allowed = {"internal_security" if is_complaint else "supervisor"}
            assert {roles[step.position] for step in ladder} <= allowed
        assert DEADLINES.ladder(DeadlineKind.ANSWER, category)
        has_response = DEADLINES.response_of(category, "KZ-75", at("2026-06-03T10:00")) is not None
        # A complaint has no response of its own, but keeps that of the emergency it was before.
        climbs = has_response or category is Category.COMPLAINT_ABOUT_OFFICER
        assert bool(DEADLINES.ladder(DeadlineKind.RESPONSE, category)) is climbs


def test_a_reason_reminds_before_its_end() -> None:
    assert TABLE.question_reason("curiosity") is None
    for reason in TABLE.question_reasons:
        assert all(0 < day < reason.days for day in reason.reminder_days)
        assert reason.days <= TABLE.question_days_total


def test_every_category_has_outcomes_and_every_code_three_names() -> None:
    law = read_law()
    named = [one.names for one in law.outcomes.outcomes]
    named += [one.names for one in TABLE.question_reasons]
    named += [one.names for one in TABLE.positions]
    assert all(set(names) == {"kk", "ru", "en"} for names in named)
    for category in Category:
        assert {one.id for one in law.outcomes.of(category)} >= {"measures_taken", "explained"}
    regional = law.outcomes.of(Category.OTHER)
    assert "officer_at_fault" not in {one.id for one in regional}


def until(year: int, deadlines: Deadlines) -> Deadlines:
    """As if no later table had come yet."""
    calendar = deadlines.table.hours.calendar
    known = {told: table for told, table in calendar.years.items() if told <= year}
    hours = OfficeHours(replace(calendar, years=known), deadlines.table.hours.closes)
    return Deadlines(replace(deadlines.table, hours=hours))


def test_a_year_without_a_table_leaves_the_date_out_and_is_named() -> None:
    due = until(2027, DEADLINES).of(Category.OTHER, "KZ-75", at("2027-12-20T10:00"))
    assert due == Deadline(None, f"appc.76.answer@{TABLE.version}#{TABLE.digest} missing:2028")


def test_an_extension_into_a_year_without_a_table_is_refused_by_name() -> None:
    due = Deadline(at("2027-12-25T00:00"), "appc.76.answer@1#x")
    with pytest.raises(CalendarYearMissing) as caught:
        until(2027, DEADLINES).extended(due, 10)
    assert caught.value.facts == {"year": "2028"}


def test_a_wait_into_a_year_without_a_table_is_added_in_full() -> None:
    due = Deadline(at("2027-12-25T00:00"), "appc.76.answer@1#x")
    moved = until(2027, DEADLINES).after_waiting(due, timedelta(days=10))
    assert moved.due_at == at("2028-01-04T00:00")


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


def test_waiting_never_ends_a_term_on_a_day_off() -> None:
    friday_night = Deadline(at("2026-06-06T00:00"), "appc.76.answer@1#x")
    assert DEADLINES.after_waiting(friday_night, timedelta(0)).due_at == friday_night.due_at
    moved = DEADLINES.after_waiting(friday_night, timedelta(hours=5))
    assert moved.due_at == at("2026-06-09T00:00")


def test_taking_does_not_move_a_deadline_that_an_answer_meets() -> None:
    due = DEADLINES.of(Category.OTHER, "KZ-75", at("2026-06-03T10:00"))
    assert DEADLINES.after_taking(due, at("2026-06-03T10:00")) == due
