"""Left objects: who brought it, who is beside it, and what is no object at all."""

from datetime import UTC, datetime

import numpy as np
from inference_gateway.camera_rules.function import Moment
from inference_gateway.camera_rules.left_objects import LeftBehind
from vision.background.left_objects import LeftObjectRule, LeftObjects, Stage
from vision.boxes import Box
from vision.detector import VIDEO_SCALE, DetectionRequest, Detections
from vision.objects import DetectedObject
from vision.zones.shapes import FrameSize

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
BAG = Box(50, 60, 10, 10)
OWNER = Box(40, 37, 13, 33)
STEP = 0.4
SMALL = LeftObjectRule(working_width=120)


def street(*, bag: bool = False, owner: Box | None = None, light: float = 1.0) -> np.ndarray:
    """A grey street with a little noise that is the same in every frame."""
    picture = np.random.default_rng(3).normal(140, 3, (80, 120, 3))
    for box, grey in ((BAG if bag else None, 30), (owner, 70)):
        if box is not None:
            left, top = int(box.x), int(box.y)
            picture[top : top + int(box.height), left : left + int(box.width)] = grey
    return np.clip(picture * light, 0, 255).astype(np.uint8)


def told(*acts: tuple[float, bool, Box | None], light: float = 1.0) -> list[tuple[Stage, float]]:
    """Each act: seconds, whether the bag stands there, and the person that is seen."""
    watch, facts, at = LeftObjects(SMALL), [], 0.0
    for seconds, bag, owner in acts:
        for _ in range(round(seconds / STEP)):
            shade = light if at > 8 else 1.0
            frame = street(bag=bag, owner=owner, light=shade)
            facts += watch.add(frame, [owner] if owner else [], at=at)
            at += STEP
    return [(fact.stage, fact.at_seconds) for fact in facts]


EMPTY = (4.0, False, None)
BROUGHT = (6.0, True, OWNER)
ALONE = (12.0, True, None)


def test_bag_is_left_once_its_owner_has_gone() -> None:
    facts = told(EMPTY, BROUGHT, ALONE)
    assert [stage for stage, _ in facts] == [Stage.PUT, Stage.LEFT]
    assert 10 + 4 <= facts[1][1] <= 10 + 9


def test_bag_with_its_owner_beside_it_is_not_left() -> None:
    assert Stage.LEFT not in dict(told(EMPTY, (30.0, True, OWNER)))


def test_bag_that_is_fetched_is_reclaimed() -> None:
    stages = [stage for stage, _ in told(EMPTY, BROUGHT, ALONE, (4.0, False, None))]
    assert stages == [Stage.PUT, Stage.LEFT, Stage.RECLAIMED]


def test_what_is_told_no_more_is_forgotten() -> None:
    left = LeftBehind((SMALL,), FrameSize(120, 80))

    def show(seconds: float, bag: bool, owner: Box | None, *, begin: float) -> list[str]:
        told = []
        for step in range(round(seconds / STEP)):
            people = (DetectedObject("person", 0.9, owner),) if owner else ()
            moment = Moment(
                street(bag=bag, owner=owner),
                Detections(by_scale={VIDEO_SCALE: people}),
                begin + step * STEP,
                NOON,
                request=DetectionRequest(scales=frozenset({VIDEO_SCALE})),
            )
            told += [fact.what for fact in left.add(moment)]
        return told

    assert show(*EMPTY, begin=0.0) + show(*BROUGHT, begin=4.0) == []
    assert show(*ALONE, begin=10.0) == ["left"]
    assert left._left == {(0, 1)}
    assert show(4.0, False, None, begin=22.0) == ["reclaimed"]
    assert left._left == set()


def test_bag_that_stays_is_escalated() -> None:
    stages = [stage for stage, _ in told(EMPTY, BROUGHT, (70.0, True, None))]
    assert stages == [Stage.PUT, Stage.LEFT, Stage.ESCALATED]


def test_thing_that_nobody_brought_is_not_left() -> None:
    assert told(EMPTY, (20.0, True, None)) == []


def test_thing_that_was_there_first_and_is_taken_leaves_no_ghost() -> None:
    assert told((4.0, True, None), (3.0, True, OWNER), (20.0, False, None)) == []


def test_change_of_exposure_is_no_object() -> None:
    assert told(EMPTY, (3.0, False, OWNER), (20.0, False, None), light=0.8) == []
