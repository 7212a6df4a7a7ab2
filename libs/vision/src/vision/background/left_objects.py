"""Detects abandoned objects in the frames of a fixed camera.

A model of the background is learned slowly, and never from people or detected objects. An object is
a still region that differs from the background and is not a person. A person must have been beside
the region when it appeared. An object is left once nobody has been beside it for a while. Where
part of the background itself was taken away, the frame's still pixels are copied into the model.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from vision.background.still_scene import Plane, StillScene
from vision.boxes import Box
from vision.zones.shapes import WHOLE_PICTURE, Polygon

Image = npt.NDArray[np.uint8]

PERSON_HOLD_SECONDS: Final = 1.5
OVERLOOKED_SECONDS: Final = 30.0
STILL_THERE_SHARE: Final = 0.8
OWNER_SECONDS: Final = 20.0
GONE_SECONDS: Final = 1.5


class Stage(StrEnum):
    """The reported stages of an object: put down, left alone, left alone for long, gone. An object
    may be reclaimed (gone) without ever having been left."""

    PUT = "put"
    LEFT = "left"
    ESCALATED = "escalated"
    RECLAIMED = "reclaimed"


@dataclass(frozen=True, slots=True)
class LeftObjectRule:
    """The thresholds for abandoned objects.

    Objects are looked for in `zone`; `smallest_share` and `largest_share` limit their area, as
    shares of the picture's area. Frames are analysed at a width of `working_width` pixels.

    An object is reported as put down after it was still for `still_seconds`, as left after it was
    alone for `alone_seconds`, and as escalated after it was alone for `escalate_seconds`.
    """

    zone: Polygon = WHOLE_PICTURE
    still_seconds: float = 2.5
    alone_seconds: float = 4.0
    escalate_seconds: float = 60.0
    near_heights: float = 0.5
    """A person within this many of their own heights attends the object."""
    smallest_share: float = 0.0006
    largest_share: float = 0.04
    working_width: int = 360


@dataclass(frozen=True, slots=True)
class LeftObjectFact:
    """A report that an object reached `stage` at `at_seconds`.

    The field `number` identifies the object among those of its camera. The field `box` is in pixels
    of the frame. The fields `at_seconds` and `still_since` are times of frames in seconds. Nobody
    has been beside the object for `alone_seconds`. The field `confidence` is 0 to 1.
    """

    stage: Stage
    number: int
    at_seconds: float
    box: Box
    still_since: float
    alone_seconds: float
    confidence: float


@dataclass(slots=True)
class _Object:
    number: int
    box: Box
    patch: Plane
    since: float
    contrast: float
    alone_seconds: float = 0.0
    near_seconds: float = 0.0
    gone_seconds: float = 0.0
    stage: Stage = Stage.PUT


@dataclass(frozen=True, slots=True)
class _Person:
    box: Box
    seen_at: float
    busy: float
    """The share of the box that differed from the background."""


@dataclass(slots=True)
class LeftObjects:
    """Detects the abandoned objects of one camera.

    Frames must be added in the order of their time.
    """

    rule: LeftObjectRule = field(default_factory=LeftObjectRule)
    _scene: StillScene | None = None
    _objects: list[_Object] = field(default_factory=list)
    _present: list[_Person] = field(default_factory=list)
    _past: list[tuple[float, list[Box]]] = field(default_factory=list)
    _next: int = 1

    def add(self, frame: Image, people: list[Box], *, at: float) -> list[LeftObjectFact]:
        """Process a BGR frame and return the objects that reached a new stage.

        `people` are the boxes of people in pixels of the frame; `at` is the time of the frame in
        seconds.
        """
        scale = self.rule.working_width / frame.shape[1]
        small = _small(frame, scale)
        if self._scene is None:
            self._scene = StillScene(small, at, self.rule.zone)
        near = [_scaled(box, scale) for box in people]
        self._scene.look(small, at=at)
        self._remember(near, at)
        step = self._scene.learn([who.box for who in self._present], self._object_boxes())
        if step is None:
            self._objects = []
            return []
        still = self._scene.still_blobs(
            seconds=self.rule.still_seconds,
            smallest=self.rule.smallest_share,
            largest=self.rule.largest_share,
        )
        facts = [self._put(box, at) for box in still if self._is_new(box)]
        for thing in list(self._objects):
            facts += self._follow(thing, step, at)
        return [_unscaled(fact, scale) for fact in facts]

    @property
    def followed(self) -> set[int]:
        """The numbers of the objects that are present now. A number is never reused."""
        return {thing.number for thing in self._objects}

    def _remember(self, people: list[Box], at: float) -> None:
        """Store the people of a frame, including earlier people whom the detector missed but whose
        region still differs from the background."""
        assert self._scene is not None
        before = [who for who in self._present if not _is_among(who.box, people)]
        self._present = [_Person(box, at, self._scene.share_busy(box)) for box in people]
        for who in before:
            unseen = at - who.seen_at
            stays = self._scene.share_busy(who.box) >= STILL_THERE_SHARE * who.busy
            if unseen <= PERSON_HOLD_SECONDS or (stays and unseen <= OVERLOOKED_SECONDS):
                self._present.append(who)
        self._past.append((at, people))
        self._past = [(then, boxes) for then, boxes in self._past if at - then <= OWNER_SECONDS]

    def _object_boxes(self) -> list[Box]:
        return [thing.box for thing in self._objects]

    def _is_new(self, box: Box) -> bool:
        """Whether a still region is a new object that a person brought. The region of a removed
        object is copied into the background."""
        assert self._scene is not None
        if any(_touch(box, who.box) for who in self._present):
            return False  # it may be part of the person: wait until they have gone
        known = [thing for thing in self._objects if _touch(box, thing.box)]
        if known:
            self._show_more(known[0], box)
            return False
        if self._scene.is_ghost(box):
            self._scene.absorb(box)
        if not self._scene.is_object(box):
            return False
        return any(_touch(person, box) for _, people in self._past for person in people)

    def _show_more(self, thing: _Object, box: Box) -> None:
        """Enlarge the box of an object that was partly hidden, unless it was reported as left."""
        assert self._scene is not None
        if (
            thing.stage is Stage.PUT
            and box.width * box.height > 1.2 * thing.box.width * thing.box.height
        ):
            thing.box, thing.patch = box, self._scene.patch(box)

    def _put(self, box: Box, at: float) -> LeftObjectFact:
        assert self._scene is not None
        thing = _Object(self._next, box, self._scene.patch(box), at, self._scene.contrast(box))
        self._next += 1
        self._objects.append(thing)
        return _fact(thing, Stage.PUT, at)

    def _follow(self, thing: _Object, step: float, at: float) -> list[LeftObjectFact]:
        assert self._scene is not None
        people = [who.box for who in self._present]
        if any(_covers(person, thing.box) for person in people):
            return []  # the object is hidden: its state does not change
        if not self._scene.holds(thing.box, thing.patch):
            thing.gone_seconds += step
            return self._gone(thing, at) if thing.gone_seconds >= GONE_SECONDS else []
        thing.gone_seconds = 0.0
        if any(_attends(person, thing.box, self.rule.near_heights) for person in people):
            thing.near_seconds += step
            if thing.near_seconds >= 1.0:
                thing.alone_seconds = 0.0
            return []
        thing.near_seconds = 0.0
        thing.alone_seconds += step
        return self._alone(thing, at)

    def _gone(self, thing: _Object, at: float) -> list[LeftObjectFact]:
        self._objects.remove(thing)
        return [_fact(thing, Stage.RECLAIMED, at)]

    def _alone(self, thing: _Object, at: float) -> list[LeftObjectFact]:
        if thing.stage is Stage.PUT and thing.alone_seconds >= self.rule.alone_seconds:
            thing.stage = Stage.LEFT
        elif thing.stage is Stage.LEFT and thing.alone_seconds >= self.rule.escalate_seconds:
            thing.stage = Stage.ESCALATED
        else:
            return []
        return [_fact(thing, thing.stage, at)]


def _small(frame: Image, scale: float) -> Plane:
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (3, 3), 0), np.float32)


def _attends(person: Box, thing: Box, near_heights: float) -> bool:
    """Whether an object is near a person: gap and lower edges within `near_heights` body
    heights."""
    reach = near_heights * person.height
    aside = max(thing.x - person.x - person.width, person.x - thing.x - thing.width, 0.0)
    apart = abs(person.y + person.height - thing.y - thing.height)
    return aside <= reach and apart <= reach


def _is_among(box: Box, people: list[Box]) -> bool:
    return any(box.iou(person) > 0.3 for person in people)


def _touch(box: Box, other: Box) -> bool:
    """Whether two boxes overlap or are less than two pixels apart."""
    gap = 2.0
    wide = min(box.x + box.width, other.x + other.width) - max(box.x, other.x)
    tall = min(box.y + box.height, other.y + other.height) - max(box.y, other.y)
    return wide > -gap and tall > -gap


def _covers(person: Box, thing: Box) -> bool:
    return _share_covered(thing, person) > 0.7


def _share_covered(box: Box, other: Box) -> float:
    wide = min(box.x + box.width, other.x + other.width) - max(box.x, other.x)
    tall = min(box.y + box.height, other.y + other.height) - max(box.y, other.y)
    return max(0.0, wide) * max(0.0, tall) / max(1e-9, box.width * box.height)


def _scaled(box: Box, scale: float) -> Box:
    return Box(box.x * scale, box.y * scale, box.width * scale, box.height * scale)


def _fact(thing: _Object, stage: Stage, at: float) -> LeftObjectFact:
    confidence = min(1.0, thing.contrast / 60)
    return LeftObjectFact(
        stage, thing.number, at, thing.box, thing.since, thing.alone_seconds, confidence
    )


def _unscaled(fact: LeftObjectFact, scale: float) -> LeftObjectFact:
    return LeftObjectFact(
        fact.stage,
        fact.number,
        fact.at_seconds,
        _scaled(fact.box, 1 / scale),
        fact.still_since,
        fact.alone_seconds,
        fact.confidence,
    )
