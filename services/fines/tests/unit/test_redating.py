"""Dates computed again: later where the calendar was wrong, never earlier; what is reversed."""

from collections.abc import Collection
from dataclasses import replace
from datetime import date, timedelta

import pytest
from fines.model.fine import Fine, State
from fines.model.redating import REDATED, TERMS, changed_terms, redated
from law.calendar import Calendar, CalendarYear
from law.fine_dates import DayCount, LegalDates, legal_dates
from law.refusals import TableYearMissing

from .samples import LAW, fine_in

RIGHT = LAW.calendar
CONSTITUTION_DAY = date(2027, 3, 15)
DELIVERED = date(2027, 3, 10)
LONG_AGO, LONG_AFTER = date(2027, 3, 11), date(2030, 1, 1)


def with_days_off(*, without: Collection[date] = (), more: Collection[date] = ()) -> Calendar:
    """The calendar of 2027 as it might have been written by mistake."""
    right = RIGHT.years[2027]
    wrong = CalendarYear(right.days_off - {*without} | {*more}, right.working_days, "wrong.1")
    return Calendar({**RIGHT.years, 2027: wrong})


def dated(calendar: Calendar, state: State = State.DELIVERED, count: str = "WORKING") -> Fine:
    return fine_in(state, dates=legal_dates(DELIVERED, calendar, LAW.terms, DayCount(count)))


WITHOUT_CONSTITUTION_DAY = with_days_off(without={CONSTITUTION_DAY})


def dates_of(fine: Fine) -> LegalDates:
    assert fine.dates
    return fine.dates


@pytest.mark.parametrize("state", REDATED)
def test_a_holiday_that_was_missing_makes_every_term_later(state: State) -> None:
    fine = dated(WITHOUT_CONSTITUTION_DAY, state)
    again = redated(fine, RIGHT, LAW.terms, LONG_AFTER)
    assert dates_of(again) == legal_dates(DELIVERED, RIGHT, LAW.terms, DayCount.WORKING)
    for term in TERMS:
        assert getattr(dates_of(again), term) > getattr(dates_of(fine), term), term
    assert dates_of(again).discount_until == date(2027, 3, 25)
    assert (again.version, again.amount, again.delivered_at) == (
        fine.version + 1,
        fine.amount,
        fine.delivered_at,
    )
    assert changed_terms(dates_of(fine), dates_of(again))["discount_until"] == (
        "2027-03-19 → 2027-03-25"
    )


def test_a_day_off_that_is_none_shortens_nothing() -> None:
    fine = dated(with_days_off(more={date(2027, 3, 17), date(2027, 6, 1)}))
    assert redated(fine, RIGHT, LAW.terms, LONG_AGO) is fine


def test_what_is_right_stays_as_it_is() -> None:
    for count in ("WORKING", "CALENDAR"):
        fine = dated(RIGHT, count=count)
        assert redated(fine, RIGHT, LAW.terms, LONG_AGO) is fine


def test_of_each_date_the_later_one_stands_and_both_calendars_are_named() -> None:
    """A holiday missing in March and two days off too many in May: neither harms the owner."""
    more = {date(2027, 5, 18), date(2027, 5, 19)}
    fine = dated(with_days_off(without={CONSTITUTION_DAY}, more=more))
    again = redated(fine, RIGHT, LAW.terms, LONG_AFTER)
    right = legal_dates(DELIVERED, RIGHT, LAW.terms, DayCount.WORKING)
    assert dates_of(again).discount_until == right.discount_until
    assert dates_of(again).voluntary_until == dates_of(fine).voluntary_until > right.voluntary_until
    assert "wrong.1" in dates_of(again).calendar_version
    assert RIGHT.years[2027].version in dates_of(again).calendar_version
    assert redated(again, RIGHT, LAW.terms, LONG_AFTER) is again


def test_what_came_too_early_is_taken_back_and_no_more() -> None:
    wrong = dates_of(dated(WITHOUT_CONSTITUTION_DAY))
    right = dates_of(dated(RIGHT))
    before_force, in_force = right.in_force_on - timedelta(days=1), right.in_force_on
    last, over = right.voluntary_until, right.voluntary_until + timedelta(days=1)
    expected = {
        (State.DELIVERED, before_force): State.DELIVERED,
        (State.DELIVERED, in_force): State.DELIVERED,  # work that is due brings it into force
        (State.IN_FORCE, before_force): State.DELIVERED,
        (State.IN_FORCE, in_force): State.IN_FORCE,
        (State.IN_FORCE, over): State.IN_FORCE,
        (State.OVERDUE, before_force): State.DELIVERED,
        (State.OVERDUE, last): State.IN_FORCE,
        (State.OVERDUE, over): State.OVERDUE,
    }
    for (state, today), target in expected.items():
        assert redated(fine_in(state, dates=wrong), RIGHT, LAW.terms, today).state is target, (
            state,
            today,
        )


def test_a_trials_assumption_gives_way_to_the_table_that_came() -> None:
    wrong = dates_of(dated(WITHOUT_CONSTITUTION_DAY))
    assumed = replace(wrong, calendar_version="assumed:2027 by x")
    again = redated(fine_in(State.DELIVERED, dates=assumed), RIGHT, LAW.terms, LONG_AGO)
    assert fine_in(State.DELIVERED, dates=assumed).assumed_years == (2027,)
    assert again.assumed_years == ()


def test_a_year_that_no_table_holds_is_refused_by_name() -> None:
    with pytest.raises(TableYearMissing):
        redated(dated(RIGHT), Calendar({2026: RIGHT.years[2026]}), LAW.terms, LONG_AGO)
