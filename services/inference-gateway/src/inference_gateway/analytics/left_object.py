"""Finds what somebody put down and walked away from, in the frames of a camera that stands still.

A slow background is kept clean of whatever stands on it; what differs from it, does not move and
is no person becomes an object when a person was beside it as it came. Nobody beside it for a
while: it is left. The ghost of a thing that was taken away is learnt into the background at once.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from inference_gateway.analytics.places import WHOLE_PICTURE, Polygon
from inference_gateway.seeing.geometry import Box

Image = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

LEARNING_SECONDS: Final = 2.0
BACKGROUND_SECONDS: Final = 20.0
ABSORBING_SECONDS: Final = 60.0
RECENT_SECONDS: Final = 1.0
PERSON_HOLD_SECONDS: Final = 1.5
OVERLOOKED_SECONDS: Final = 30.0
STILL_THERE_SHARE: Final = 0.8
OWNER_SECONDS: Final = 20.0
GONE_SECONDS: Final = 1.5
LONGEST_STEP_SECONDS: Final = 1.0
DIFFERENCE: Final = 16.0
NOISE_FACTOR: Final = 4.0
STILLNESS: Final = 14.0
SHADOW: Final = (0.7, 0.98)
SHADOW_TINT: Final = 0.06
LIGHT_CHANGE_SHARE: Final = 0.5
FILL: Final = 0.3
OBJECT_OUTLINE: Final = 0.9
OBJECT_COLOURS: Final = 1.3
OBJECT_CONTRAST: Final = 24.0


class Stage(StrEnum):
    """What is told of an object; `put` and `reclaimed` also of one that was never left."""

    PUT = "put"
    LEFT = "left"
    ESCALATED = "escalated"
    RECLAIMED = "reclaimed"


@dataclass(frozen=True, slots=True)
class LeftObjectRule:
    """One setting serves all cameras; a camera may watch a part of its picture only."""

    zone: Polygon = WHOLE_PICTURE
    still_seconds: float = 2.5
    alone_seconds: float = 4.0
    escalate_seconds: float = 60.0
    near_heights: float = 0.5
    """Who is nearer to it than so many of their own heights attends it."""
    smallest_share: float = 0.0006
    largest_share: float = 0.04
    working_width: int = 360


@dataclass(frozen=True, slots=True)
class LeftObjectFact:
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
    """How much of the box differed from the background."""


@dataclass(slots=True)
class LeftObjects:
    """The left objects of one camera; frames must come in the order of their time."""

    rule: LeftObjectRule = field(default_factory=LeftObjectRule)
    _scene: "Scene | None" = None
    _objects: list[_Object] = field(default_factory=list)
    _present: list["_Person"] = field(default_factory=list)
    _past: list[tuple[float, list[Box]]] = field(default_factory=list)
    _next: int = 1

    def add(self, frame: Image, people: list[Box], *, at: float) -> list[LeftObjectFact]:
        """Take a frame and the people in it (boxes in its pixels); returns what has changed."""
        scale = self.rule.working_width / frame.shape[1]
        small = _small(frame, scale)
        if self._scene is None:
            self._scene = Scene(small, at, self.rule)
        near = [_scaled(box, scale) for box in people]
        self._scene.look(small, at=at)
        self._remember(near, at)
        step = self._scene.learn([who.box for who in self._present], self._kept())
        if step is None:
            self._objects = []
            return []
        told = [self._put(box, at) for box in self._scene.still_blobs() if self._is_new(box, at)]
        for thing in list(self._objects):
            told += self._follow(thing, step, at)
        return [_unscaled(fact, scale) for fact in told]

    def _remember(self, people: list[Box], at: float) -> None:
        """Who is overlooked in a frame, and has left no gap, is still there."""
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

    def _kept(self) -> list[Box]:
        return [thing.box for thing in self._objects]

    def _is_new(self, box: Box, at: float) -> bool:
        """Whether this is an object that somebody brought; a ghost is painted over instead."""
        assert self._scene is not None
        if any(_touch(box, who.box) for who in self._present):
            return False  # it may be a shoe or a sleeve; it can wait until they have gone
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
        """An object that was half hidden shows the rest; once told of, it stays as it is."""
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
            return []  # nothing is seen of it, so nothing is known
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


class Scene:
    """The background of a camera, and what stands still before it."""

    def __init__(self, first: Plane, at: float, rule: LeftObjectRule) -> None:
        self._rule = rule
        self._first: list[Plane] = []
        self._started = self._last = at
        self._background = first.copy()
        self._recent = first.copy()
        self._frame = first
        shape = first.shape[:2]
        self._noise: Plane = np.full(shape, 2.0, np.float32)
        self._still: Plane = np.zeros(shape, np.float32)
        self._difference: Plane = np.zeros(shape, np.float32)
        self._foreground: Mask = np.zeros(shape, np.bool_)
        self._step = 0.0
        self._zone = _filled(rule.zone, shape)

    def look(self, frame: Plane, *, at: float) -> None:
        """Take a frame in and tell what differs from the background."""
        self._step = min(LONGEST_STEP_SECONDS, max(0.0, at - self._last))
        self._last, self._frame = at, frame
        if at - self._started < LEARNING_SECONDS:
            self._first.append(frame)
            return
        if self._first:
            self._background = np.median(np.stack(self._first), 0).astype(np.float32)
            self._recent = self._background.copy()
            self._first = []
        self._frame = frame = self._as_lit_before(frame)
        self._difference = np.abs(frame - self._background).max(2)
        self._foreground = self._differing()

    def share_busy(self, box: Box) -> float:
        return float(self._foreground[_place(box, self._foreground.shape)].mean())

    def learn(self, people: list[Box], objects: list[Box]) -> float | None:
        """Seconds since the last frame; None while it learns or after the light has changed."""
        if self._first:
            return None
        frame, foreground, step = self._frame, self._foreground, self._step
        if foreground.mean() > LIGHT_CHANGE_SHARE:
            self._start_again(frame, self._last)
            return None
        hidden = _boxed(people, foreground.shape)
        still = foreground & (np.abs(frame - self._recent).max(2) < STILLNESS) & ~hidden
        grown = np.where(still, self._still + step, np.maximum(0, self._still - 2 * step))
        self._still = np.where(hidden, self._still, grown).astype(np.float32)
        self._adapt(frame, hidden | _boxed(objects, hidden.shape), step)
        return step

    def still_blobs(self) -> list[Box]:
        """What has stood still long enough, has the size of an object and lies in the zone."""
        mask = (self._still >= self._rule.still_seconds).astype(np.uint8)
        joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        joined = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        _, _, blobs, middles = cv2.connectedComponentsWithStats(joined)
        height, width = mask.shape
        found = []
        for (x, y, w, h, area), (cx, cy) in zip(blobs[1:].tolist(), middles[1:], strict=True):
            share = area / mask.size
            fits = self._rule.smallest_share <= share <= self._rule.largest_share
            inside = x > 1 and y > 1 and x + w < width - 1 and y + h < height - 1
            if fits and inside and area >= FILL * w * h and self._zone[int(cy), int(cx)]:
                found.append(Box(x, y, w, h))
        return found

    def is_ghost(self, box: Box) -> bool:
        """Whether the background, not the frame, shows a thing there: something was taken away.

        Two signs must agree: the outline, and how far its colours are from those around it.
        """
        outline, colours = self._signs(box)
        return outline < 1 and colours < 1

    def is_object(self, box: Box) -> bool:
        """The same two signs the other way round, and clearly another colour than before."""
        outline, colours = self._signs(box)
        clear = outline >= OBJECT_OUTLINE and colours >= OBJECT_COLOURS
        return clear and self.contrast(box) >= OBJECT_CONTRAST

    def _signs(self, box: Box) -> tuple[float, float]:
        """How much more of a thing the frame shows there than the background does, as ratios."""
        now, before = self._frame, self._background
        outline = self._outline(now, box) / max(1.0, self._outline(before, box))
        colours = self._stands_out(now, box) / max(1.0, self._stands_out(before, box))
        return outline, colours

    def absorb(self, box: Box) -> None:
        place = _place(box, self._still.shape)
        body = self._still[place] > 0
        self._background[place][body] = self._frame[place][body]
        self._still[place] = 0

    def contrast(self, box: Box) -> float:
        place = _place(box, self._still.shape)
        return float(np.abs(self._frame[place] - self._background[place]).max(2).mean())

    def patch(self, box: Box) -> Plane:
        return self._frame[_place(box, self._still.shape)].copy()

    def holds(self, box: Box, patch: Plane) -> bool:
        """Whether what was put there still looks more like itself than like the background."""
        place = _place(box, self._still.shape)
        now = self._frame[place]
        as_object = np.abs(now - patch).mean()
        as_background = np.abs(now - self._background[place]).mean()
        return bool(as_object < as_background)

    def _as_lit_before(self, frame: Plane) -> Plane:
        """A camera turns its own brightness up and down; most of the picture says how much."""
        gain = np.median((frame + 8) / (self._background + 8), axis=(0, 1))
        return np.asarray((frame + 8) / np.clip(gain, 0.5, 2.0) - 8, np.float32)

    def _differing(self) -> Mask:
        frame = self._frame
        found = self._difference > np.maximum(DIFFERENCE, NOISE_FACTOR * self._noise)
        ratio = (frame + 8) / (self._background + 8)
        middle = ratio.mean(2)
        even = np.abs(ratio - middle[..., None]).max(2) < SHADOW_TINT
        shadow = even & (middle > SHADOW[0]) & (middle < SHADOW[1])
        return np.asarray(found & ~shadow)

    def _adapt(self, frame: Plane, taken: Mask, step: float) -> None:
        """People and objects never become background; what else is new does so slowly."""
        self._recent += (frame - self._recent) * min(1.0, step / RECENT_SECONDS)
        busy = self._foreground
        calm = (~(busy | taken)).astype(np.float32)
        self._noise += calm * (self._difference - self._noise) * min(1.0, step / BACKGROUND_SECONDS)
        pace = np.where(busy, step / ABSORBING_SECONDS, step / BACKGROUND_SECONDS)
        pace = np.where(taken | (self._still > 0), 0, pace)[..., None].astype(np.float32)
        self._background += (frame - self._background) * pace

    def _outline(self, image: Plane, box: Box) -> float:
        """How much changes across the outline of what stands still there."""
        place = _place(_wider(box, 3), self._still.shape)
        body = (self._still[place] > 0).astype(np.uint8)
        ring = cv2.morphologyEx(body, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        grey = image[place].mean(2)
        steep = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
        return float(steep[ring].mean()) if ring.any() else 0.0

    def _stands_out(self, image: Plane, box: Box) -> float:
        place = _place(
            _wider(box, max(4, int(0.25 * min(box.width, box.height)))), self._still.shape
        )
        body = self._still[place] > 0
        if body.all() or not body.any():
            return 0.0
        return float(np.abs(image[place][body].mean(0) - image[place][~body].mean(0)).max())

    def _start_again(self, frame: Plane, at: float) -> None:
        self._started = at
        self._background, self._recent = frame.copy(), frame.copy()
        self._still[:] = 0


def _small(frame: Image, scale: float) -> Plane:
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (3, 3), 0), np.float32)


def _filled(zone: Polygon, shape: tuple[int, ...]) -> Mask:
    mask = np.zeros(shape, np.uint8)
    corners = [(corner.x * shape[1], corner.y * shape[0]) for corner in zone.corners]
    cv2.fillPoly(mask, [np.round(np.array(corners)).astype(np.int32)], 1)
    return mask > 0


def _boxed(boxes: list[Box], shape: tuple[int, ...]) -> Mask:
    mask = np.zeros(shape, np.bool_)
    for box in boxes:
        mask[_place(box, shape)] = True
    return mask


def _place(box: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    inside = box.within(width=shape[1], height=shape[0])
    left, top = int(inside.x), int(inside.y)
    right, bottom = round(inside.x + inside.width), round(inside.y + inside.height)
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


def _attends(person: Box, thing: Box, near_heights: float) -> bool:
    """By the gap between them on the ground; feet much higher or lower are farther away."""
    reach = near_heights * person.height
    aside = max(thing.x - person.x - person.width, person.x - thing.x - thing.width, 0.0)
    apart = abs(person.y + person.height - thing.y - thing.height)
    return aside <= reach and apart <= reach


def _is_among(box: Box, people: list[Box]) -> bool:
    return any(box.overlap(person) > 0.3 for person in people)


def _touch(box: Box, other: Box) -> bool:
    """Whether they overlap or have a small gap between them."""
    gap = 2.0
    wide = min(box.x + box.width, other.x + other.width) - max(box.x, other.x)
    tall = min(box.y + box.height, other.y + other.height) - max(box.y, other.y)
    return wide > -gap and tall > -gap


def _wider(box: Box, margin: int) -> Box:
    return Box(box.x - margin, box.y - margin, box.width + 2 * margin, box.height + 2 * margin)


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
        fact.stage, fact.number, fact.at_seconds, _scaled(fact.box, 1 / scale),
        fact.still_since, fact.alone_seconds, fact.confidence,
    )  # fmt: skip
