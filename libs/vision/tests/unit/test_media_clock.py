"""The clock of films and streams: no stamps, however wrong, lead it astray."""

import math
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vision.media_clock import STEP_MAX_SECONDS, MediaClock

STEP = 0.1
LATE_MAX = 1.0
ANY_STAMP = st.one_of(
    st.none(),
    st.floats(-1e6, 1e6),
    st.integers(-5, 5).map(float),
    st.sampled_from([0.0, 0.1, 2.0**32 / 90_000, 2.0**33 / 90_000]),
)
ARRIVALS = st.lists(st.floats(0.0, 3.0), min_size=1, max_size=60).map(
    lambda steps: list(accumulate(steps, initial=1000.0))
)


def of_film(stamps: list[float | None]) -> list[float]:
    clock = MediaClock(usual_step=STEP)
    return [clock.date(stamp) for stamp in stamps]


def of_stream(frames: list[tuple[float | None, float]], **bounds: float) -> list[float]:
    clock = MediaClock(**bounds)
    return [clock.date(stamp, arrival) for stamp, arrival in frames]


def regular(origin: float, frames: int) -> list[float | None]:
    return [origin + number * STEP for number in range(frames)]


def test_the_stamps_of_a_good_film_count_from_its_first_frame() -> None:
    assert of_film([1.4, 1.5, 1.7, 6.7]) == pytest.approx([0.0, 0.1, 0.3, 5.3])


@given(st.lists(ANY_STAMP, min_size=2, max_size=80))
def test_the_time_of_a_film_grows_with_every_frame_whatever_its_stamps(
    stamps: list[float | None],
) -> None:
    seconds = of_film(stamps)
    assert seconds[0] == 0.0
    for before, after in pairwise(seconds):
        assert 0 < after - before <= STEP_MAX_SECONDS * 1.01


@given(st.lists(st.tuples(st.floats(-1e5, 1e5), st.integers(2, 20)), min_size=1, max_size=8))
def test_films_joined_are_as_long_as_their_parts(parts: list[tuple[float, int]]) -> None:
    """Whatever the stamps of a part begin with, unless that looks like a pause in one film."""
    stamps: list[float | None] = []
    for origin, frames in parts:
        apart = math.inf if not stamps else origin - (stamps[-1] or 0.0)
        if -0.5 <= apart <= STEP_MAX_SECONDS:
            origin -= 20.0
        stamps += regular(origin, frames)
    assert of_film(stamps)[-1] == pytest.approx((len(stamps) - 1) * STEP, abs=1e-6)


@pytest.mark.parametrize(
    ("stamps", "jumps"),
    [
        (regular(1.4, 30) + regular(1.4, 30), 1),  # two segments, each from its own beginning
        (regular(1.4, 30) + regular(9801.4, 30), 1),  # ahead by hours
        (regular(95_442.0, 30) + regular(0.0, 30), 1),  # MPEG-TS counts in 33 bits
        (regular(47_720.0, 30) + regular(0.0, 30), 1),  # RTP in 32
        ([7.0] * 60, 0),  # standing still
        ([None] * 60, 0),  # none at all
        ([*regular(0.0, 20), 9800.0, *regular(2.1, 39)], 2),  # one frame alone is ahead
        ([0.0, 0.1] * 30, 0),  # to and fro
    ],
)
def test_a_second_of_film_is_a_second_whatever_its_stamps(
    stamps: list[float | None], jumps: int
) -> None:
    clock = MediaClock(usual_step=STEP)
    assert [clock.date(stamp) for stamp in stamps] == pytest.approx(regular(0.0, 60), abs=STEP / 2)
    assert clock.jumps == jumps


def test_two_frames_with_one_stamp_do_not_make_a_film_longer() -> None:
    stamps = [number // 2 * 2 * STEP for number in range(60)]
    assert of_film(list(stamps))[-1] == pytest.approx(5.9, abs=STEP)


def test_a_film_of_still_pictures_keeps_its_minutes() -> None:
    clock = MediaClock(usual_step=60.0)
    assert [clock.date(number * 60.0) for number in range(4)] == [0.0, 60.0, 120.0, 180.0]


@given(st.data(), ARRIVALS)
def test_a_frame_of_a_stream_is_dated_within_bounds_of_its_arrival(
    data: st.DataObject, arrivals: list[float]
) -> None:
    stamps = data.draw(st.lists(ANY_STAMP, min_size=len(arrivals), max_size=len(arrivals)))
    seconds = of_stream(list(zip(stamps, arrivals, strict=True)), late_max=LATE_MAX)
    for at, arrival in zip(seconds, arrivals, strict=True):
        assert arrival - LATE_MAX - 1e-9 <= at <= arrival
    assert seconds == sorted(seconds)


@given(st.floats(0.0, 1.2), st.floats(-1e5, 1e5))
def test_stamps_of_any_pace_and_origin_lose_no_moment_of_a_stream(
    pace: float, origin: float
) -> None:
    """At 0 they stand still; slower than the clock they are followed, faster they are held."""
    frames: list[tuple[float | None, float]] = [
        (origin + number * STEP * pace, number * STEP) for number in range(300)
    ]
    gaps = [after - before for before, after in pairwise(of_stream(frames, late_max=LATE_MAX))]
    assert max(gaps) <= 2.5 * STEP


def test_frames_that_come_late_together_keep_their_distance() -> None:
    frames = [(0.0, 0.0), (0.1, 0.1), (0.2, 0.6), (0.3, 0.6), (0.4, 0.6), (0.7, 0.7)]
    assert of_stream([(stamp, 100.0 + came) for stamp, came in frames]) == pytest.approx(
        [100.0, 100.1, 100.2, 100.3, 100.4, 100.7]
    )


def test_frames_that_come_sooner_than_the_first_keep_their_distance_while_it_is_old_enough() -> (
    None
):
    frames: list[tuple[float | None, float]] = [(0.0, 10.0), (0.1, 10.0), (0.2, 10.05)]
    assert of_stream(frames, first_age=0.3) == pytest.approx([9.7, 9.8, 9.9])
    assert of_stream(frames) == pytest.approx([10.0, 10.0, 10.05])


@pytest.mark.parametrize("jump", [-3600.0, 3600.0, 9800.0])
def test_a_camera_whose_clock_jumps_is_dated_by_arrival_and_goes_on(jump: float) -> None:
    clock = MediaClock()
    assert clock.date(10.0, 100.0) == 100.0
    assert clock.date(11.0 + jump, 101.0) == 101.0
    assert clock.date(12.0 + jump, 102.2) == pytest.approx(102.0)
    assert clock.jumps == 1


def test_an_arrival_clock_that_is_set_back_takes_the_dates_along() -> None:
    clock = MediaClock()
    clock.date(0.0, 5000.0)
    assert clock.date(0.1, 1400.0) == 1400.0
    assert clock.date(0.2, 1400.1) == pytest.approx(1400.1)
