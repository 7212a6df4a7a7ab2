"""Crowds as events: each rise is a thing of its own."""

from inference_gateway.camera_rules.crowds import worded
from vision.boxes import Box
from vision.people.crowd import CrowdMonitor, CrowdRule
from vision.zones.shapes import WHOLE_PICTURE, FrameSize

FRAME = FrameSize(100, 100)


def test_two_rises_within_one_window_are_two_things() -> None:
    rule = CrowdRule(WHOLE_PICTURE, people=99, rising_per_minute=9)
    watch, facts = CrowdMonitor(rule, frame=FRAME), []
    for place, count in enumerate([0] * 20 + [10] * 7 + [0, 0, 40, 40]):
        facts += watch.add([Box(10, 10, 10, 20)] * count, at=2.0 * place)
    assert [(fact.since_seconds, fact.at_seconds) for fact in facts] == [(0, 54), (0, 60)]
    assert len({worded(fact).thing for fact in facts}) == 2
