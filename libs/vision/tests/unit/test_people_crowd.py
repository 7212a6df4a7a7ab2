"""Crowds: told once, after a while, and ended only when clearly over."""

import pytest
from vision.boxes import Box
from vision.people.crowd import CrowdChange, CrowdMonitor, CrowdRule
from vision.zones.monitor import RuleUnusable
from vision.zones.shapes import WHOLE_PICTURE, FrameSize

FRAME = FrameSize(100, 100)


def told(counts: list[int], rule: CrowdRule) -> list[tuple[CrowdChange, float]]:
    watch, facts = CrowdMonitor(rule, frame=FRAME), []
    for second, count in enumerate(counts):
        facts += watch.add([Box(10, 10, 10, 20)] * count, at=float(second))
    return [(fact.change, fact.at_seconds) for fact in facts]


def test_crowd_forms_after_its_dwell_and_disperses_once() -> None:
    rule = CrowdRule(WHOLE_PICTURE, people=10, dwell_seconds=5)
    counts = [12] * 8 + [9, 12, 9, 12] * 3 + [2] * 8
    changes = told(counts, rule)
    assert [change for change, _ in changes] == [CrowdChange.FORMED, CrowdChange.DISPERSED]
    assert changes[0][1] == 5


def test_a_crowd_that_was_there_from_the_first_frame_has_lasted_since_then() -> None:
    watch = CrowdMonitor(CrowdRule(WHOLE_PICTURE, people=10, dwell_seconds=5), frame=FRAME)
    facts = []
    for second, count in enumerate([12] * 9 + [2] * 9):
        facts += watch.add([Box(10, 10, 10, 20)] * count, at=float(second))
    assert [fact.since_seconds for fact in facts] == [0, 0]


def test_one_bad_frame_says_nothing() -> None:
    rule = CrowdRule(WHOLE_PICTURE, people=10, dwell_seconds=0)
    assert told([3, 3, 3, 30, 3, 3, 3], rule) == []


def test_rising_trend_is_told_before_the_limit() -> None:
    rule = CrowdRule(WHOLE_PICTURE, people=99, rising_per_minute=20, rising_seconds=20)
    changes = told([second // 2 for second in range(40)], rule)
    assert [change for change, _ in changes] == [CrowdChange.RISING]


def test_density_needs_the_area() -> None:
    watch = CrowdMonitor(CrowdRule(WHOLE_PICTURE, 3, square_metres=50), frame=FRAME)
    watch.add([Box(10, 10, 10, 20)] * 10, at=0)
    assert watch.count.per_square_metre == pytest.approx(0.2)
    assert CrowdMonitor(CrowdRule(WHOLE_PICTURE, 3), frame=FRAME).count.per_square_metre is None


def test_crowd_of_nobody_is_refused() -> None:
    with pytest.raises(RuleUnusable):
        CrowdRule(WHOLE_PICTURE, people=0)
