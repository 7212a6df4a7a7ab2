"""Crowds: told once, after a while, and ended only when clearly over."""

import pytest
from inference_gateway.analytics.crowd import CrowdChange, CrowdRule, CrowdWatch
from inference_gateway.analytics.places import WHOLE_PICTURE, Frame
from inference_gateway.analytics.zones import RuleUnusable
from inference_gateway.functions.crowds import worded
from inference_gateway.seeing.geometry import Box

FRAME = Frame(100, 100)


def told(counts: list[int], rule: CrowdRule) -> list[tuple[CrowdChange, float]]:
    watch, facts = CrowdWatch(rule, frame=FRAME), []
    for second, count in enumerate(counts):
        facts += watch.add([Box(10, 10, 10, 20)] * count, at=float(second))
    return [(fact.change, fact.at_seconds) for fact in facts]


def test_crowd_forms_after_its_dwell_and_disperses_once() -> None:
    rule = CrowdRule(WHOLE_PICTURE, people=10, dwell_seconds=5)
    counts = [12] * 8 + [9, 12, 9, 12] * 3 + [2] * 8
    changes = told(counts, rule)
    assert [change for change, _ in changes] == [CrowdChange.FORMED, CrowdChange.DISPERSED]
    assert changes[0][1] == 5


def test_one_bad_frame_says_nothing() -> None:
    rule = CrowdRule(WHOLE_PICTURE, people=10, dwell_seconds=0)
    assert told([3, 3, 3, 30, 3, 3, 3], rule) == []


def test_rising_trend_is_told_before_the_limit() -> None:
    rule = CrowdRule(WHOLE_PICTURE, people=99, rising_per_minute=20, rising_seconds=20)
    changes = told([second // 2 for second in range(40)], rule)
    assert [change for change, _ in changes] == [CrowdChange.RISING]


def test_two_rises_within_one_window_are_two_things() -> None:
    rule = CrowdRule(WHOLE_PICTURE, people=99, rising_per_minute=9)
    watch, facts = CrowdWatch(rule, frame=FRAME), []
    for place, count in enumerate([0] * 20 + [10] * 7 + [0, 0, 40, 40]):
        facts += watch.add([Box(10, 10, 10, 20)] * count, at=2.0 * place)
    assert [(fact.since_seconds, fact.at_seconds) for fact in facts] == [(0, 54), (0, 60)]
    assert len({worded(fact).thing for fact in facts}) == 2


def test_density_needs_the_area() -> None:
    watch = CrowdWatch(CrowdRule(WHOLE_PICTURE, 3, square_metres=50), frame=FRAME)
    watch.add([Box(10, 10, 10, 20)] * 10, at=0)
    assert watch.count.per_square_metre == pytest.approx(0.2)
    assert CrowdWatch(CrowdRule(WHOLE_PICTURE, 3), frame=FRAME).count.per_square_metre is None


def test_crowd_of_nobody_is_refused() -> None:
    with pytest.raises(RuleUnusable):
        CrowdRule(WHOLE_PICTURE, people=0)
