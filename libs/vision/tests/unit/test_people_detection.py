"""People in stills: looks are put together, and each is asked only about sizes it knows."""

import numpy as np
from vision.boxes import Box
from vision.objects import DetectedObject
from vision.people.detection import (
    InferenceScale,
    PeopleRule,
    for_detector,
    people,
    scales,
)

PICTURE = np.zeros((480, 640, 3), np.uint8)
RULE = PeopleRule(scales(640, 960), 0.28)


def person(x: float, score: float) -> DetectedObject:
    return DetectedObject("person", score, Box(x, 100, 40, 100))


def test_person_whom_all_looks_see_is_one_person() -> None:
    seen = {look: [person(100 + place, 0.5)] for place, look in enumerate(RULE.scales)}
    (found,) = people(seen, PICTURE, RULE)
    assert found.score == 0.5
    assert 100 < found.box.x < 103


def test_what_one_look_alone_sees_is_nobody() -> None:
    seen: dict[InferenceScale, list[DetectedObject]] = {look: [] for look in RULE.scales}
    seen[RULE.scales[0]] = [person(100, 0.9)]
    assert people(seen, PICTURE, RULE) == []


def test_two_who_stand_together_are_two() -> None:
    seen = {look: [person(100, 0.5), person(125, 0.5)] for look in RULE.scales}
    assert len(people(seen, PICTURE, RULE)) == 2


def test_a_head_is_no_second_person() -> None:
    head = DetectedObject("person", 0.6, Box(108, 102, 24, 30))
    seen = {look: [person(100, 0.5), head] for look in RULE.scales}
    (found,) = people(seen, PICTURE, RULE)
    assert found.box.height == 100


def test_a_child_in_front_of_somebody_is_a_second_person() -> None:
    child = DetectedObject("person", 0.6, Box(108, 150, 24, 48))
    seen = {look: [person(100, 0.5), child] for look in RULE.scales}
    assert len(people(seen, PICTURE, RULE)) == 2


def test_what_is_shown_has_sides_that_the_detector_takes() -> None:
    image = for_detector(PICTURE, InferenceScale(640, mirrored=True))
    assert image.shape == (480, 640, 3)
    assert for_detector(PICTURE[:400, :333], InferenceScale(640, mirrored=False)).shape == (
        640,
        544,
        3,
    )
