"""Every moment of a film comes to one outcome, and they add up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inference_gateway.ingest.video_account import Outcome, VideoAccount, VideoSummary

FRAMES = st.lists(st.tuples(st.floats(0.0, 4.0), st.sampled_from([*Outcome, None])), max_size=60)


def summed(frames: list[tuple[float, Outcome | None]], rate: float, rest: float) -> VideoSummary:
    account, seconds = VideoAccount(rate), 0.0
    for step, outcome in frames:
        seconds += step
        if outcome is None:
            account.undecodable()
        else:
            account.frame(seconds, outcome)
    account.end(seconds)
    account.leave_out(seconds + rest, Outcome.BEYOND_LIMIT)
    return account.summary()


@given(FRAMES, st.floats(0.05, 30.0), st.floats(0.0, 20.0))
def test_offered_is_looked_at_and_all_that_was_left_out(
    frames: list[tuple[float, Outcome | None]], rate: float, rest: float
) -> None:
    found = summed(frames, rate, rest)
    assert found.offered_ms == found.looked_at_ms + sum(found.left_out_ms.values())
    assert all(ms > 0 for ms in found.left_out_ms.values())
    shown = sum(step for step, _ in frames) + rest
    # A last frame holds its whole cell, which may reach beyond the end that was told.
    assert shown * 1000 - 1 <= found.offered_ms <= (shown + 1.01) * 1000 + 1


@given(st.floats(1.0, 30.0), st.integers(1, 200))
def test_a_film_whose_every_interval_was_looked_at_was_looked_at_whole(
    rate: float, frames: int
) -> None:
    account = VideoAccount(rate)
    for number in range(frames):
        account.frame(number / rate, Outcome.LOOKED_AT)
    account.end(frames / rate)
    assert account.summary().left_out_ms == {}
    assert account.summary().offered_ms == pytest.approx(frames / rate * 1000, abs=1)


def test_each_moment_has_its_reason() -> None:
    account = VideoAccount(1.0)
    account.frame(0.0, Outcome.LOOKED_AT)
    account.frame(0.5, Outcome.NOT_SAMPLED)  # of a second that was looked at
    account.frame(3.0, Outcome.LOOKED_AT)  # a pause before it
    account.undecodable()
    account.frame(6.0, Outcome.LOOKED_AT)
    account.frame(7.0, Outcome.DAMAGED)
    account.frame(8.0, Outcome.NOT_SAMPLED)
    account.end(9.0)
    account.leave_out(11.0, Outcome.UNDECODABLE)
    account.leave_out(12.5, Outcome.MISSING)
    assert account.summary() == VideoSummary(
        12_500,
        3_000,
        {
            Outcome.MISSING: 1_500,
            Outcome.NO_PICTURE: 2_000,
            Outcome.UNDECODABLE: 4_000,
            Outcome.DAMAGED: 1_000,
            Outcome.NOT_SAMPLED: 1_000,
        },
    )


def test_fewer_looks_than_one_a_second_leave_seconds_out_by_name() -> None:
    account = VideoAccount(0.5)
    for second in range(10):
        account.frame(second, Outcome.NOT_SAMPLED if second % 2 else Outcome.LOOKED_AT)
    account.end(10.0)
    found = account.summary()
    assert (found.looked_at_ms, found.left_out_ms) == (5_000, {Outcome.NOT_SAMPLED: 5_000})
