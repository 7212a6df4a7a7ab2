"""Tracks boxes over the frames of one camera: matches the boxes of a frame with earlier tracks.

The next position of a track is predicted from its speed. Boxes with a high score are paired with
tracks first, then the other boxes; in each of the two steps, the best match is paired first. A
track is reported after enough detections.
"""

import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from vision.boxes import Box
from vision.objects import DetectedObject

REMEMBERED_PLACES: Final = 256
SPEED_SHARE: Final = 0.5
"""The weight of a newly measured speed in the speed of a track."""


@dataclass(frozen=True, slots=True)
class TrackingRule:
    """The thresholds of tracking.

    A box with a score (0 to 1) of at least `confident` can start a track. `overlap` is the least
    IoU of a box with a track's predicted box. A track is reported from its `seen_at_least`-th
    detection on. A track without a detection for `forget_seconds` ends.
    """

    confident: float = 0.4
    faint: float = 0.3
    """Boxes with scores from `faint` to `confident` continue a track but never start one."""
    overlap: float = 0.15
    reach: float = 0.4
    """Without overlap, the largest distance from the predicted centre, in box sizes."""
    forget_seconds: float = 0.7
    seen_at_least: int = 3


@dataclass(frozen=True, slots=True)
class Sighting:
    """The box of an object in one frame, and the frame's time in seconds, as given to `Tracker`."""

    seconds: float
    box: Box


@dataclass(slots=True)
class Track:
    """One object over several frames.

    `score` is the highest score of its detections. `places` are its latest boxes with their times,
    oldest first. `speed` is (horizontal, vertical) in pixels per second.
    """

    number: int
    last_seen: float
    box: Box
    score: float
    labels: Counter[str] = field(default_factory=Counter)
    places: deque[Sighting] = field(default_factory=lambda: deque(maxlen=REMEMBERED_PLACES))
    sightings: int = 1
    speed: tuple[float, float] = (0.0, 0.0)

    @property
    def label(self) -> str:
        """The label with which the object was detected most often."""
        return self.labels.most_common(1)[0][0]

    def predicted(self, at: float) -> Box:
        """The expected box at the time `at` (seconds), if the speed stays the same."""
        ahead = at - self.last_seen
        return Box(
            self.box.x + self.speed[0] * ahead,
            self.box.y + self.speed[1] * ahead,
            self.box.width,
            self.box.height,
        )

    def update(self, detected: DetectedObject, *, at: float) -> None:
        """Add a detection at `at` seconds; updates position, speed and score."""
        passed = at - self.last_seen
        if passed > 0:
            measured = [
                (there - here) / passed
                for here, there in zip(_middle(self.box), _middle(detected.box), strict=True)
            ]
            share = SPEED_SHARE if self.sightings > 1 else 1.0
            self.speed = (
                self.speed[0] + share * (measured[0] - self.speed[0]),
                self.speed[1] + share * (measured[1] - self.speed[1]),
            )
        self.box, self.last_seen = detected.box, at
        self.score = max(self.score, detected.score)
        self.sightings += 1
        self.labels[detected.label] += 1
        self.places.append(Sighting(at, detected.box))


class Tracker:
    """Tracks the objects of one camera. Frames must be added in the order of their time."""

    def __init__(
        self, rule: TrackingRule | None = None, *, numbers: Iterator[int] | None = None
    ) -> None:
        self._rule = rule or TrackingRule()
        self._open: list[Track] = []
        # Several trackers of one camera may share their numbers.
        self._numbers = numbers or count(1)

    def add(self, objects: Iterable[DetectedObject], *, at: float) -> list[Track]:
        """Add the objects of a frame taken at `at` seconds. Returns the tracks that continue or
        begin in this frame and have at least `seen_at_least` (`TrackingRule`) detections."""
        rule = self._rule
        self._open = [t for t in self._open if at - t.last_seen <= rule.forget_seconds]
        boxes = [detected for detected in objects if detected.score >= rule.faint]
        strong = [detected for detected in boxes if detected.score >= rule.confident]
        weak = [detected for detected in boxes if detected.score < rule.confident]
        free = list(self._open)
        left = self._pair(strong, free, at)
        self._pair(weak, free, at)
        for detected in left:
            self._open.append(self._started(detected, at))
        return [t for t in self._open if t.last_seen == at and t.sightings >= rule.seen_at_least]

    def _pair(
        self, boxes: list[DetectedObject], free: list[Track], at: float
    ) -> list[DetectedObject]:
        """Pair boxes with tracks, best match first, and remove paired tracks from `free`. Returns
        the boxes without a track."""
        pairs = [
            (closeness, box_place, track)
            for track in free
            for box_place, detected in enumerate(boxes)
            if (closeness := self._closeness(track.predicted(at), detected.box)) > 0
        ]
        paired: set[int] = set()
        for _, place, track in sorted(pairs, key=lambda pair: (-pair[0], pair[1])):
            if place not in paired and track in free:
                paired.add(place)
                free.remove(track)
                track.update(boxes[place], at=at)
        return [detected for place, detected in enumerate(boxes) if place not in paired]

    def _closeness(self, predicted: Box, box: Box) -> float:
        """How well two boxes match: above 1 if they overlap, 0 if they are too far apart."""
        overlap = predicted.iou(box)
        if overlap >= self._rule.overlap:
            return 1 + overlap
        (x, y), (u, v) = _middle(predicted), _middle(box)
        size = max(box.width, box.height, predicted.width, predicted.height, 1e-9)
        return max(0.0, 1 - math.dist((x, y), (u, v)) / (size * self._rule.reach))

    def _started(self, detected: DetectedObject, at: float) -> Track:
        track = Track(
            next(self._numbers), at, detected.box, detected.score, Counter([detected.label])
        )
        track.places.append(Sighting(at, detected.box))
        return track


def _middle(box: Box) -> tuple[float, float]:
    return box.x + box.width / 2, box.y + box.height / 2
