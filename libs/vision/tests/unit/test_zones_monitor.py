"""Zones and lines: each fact once, in the right direction, at the hours it is watched."""

from datetime import UTC, datetime, time

import pytest
from vision.boxes import Box
from vision.objects import DetectedObject
from vision.tracking.tracker import Track, Tracker
from vision.zones.monitor import (
    LineRule,
    RuleUnusable,
    Schedule,
    ZoneEvent,
    ZoneMonitor,
    ZoneRule,
)
from vision.zones.shapes import (
    FrameSize,
    Line,
    Point,
    Polygon,
)

FRAME = FrameSize(100, 100)
RIGHT_HALF = Polygon("yard", (Point(0.5, 0), Point(1, 0), Point(1, 1), Point(0.5, 1)))
PEOPLE = frozenset({"person"})
DOWN = Line("gate", Point(0, 0.5), Point(1, 0.5))


def walked(places: list[tuple[float, float]], watch: ZoneMonitor) -> list[tuple[str, float]]:
    """What is told of one person whose feet are at these places, one a second."""
    tracks, told = Tracker(), []
    for second, (x, y) in enumerate(places):
        box = Box(x - 10, y - 40, 20, 40)
        seen: list[Track] = tracks.add([DetectedObject("person", 0.9, box)], at=second / 2)
        told += watch.add(seen, at=second / 2)
    return [(fact.event.value, fact.at_seconds) for fact in told]


def test_entering_and_loitering_are_told_once_each() -> None:
    watch = ZoneMonitor([ZoneRule(RIGHT_HALF, PEOPLE, loiter_seconds=3)], frame=FRAME)
    places = [(40.0, 90.0), (44, 90), (48, 90), *[(60.0, 90.0)] * 12]
    assert walked(places, watch) == [("entered", 1.5), ("loitering", 4.5)]


def test_who_leaves_and_comes_back_has_entered_again() -> None:
    watch = ZoneMonitor([ZoneRule(RIGHT_HALF, PEOPLE)], frame=FRAME)
    places = [(55.0, 90.0)] * 4 + [(47, 90)] * 2 + [(55, 90)] * 2
    assert [name for name, _ in walked(places, watch)] == ["entered", "entered"]


@pytest.mark.parametrize(
    ("steps", "told"),
    [(6, ["crossed_forward"]), (-6, ["crossed_backward", "wrong_way"])],
)
def test_line_knows_its_direction(steps: int, told: list[str]) -> None:
    watch = ZoneMonitor(lines=[LineRule(DOWN, PEOPLE, one_way=True)], frame=FRAME)
    start = 50 - 5 * steps + 1
    places = [(50.0, start + steps * step) for step in range(10)]
    assert [name for name, _ in walked([(x, float(y)) for x, y in places], watch)] == told


def test_others_are_not_watched() -> None:
    watch = ZoneMonitor([ZoneRule(RIGHT_HALF, frozenset({"car"}))], frame=FRAME)
    assert walked([(60.0, 90.0)] * 6, watch) == []


def test_night_watch_runs_past_midnight_and_belongs_to_its_first_day() -> None:
    friday_night = Schedule(frozenset({4}), time(22), time(6))
    moments = {
        datetime(2026, 11, 20, 23, tzinfo=UTC): True,  # Friday
        datetime(2026, 11, 21, 5, tzinfo=UTC): True,
        datetime(2026, 11, 20, 5, tzinfo=UTC): False,
        datetime(2026, 11, 21, 23, tzinfo=UTC): False,
    }
    assert {moment: friday_night.holds(moment) for moment in moments} == moments


def test_outside_of_its_hours_a_zone_tells_nothing() -> None:
    never_now = Schedule(start=time(1), end=time(2))
    watch = ZoneMonitor([ZoneRule(RIGHT_HALF, PEOPLE, schedule=never_now)], frame=FRAME)
    track = Track(1, 1, Box(60, 50, 20, 40), 0.9)
    track.labels["person"] += 1
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert watch.add([track], at=1, local=noon) == []
    assert watch.add([track], at=2)[0].event is ZoneEvent.ENTERED


def test_rule_that_can_never_hold_is_refused() -> None:
    for wrong in (
        lambda: ZoneRule(RIGHT_HALF, frozenset()),
        lambda: ZoneRule(RIGHT_HALF, PEOPLE, loiter_seconds=0),
        lambda: LineRule(DOWN, frozenset()),
        lambda: Schedule(days=frozenset({7})),
        lambda: Schedule(start=time(3), end=time(3)),
    ):
        with pytest.raises(RuleUnusable):
            wrong()
