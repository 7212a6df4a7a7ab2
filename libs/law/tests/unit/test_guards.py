"""The guards, each by itself: one passage, journeys, readings, device clocks, kinds, papers."""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from law.guards import HoldReason, Measured, Rule, Sighting, is_verified, load

NOW = datetime(2026, 6, 3, 7, tzinfo=UTC)
GUARDS = load().at(NOW)
ALMATY = Sighting(43.2389, 76.8897, NOW)
ASTANA = Sighting(51.1694, 71.4491, NOW)
LIMIT_60 = Measured(speed_kmh=92.0, speed_limit_kmh=60.0)
RED = Measured(signal_phase="RED", signal_age_seconds=2.4, past_stop_line=True)


def sighting(metres_north: float = 0.0, seconds: float = 0.0) -> Sighting:
    """One of the first camera of a row; a degree of latitude measures 111 195 m."""
    return Sighting(43.0 + metres_north / 111_195, 76.0, NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("metres", "seconds", "same"),
    [
        (0, 0, True),
        (1, 0, True),
        (299, 0, True),
        (301, 0, False),
        (0, 60, True),
        (0, 60.001, False),
        (0, -60, True),
        (0, -61, False),
        (299, 59, True),
        (301, 61, False),
    ],
)
def test_within_300_metres_and_a_minute_is_one_passage(
    metres: float, seconds: float, same: bool
) -> None:
    assert GUARDS.passage.is_same(sighting(), sighting(metres, seconds)) is same


def test_a_camera_may_only_widen_the_window_of_its_own() -> None:
    windows = [GUARDS.passage.window_of_camera(seconds) for seconds in (0, 1, 60, 600)]
    assert windows == [timedelta(seconds=seconds) for seconds in (60, 60, 60, 600)]


@pytest.mark.parametrize(
    ("elapsed", "possible"),
    [
        (timedelta(seconds=2), False),
        (timedelta(hours=3), False),  # 974 km at 325 km/h
        (timedelta(hours=4), True),
        (timedelta(hours=-3), False),
        (timedelta(hours=-4), True),
    ],
)
def test_no_car_drives_from_almaty_to_astana_in_three_hours(
    elapsed: timedelta, possible: bool
) -> None:
    there = Sighting(ASTANA.latitude, ASTANA.longitude, NOW + elapsed)
    assert GUARDS.journey.is_possible(ALMATY, there) is possible
    assert GUARDS.journey.is_possible(there, ALMATY) is possible


@pytest.mark.parametrize(("metres", "possible"), [(300, True), (4_400, True), (4_600, False)])
def test_clocks_that_differ_by_a_minute_contradict_nobody(metres: float, possible: bool) -> None:
    assert GUARDS.journey.is_possible(sighting(), sighting(metres)) is possible


@given(st.floats(0, 300), st.floats(-3_600, 3_600))
def test_what_is_one_passage_is_a_possible_journey(metres: float, seconds: float) -> None:
    first, second = sighting(), sighting(metres, seconds)
    assert GUARDS.journey.is_possible(first, second)


@given(
    st.floats(40.5, 55.5),
    st.floats(46.4, 87.4),
    st.floats(40.5, 55.5),
    st.floats(46.4, 87.4),
)
def test_beyond_the_horizon_no_two_places_of_the_country_contradict_each_other(
    latitude: float, longitude: float, other_latitude: float, other_longitude: float
) -> None:
    first = Sighting(latitude, longitude, NOW)
    second = Sighting(other_latitude, other_longitude, NOW + GUARDS.journey.horizon)
    assert GUARDS.journey.is_possible(first, second) or first.metres_to(second) > 3_000_000


@pytest.mark.parametrize(
    ("speed", "limit", "held"),
    [
        (92.0, 60.0, None),
        (160.0, 140.0, None),
        (40.0, 5.0, None),
        (300.0, 110.0, None),
        (71.0, 0.0, HoldReason.SPEED_LIMIT_IMPLAUSIBLE),
        (71.0, -40.0, HoldReason.SPEED_LIMIT_IMPLAUSIBLE),
        (71.0, 4.0, HoldReason.SPEED_LIMIT_IMPLAUSIBLE),
        (92.0, 61.0, HoldReason.SPEED_LIMIT_IMPLAUSIBLE),
        (200.0, 145.0, HoldReason.SPEED_LIMIT_IMPLAUSIBLE),
        (92.0, math.nan, HoldReason.SPEED_LIMIT_IMPLAUSIBLE),
        (92.0, math.inf, HoldReason.SPEED_LIMIT_IMPLAUSIBLE),
        (999.0, 60.0, HoldReason.SPEED_IMPLAUSIBLE),
        (300.1, 60.0, HoldReason.SPEED_IMPLAUSIBLE),
        (19.9, 5.0, HoldReason.SPEED_IMPLAUSIBLE),
        (-92.0, 60.0, HoldReason.SPEED_IMPLAUSIBLE),
        (math.nan, 60.0, HoldReason.SPEED_IMPLAUSIBLE),
        (None, 60.0, HoldReason.SPEED_MISSING),
        (92.0, None, HoldReason.SPEED_MISSING),
    ],
)
def test_speeds_that_cars_reach_on_limits_that_roads_have(
    speed: float | None, limit: float | None, held: HoldReason | None
) -> None:
    measured = Measured(speed_kmh=speed, speed_limit_kmh=limit)
    assert GUARDS.readings.why_held(Rule.SPEED, measured) is held


@pytest.mark.parametrize(
    ("phase", "age", "past", "held"),
    [
        ("RED", 2.4, True, None),
        ("RED", 0.0, True, None),
        ("RED", 600.0, True, None),
        ("RED", 600.1, True, HoldReason.SIGNAL_IMPLAUSIBLE),
        ("RED", -0.1, True, HoldReason.SIGNAL_IMPLAUSIBLE),
        ("RED", math.nan, True, HoldReason.SIGNAL_IMPLAUSIBLE),
        ("RED", math.inf, True, HoldReason.SIGNAL_IMPLAUSIBLE),
        ("GREEN", 2.4, True, HoldReason.SIGNAL_ALLOWED_PASSING),
        ("YELLOW", 2.4, True, HoldReason.SIGNAL_ALLOWED_PASSING),
        ("RED", 2.4, False, HoldReason.STOP_LINE_NOT_PASSED),
        ("", 2.4, True, HoldReason.SIGNAL_MISSING),
        ("RED", None, True, HoldReason.SIGNAL_MISSING),
        ("RED", 2.4, None, HoldReason.SIGNAL_MISSING),
    ],
)
def test_a_red_light_needs_a_red_light_an_age_and_a_line(
    phase: str, age: float | None, past: bool | None, held: HoldReason | None
) -> None:
    measured = Measured(signal_phase=phase, signal_age_seconds=age, past_stop_line=past)
    assert GUARDS.readings.why_held(Rule.RED_LIGHT, measured) is held


def test_each_rule_looks_at_its_own_readings() -> None:
    assert GUARDS.readings.why_held(Rule.SPEED, RED) is HoldReason.SPEED_MISSING
    assert GUARDS.readings.why_held(Rule.RED_LIGHT, LIMIT_60) is HoldReason.SIGNAL_MISSING


@pytest.mark.parametrize(
    ("kind", "speed", "of_camera", "excess"),
    [
        ("SPEED_POINT", 92.0, 0.0, "30"),  # a camera without a tolerance has its kind's
        ("SPEED_POINT", 92.0, 1.0, "30"),
        ("SPEED_POINT", 92.0, 3.0, "29"),  # the camera's own where it is larger
        ("SPEED_POINT", 150.0, 2.0, "87"),  # 2 % above 100 km/h
        ("SPEED_SECTION", 92.0, 0.0, "30"),
        ("OVERVIEW", 92.0, 0.0, "30"),
        ("", 82.3, 2.3, "20"),  # as written, not in binary
    ],
)
def test_the_larger_tolerance_is_taken_off_in_favour_of_the_driver(
    kind: str, speed: float, of_camera: float, excess: str
) -> None:
    measured = Measured(speed_kmh=speed, speed_limit_kmh=60.0)
    assert GUARDS.readings.excess_kmh(kind, measured, of_camera) == Decimal(excess)


@pytest.mark.parametrize("measured", [Measured(), Measured(92.0), Measured(math.nan, 60.0)])
def test_without_both_readings_there_is_no_excess(measured: Measured) -> None:
    assert GUARDS.readings.excess_kmh("SPEED_POINT", measured) is None


@pytest.mark.parametrize(
    ("late", "held"),
    [
        (timedelta(0), None),
        (timedelta(seconds=-5), None),
        (timedelta(seconds=-5.1), HoldReason.DEVICE_CLOCK_AHEAD),
        (timedelta(hours=24), None),
        (timedelta(hours=24, seconds=1), HoldReason.DEVICE_CLOCK_BEHIND),
        (timedelta(days=9), HoldReason.DEVICE_CLOCK_BEHIND),
    ],
)
def test_a_device_clock_is_bounded_both_ways_by_arrival(
    late: timedelta, held: HoldReason | None
) -> None:
    assert GUARDS.device_clock.why_held(NOW - late, NOW) is held


@pytest.mark.parametrize(
    ("kind", "rules"),
    [
        ("SPEED_POINT", {Rule.SPEED}),
        ("SPEED_SECTION", {Rule.SPEED}),
        ("RED_LIGHT", {Rule.RED_LIGHT}),
        ("ANPR", set()),
        ("OVERVIEW", set()),
        ("FACE", set()),
        ("BODY", set()),
        ("DRONE", set()),
        ("", set()),
        ("UNSPECIFIED", set()),
    ],
)
def test_the_kind_of_a_camera_says_what_it_may_find(kind: str, rules: set[Rule]) -> None:
    assert {rule for rule in Rule if GUARDS.camera_kinds.may_find(kind, rule)} == rules
    assert GUARDS.camera_kinds.measures_speed(kind) == (Rule.SPEED in rules)


def test_offences_that_a_device_measures_have_their_rule() -> None:
    assert GUARDS.rule_of("SPEED_60_PLUS") is Rule.SPEED
    assert GUARDS.rule_of("RED_LIGHT") is Rule.RED_LIGHT
    assert GUARDS.rule_of("PARK_GENERAL") is None


@pytest.mark.parametrize(
    ("at", "verified"),
    [
        (datetime(2026, 6, 3, 6, 59, tzinfo=UTC), False),  # before it was verified, that morning
        (datetime(2026, 6, 3, 7, 0, tzinfo=UTC), True),
        (datetime(2027, 6, 3, 0, 1, tzinfo=UTC), True),
        (datetime(2027, 6, 3, 18, 59, tzinfo=UTC), True),  # 23:59 of the last day in Almaty
        (datetime(2027, 6, 3, 19, 0, tzinfo=UTC), False),
    ],
)
def test_a_verification_holds_through_its_last_day(at: datetime, verified: bool) -> None:
    assert is_verified(NOW, datetime(2027, 6, 3, tzinfo=UTC), at) is verified
