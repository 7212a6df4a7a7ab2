"""Counts vehicles by class and direction, and measures their speed on a calibrated road.

Vehicles that the detector does not recognise, such as cars seen from above, are found as moving
areas that differ from a learned background. Speed is computed from four points of the road with
known positions and reported with its uncertainty.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from vision.arrays import Picture
from vision.boxes import Box
from vision.objects import VEHICLES, DetectedObject
from vision.tracking.tracker import Sighting, Track
from vision.zones.monitor import (
    LineRule,
    ZoneEvent,
    ZoneFact,
    ZoneMonitor,
)
from vision.zones.shapes import (
    FrameSize,
    Line,
    PlaceUnusable,
    Point,
)

MOVING: Final = "moving object"
"""The label of something that moves like a vehicle without being recognised as one."""
MOVING_SCORE: Final = 0.5
COUNTED: Final = VEHICLES | {MOVING}
WORKING_WIDTH: Final = 480
HISTORY_SECONDS: Final = 20.0
LEARNING_SECONDS: Final = 1.0
SMALLEST_SHARE: Final = 0.0012
LEAST_VARIANCE: Final = 20.0
MOVED_SIZES: Final = 0.5
"""A track is counted once it has moved half its own size, to exclude trees and shadows."""
LEAST_SIGHTINGS: Final = 4
CLOSING: Final = 5
STRAIGHT: Final = 0.6
"""The least ratio of direct to travelled distance, to exclude tracks that move back and forth."""
CORNER_ERROR_PIXELS: Final = 2.0
COUNTED_KEPT_SECONDS: Final = 600.0
"""Far longer than a track survives without detections (2.5 frames); its number is never reused."""
PLACE_ERROR_SHARE: Final = 0.05
SURE_DEVIATIONS: Final = 1.96


class MovingObjects:
    """Detects moving objects in the picture of one camera.

    Frames must be added in the order of their time.
    """

    def __init__(self, *, frames_per_second: float) -> None:
        history = max(1, round(HISTORY_SECONDS * frames_per_second))
        self._background = cv2.createBackgroundSubtractorMOG2(history, 25, True)
        # A bound on the variance: a still scene has hardly any noise until its exposure changes.
        self._background.setVarMin(LEAST_VARIANCE)
        self._learning = max(1, round(LEARNING_SECONDS * frames_per_second))
        self._frames = 0

    def add(self, frame: Picture) -> list[DetectedObject]:
        """Update the background with a BGR frame and return everything that moves.

        Boxes are in pixels of the frame. The result is empty during the first second, while the
        background is learned.
        """
        scale = WORKING_WIDTH / frame.shape[1]
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        mask = self._background.apply(cv2.GaussianBlur(small, (5, 5), 0))
        self._frames += 1
        if self._frames <= self._learning:
            return []
        moving = (mask == 255).astype(np.uint8)  # 127 is shadow
        moving = cv2.morphologyEx(moving, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        moving = cv2.morphologyEx(moving, cv2.MORPH_CLOSE, np.ones((CLOSING, CLOSING), np.uint8))
        _, _, blobs, _ = cv2.connectedComponentsWithStats(moving)
        return [
            DetectedObject(MOVING, MOVING_SCORE, Box(x / scale, y / scale, w / scale, h / scale))
            for x, y, w, h, area in blobs[1:].tolist()
            if area >= SMALLEST_SHARE * moving.size
        ]


def joined(
    recognised: Iterable[DetectedObject], moving: Iterable[DetectedObject]
) -> list[DetectedObject]:
    """Return the vehicles among `recognised` and, after them, the `moving` objects that overlap
    none of these vehicles."""
    vehicles = [detected for detected in recognised if detected.label in VEHICLES]
    others = [
        detected
        for detected in moving
        if not any(_meet(detected.box, known.box) for known in vehicles)
    ]
    return vehicles + others


@dataclass(slots=True)
class _Counted:
    """A counted track and the directions in which it was counted."""

    last_seen: float
    ways: set[ZoneEvent] = field(default_factory=set)


@dataclass(slots=True)
class VehicleCounter:
    """Counts the tracks that cross a line, for each class of vehicle. Each track counts at most
    once in each direction."""

    line: Line
    frame: FrameSize
    forward: Counter[str] = field(default_factory=Counter)
    backward: Counter[str] = field(default_factory=Counter)
    _counted: dict[int, _Counted] = field(default_factory=dict)
    _watch: ZoneMonitor = field(init=False)

    def __post_init__(self) -> None:
        self._watch = ZoneMonitor(lines=[LineRule(self.line, COUNTED)], frame=self.frame)

    def add(self, tracks: Iterable[Track], *, at: float) -> list[ZoneFact]:
        """Add the tracks of a frame taken at `at` seconds; returns the crossings that were
        counted."""
        present, facts = list(tracks), []
        self._forget({track.number for track in present}, at)
        for fact in self._watch.add([track for track in present if _has_moved(track)], at=at):
            counted = self._counted.setdefault(fact.track, _Counted(at))
            if fact.event in counted.ways:
                continue
            counted.ways.add(fact.event)
            ahead = fact.event is ZoneEvent.CROSSED_FORWARD
            (self.forward if ahead else self.backward)[fact.label] += 1
            facts.append(fact)
        return facts

    def _forget(self, present: set[int], at: float) -> None:
        """Delete counted tracks that left long ago; present ones are not counted again."""
        for number, counted in list(self._counted.items()):
            if number in present:
                counted.last_seen = at
            elif at - counted.last_seen > COUNTED_KEPT_SECONDS:
                del self._counted[number]


@dataclass(frozen=True, slots=True)
class Speed:
    """A speed in km/h. With 95 % probability the true speed is within `uncertainty_kmh` of
    `kmh`."""

    kmh: float
    uncertainty_kmh: float


class Road:
    """A flat stretch of road before a fixed camera, calibrated by four points.

    `in_picture` are the positions of the points in the picture. `metres` are the positions of the
    same points on the ground, in metres along two axes. Raises PlaceUnusable unless there are four
    points of which no three lie on one line.
    """

    def __init__(
        self,
        in_picture: tuple[Point, ...],
        metres: tuple[tuple[float, float], ...],
        frame: FrameSize,
    ) -> None:
        if len(in_picture) != 4 or len(metres) != 4:
            raise PlaceUnusable(facts={"place": "calibration", "reason": "not four points"})
        self._pixels = np.array(
            [(p.x * frame.width, p.y * frame.height) for p in in_picture], np.float32
        )
        self._metres = np.array(metres, np.float32)
        if _flat(self._pixels) or _flat(self._metres):
            raise PlaceUnusable(facts={"place": "calibration", "reason": "points lie in one line"})
        self._ground = cv2.getPerspectiveTransform(self._pixels, self._metres)

    def speed(self, track: Track) -> Speed | None:
        """Return the mean speed over the latest places of a track, None if there are too few."""
        places = list(track.places)
        passed = places[-1].seconds - places[0].seconds
        if len(places) < LEAST_SIGHTINGS or passed <= 0:
            return None
        feet = np.array([_foot(place.box) for place in places], np.float32)
        seconds = np.array([place.seconds for place in places])
        velocity, scatter = _fitted(seconds, _on_ground(self._ground, feet))
        metres_per_second = float(np.hypot(*velocity))
        drawn = self._drawing_error(feet, seconds, metres_per_second)
        placed = PLACE_ERROR_SHARE * _length(_on_ground(self._ground, _shaken(places))) / passed
        deviation = math.sqrt(scatter**2 + drawn**2 + placed**2)
        return Speed(3.6 * metres_per_second, 3.6 * SURE_DEVIATIONS * deviation)

    def _drawing_error(
        self, feet: npt.NDArray[np.float32], seconds: npt.NDArray[np.float64], speed: float
    ) -> float:
        """The error of the speed, in m/s, from calibration points misplaced by some pixels."""
        changes = []
        for place in range(4):
            for shift in ((CORNER_ERROR_PIXELS, 0), (0, CORNER_ERROR_PIXELS)):
                moved = self._pixels.copy()
                moved[place] += shift
                ground = cv2.getPerspectiveTransform(moved, self._metres)
                velocity, _ = _fitted(seconds, _on_ground(ground, feet))
                changes.append(float(np.hypot(*velocity)) - speed)
        return math.sqrt(sum(change**2 for change in changes))


def _fitted(
    seconds: npt.NDArray[np.float64], metres: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], float]:
    """The velocity in m/s along both axes by least squares, and its standard deviation in m/s."""
    since = seconds - seconds.mean()
    spread = float((since**2).sum())
    velocity = (since[:, None] * (metres - metres.mean(0))).sum(0) / spread
    rest = metres - metres.mean(0) - since[:, None] * velocity
    freedom = max(1, len(seconds) - 2)
    return velocity, math.sqrt(float((rest**2).sum()) / freedom / spread)


def _on_ground(
    ground: npt.NDArray[Any], points: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    return np.asarray(cv2.perspectiveTransform(points[None], ground)[0], np.float64)


def _shaken(places: list[Sighting]) -> npt.NDArray[np.float32]:
    """The ends [2, 2] of the last box's lower edge, which is as long as the vehicle is wide."""
    box = places[-1].box
    return np.array(
        [(box.x, box.y + box.height), (box.x + box.width, box.y + box.height)], np.float32
    )


def _length(ends: npt.NDArray[np.float64]) -> float:
    return float(np.hypot(*(ends[1] - ends[0])))


def _foot(box: Box) -> tuple[float, float]:
    return box.x + box.width / 2, box.y + box.height


def _flat(points: npt.NDArray[np.float32]) -> bool:
    """Whether three of the four points lie nearly on one line, relative to the points' extent."""
    size = float(np.ptp(points, axis=0).max())
    for left_out in range(4):
        a, b, c = np.delete(points, left_out, 0).astype(float)
        area = abs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])) / 2
        if area < 1e-3 * size**2 or size == 0:
            return True
    return False


def _has_moved(track: Track) -> bool:
    if track.sightings < LEAST_SIGHTINGS:
        return False
    feet = [_foot(place.box) for place in track.places]
    direct = math.dist(feet[0], feet[-1])
    walked = sum(math.dist(feet[place], feet[place + 1]) for place in range(len(feet) - 1))
    far = direct >= MOVED_SIZES * max(track.box.width, track.box.height)
    return far and direct >= STRAIGHT * walked


def _meet(box: Box, other: Box) -> bool:
    wide = min(box.x + box.width, other.x + other.width) - max(box.x, other.x)
    tall = min(box.y + box.height, other.y + other.height) - max(box.y, other.y)
    smaller = min(box.width * box.height, other.width * other.height)
    return wide > 0 and tall > 0 and wide * tall > 0.2 * smaller
