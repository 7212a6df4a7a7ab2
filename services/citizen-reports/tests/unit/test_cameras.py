"""The time for which evidence is held, and its moments, are not those of a report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from citizen_reports.model.cameras import held_window, rounded_up
from hypothesis import given
from hypothesis import strategies as st

TEN = timedelta(minutes=10)
FIRST = datetime(2020, 1, 1, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(), timedelta(days=30_000)).map(lambda time: FIRST + time)


@given(MOMENTS)
def test_the_window_holds_15_minutes_on_both_sides_and_begins_and_ends_at_full_ten_minutes(
    at: datetime,
) -> None:
    window = held_window(at)
    assert window.start <= at - timedelta(minutes=15) < window.start + TEN
    assert window.end >= at + timedelta(minutes=15) > window.end - TEN
    for moment in (window.start, window.end):
        assert (moment.minute % 10, moment.second, moment.microsecond) == (0, 0, 0)


@given(MOMENTS)
def test_a_hold_is_placed_at_the_next_full_ten_minutes(at: datetime) -> None:
    assert at <= rounded_up(at) < at + TEN
    assert rounded_up(rounded_up(at)) == rounded_up(at)
