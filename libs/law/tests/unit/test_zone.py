"""Almaty's time: the change of 1 March 2024 and the borders of a day."""

from datetime import UTC, date, datetime

import pytest
from law.zone import almaty_day, in_almaty, start_of


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2024, 2, 29, 17, 59, tzinfo=UTC), date(2024, 2, 29)),
        (datetime(2024, 2, 29, 18, 0, tzinfo=UTC), date(2024, 3, 1)),
        (datetime(2026, 12, 31, 18, 59, tzinfo=UTC), date(2026, 12, 31)),
        (datetime(2026, 12, 31, 19, 0, tzinfo=UTC), date(2027, 1, 1)),
    ],
)
def test_a_moment_falls_on_the_day_of_almaty(moment: datetime, day: date) -> None:
    assert almaty_day(moment) == day


@pytest.mark.parametrize(
    "day",
    [date(2023, 6, 1), date(2024, 2, 29), date(2024, 3, 1), date(2026, 11, 28), date(2028, 2, 29)],
)
def test_a_day_begins_at_its_midnight(day: date) -> None:
    assert in_almaty(start_of(day)).date() == day
    assert in_almaty(start_of(day)).hour == 0


def test_the_last_day_with_the_old_offset_has_an_hour_more() -> None:
    """At midnight of 1 March 2024 clocks went back to eleven in the evening."""
    assert start_of(date(2024, 2, 29)) == datetime(2024, 2, 28, 18, tzinfo=UTC)
    assert start_of(date(2024, 3, 1)) == datetime(2024, 2, 29, 19, tzinfo=UTC)


def test_a_moment_without_a_zone_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        in_almaty(datetime(2026, 1, 1))  # noqa: DTZ001
