"""Terms of the law, by the test vectors of the domain reference and by the yearly tables."""

from dataclasses import replace
from datetime import date

import pytest
from law.calendar import Calendar, CalendarYear
from law.editions import Editions
from law.fine_dates import (
    DayCount,
    last_day_of_liability,
    last_day_to_send,
    legal_dates,
    months_after,
)
from law.fine_terms import read_fine_terms
from law.refusals import TableYearMissing
from law.yearly import read_yearly_tables

WEEKENDS_ONLY = Calendar({2026: CalendarYear(frozenset(), frozenset(), "weekends")})
KAZAKHSTAN = read_yearly_tables().calendar
TERMS = read_fine_terms()
# As far as the law had been told in November 2026, whatever tables have come since.
UNTIL_2027 = Calendar({year: KAZAKHSTAN.years[year] for year in (2025, 2026, 2027)})


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("count", "discount", "considered", "appeal", "in_force", "voluntary", "enforcement"),
    [
        (
            "WORKING",
            "2026-06-12",
            "2026-06-24",
            "2026-07-08",
            "2026-07-09",
            "2026-08-20",
            "2026-08-30",
        ),
        (
            "CALENDAR",
            "2026-06-10",
            "2026-06-18",
            "2026-06-28",
            "2026-06-29",
            "2026-07-29",
            "2026-08-08",
        ),
    ],
)
def test_delivered_on_3_june_2026(
    count: str,
    discount: str,
    considered: str,
    appeal: str,
    in_force: str,
    voluntary: str,
    enforcement: str,
) -> None:
    dates = legal_dates(day("2026-06-03"), WEEKENDS_ONLY, TERMS, DayCount(count))
    assert dates.discount_until == day(discount)
    assert dates.considered_on == day(considered)
    assert dates.appeal_until == day(appeal)
    assert dates.in_force_on == day(in_force)
    assert dates.voluntary_until == day(voluntary)
    assert dates.enforcement_by == day(enforcement)


def test_capital_day_moves_every_later_term_by_one_day() -> None:
    dates = legal_dates(day("2026-06-03"), KAZAKHSTAN, TERMS, DayCount.WORKING)
    assert dates.discount_until == day("2026-06-12")
    assert dates.appeal_until == day("2026-07-09")
    assert dates.voluntary_until == day("2026-08-21")


@pytest.mark.parametrize(
    ("delivered", "discount_until"),
    [
        # 30 August 2026 is a Sunday like any other: Monday 31 August is worked.
        ("2026-08-24", "2026-09-02"),
        # Monday 15 March 2027 is Constitution Day, then comes Nauryz.
        ("2027-03-10", "2027-03-25"),
        # Friday 3 January 2025 was free for Sunday 5 January, on which people worked.
        ("2025-01-02", "2025-01-14"),
        # Over the end of a year, into another year's table.
        ("2026-12-28", "2027-01-11"),
    ],
)
def test_terms_follow_the_holidays_of_their_year(delivered: str, discount_until: str) -> None:
    dates = legal_dates(day(delivered), KAZAKHSTAN, TERMS, DayCount.WORKING)
    assert dates.discount_until == day(discount_until)


def test_a_year_without_table_is_refused_by_name() -> None:
    with pytest.raises(TableYearMissing) as refused:
        legal_dates(day("2027-12-01"), UNTIL_2027, TERMS, DayCount.WORKING)
    assert (refused.value.table, refused.value.year) == ("calendar", 2028)


def test_calendar_days_need_no_table() -> None:
    dates = legal_dates(day("2031-06-03"), KAZAKHSTAN, TERMS, DayCount.CALENDAR)
    assert dates.discount_until == day("2031-06-10")
    assert dates.calendar_version == ""


def test_the_versions_of_all_years_used_are_recorded() -> None:
    version = legal_dates(day("2026-11-22"), KAZAKHSTAN, TERMS, DayCount.WORKING).calendar_version
    assert "kz-2026." in version and "kz-2027." in version and version.count("sha256:") == 2


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2026-01-15", "2026-03-15"),
        ("2025-12-31", "2026-02-28"),
        ("2026-11-30", "2027-01-30"),
        ("2026-10-05", "2026-12-05"),
        ("2027-12-31", "2028-02-29"),
    ],
)
def test_two_months_end_on_the_same_day_or_the_months_last(start: str, expected: str) -> None:
    assert months_after(day(start), 2) == day(expected)


@pytest.mark.parametrize(
    ("occurred", "send", "liable"),
    [
        ("2026-06-03", "2026-06-13", "2026-08-03"),
        ("2024-02-29", "2024-03-10", "2024-04-29"),
        ("2025-12-31", "2026-01-10", "2026-02-28"),
        ("2026-12-24", "2027-01-03", "2027-02-24"),  # a Sunday among holidays: not extended
    ],
)
def test_sending_and_liability_end_by_the_calendar_alone(
    occurred: str, send: str, liable: str
) -> None:
    terms = TERMS.on(day(occurred))
    assert last_day_to_send(day(occurred), terms) == day(send)
    assert last_day_of_liability(day(occurred), terms) == day(liable)


def test_terms_are_those_of_the_day_of_delivery() -> None:
    """A term that is made longer is longer for what is delivered from then on."""
    old = replace(TERMS.on(day("2026-06-03")), valid_until=day("2026-06-03"))
    new = replace(old, valid_from=day("2026-06-04"), valid_until=None, discount_days=10)
    editions = Editions([old, new])
    before, after = (
        legal_dates(day(text), WEEKENDS_ONLY, editions, DayCount.CALENDAR).discount_until
        for text in ("2026-06-03", "2026-06-04")
    )
    assert (before, after) == (day("2026-06-10"), day("2026-06-14"))
