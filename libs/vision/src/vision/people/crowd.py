"""The number and density of people in a zone, and whether the number is too high or rising.

Counts are medians over a few seconds, so that a single wrong count has no effect. A crowd is
reported once. The end of the crowd is reported when the count has fallen to 80 % of the rule's
`people`.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Final

from vision.boxes import Box
from vision.zones.monitor import ALWAYS, RuleUnusable, Schedule
from vision.zones.shapes import FrameSize, Polygon

SMOOTHING_SECONDS: Final = 4.0
END_SHARE: Final = 0.8
TREND_SAMPLES: Final = 5


class CrowdChange(StrEnum):
    """A reported change of the number of people in a zone: a crowd formed or dispersed, or the
    number is rising fast."""

    FORMED = "formed"
    DISPERSED = "dispersed"
    RISING = "rising"


@dataclass(frozen=True, slots=True)
class CrowdRule:
    """When a crowd in a zone is reported: at least `people` people for `dwell_seconds`.

    A rise by at least `rising_per_minute` people a minute, measured over `rising_seconds`, is
    reported too, unless `rising_per_minute` is None. Raises RuleUnusable if `dwell_seconds` is
    negative, or if `people`, `rising_seconds` or `square_metres` is not positive.
    """

    zone: Polygon
    people: int
    dwell_seconds: float = 10.0
    square_metres: float | None = None
    """The area of the zone on the ground; without it no density is computed."""
    rising_per_minute: float | None = None
    rising_seconds: float = 60.0
    schedule: Schedule = ALWAYS

    def __post_init__(self) -> None:
        if self.people < 1:
            raise RuleUnusable(facts={"rule": self.zone.name, "reason": "a crowd of nobody"})
        if self.dwell_seconds < 0 or self.rising_seconds <= 0:
            raise RuleUnusable(facts={"rule": self.zone.name, "reason": "a time below zero"})
        if self.square_metres is not None and self.square_metres <= 0:
            raise RuleUnusable(facts={"rule": self.zone.name, "reason": "an area below zero"})


@dataclass(frozen=True, slots=True)
class CrowdCount:
    """The number of people in a zone at a moment, smoothed over a few seconds."""

    people: float
    per_square_metre: float | None
    per_minute: float | None
    """The growth in people per minute; None until enough time was observed."""


@dataclass(frozen=True, slots=True)
class CrowdFact:
    """A reported change in the number of people in a zone; `rule` is the zone's name.

    The change was reported at `at_seconds`. The crowd began at `since_seconds`. For RISING, this is
    the start of the period in which the rise was measured. Both are times of frames in seconds.
    """

    change: CrowdChange
    rule: str
    at_seconds: float
    since_seconds: float
    count: CrowdCount


class CrowdMonitor:
    """Counts the people in one zone of one camera.

    Frames must be added in the order of their time.
    """

    def __init__(self, rule: CrowdRule, *, frame: FrameSize) -> None:
        self._rule, self._frame = rule, frame
        self._counts: deque[tuple[float, int]] = deque()
        self._smooth: deque[tuple[float, float]] = deque()
        self._over_since: float | None = None
        self._formed = False
        self._rising = False

    def add(self, people: Iterable[Box], *, at: float) -> list[CrowdFact]:
        """Count the people of a frame in the zone; return the changes to report.

        Boxes are in pixels; `at` is the time of the frame in seconds.
        """
        inside = sum(self._rule.zone.holds(self._frame.foot(box)) for box in people)
        self._counts.append((at, inside))
        _drop_before(self._counts, at - SMOOTHING_SECONDS)
        self._smooth.append((at, median(count for _, count in self._counts)))
        _drop_before(self._smooth, at - self._rule.rising_seconds)
        return [*self._crowd(at), *self._trend(at)]

    @property
    def count(self) -> CrowdCount:
        """The smoothed count after the last frame; zero people before the first frame."""
        people = self._smooth[-1][1] if self._smooth else 0.0
        area = self._rule.square_metres
        return CrowdCount(people, people / area if area else None, self._slope())

    def _crowd(self, at: float) -> list[CrowdFact]:
        people = self._smooth[-1][1]
        if self._formed and people <= END_SHARE * self._rule.people - 1e-9:
            since = at if self._over_since is None else self._over_since
            self._formed, self._over_since = False, None
            return [self._fact(CrowdChange.DISPERSED, at, since)]
        if people < self._rule.people:
            self._over_since = self._over_since if self._formed else None
            return []
        self._over_since = at if self._over_since is None else self._over_since
        if self._formed or at - self._over_since < self._rule.dwell_seconds:
            return []
        self._formed = True
        return [self._fact(CrowdChange.FORMED, at, self._over_since)]

    def _trend(self, at: float) -> list[CrowdFact]:
        limit, slope = self._rule.rising_per_minute, self._slope()
        if limit is None or slope is None:
            return []
        was, self._rising = self._rising, slope >= limit
        return (
            []
            if was or not self._rising
            else [self._fact(CrowdChange.RISING, at, self._smooth[0][0])]
        )

    def _slope(self) -> float | None:
        """The growth in people per minute, by least squares; None until the window is nearly
        full."""
        if len(self._smooth) < TREND_SAMPLES:
            return None
        if self._smooth[-1][0] - self._smooth[0][0] < 0.9 * self._rule.rising_seconds:
            return None
        size = len(self._smooth)
        middle = sum(seconds for seconds, _ in self._smooth) / size
        level = sum(people for _, people in self._smooth) / size
        spread = sum((seconds - middle) ** 2 for seconds, _ in self._smooth)
        together = sum((seconds - middle) * (people - level) for seconds, people in self._smooth)
        return 60 * together / spread

    def _fact(self, change: CrowdChange, at: float, since: float) -> CrowdFact:
        return CrowdFact(change, self._rule.zone.name, at, since, self.count)


def _drop_before(
    entries: "deque[tuple[float, int]] | deque[tuple[float, float]]", at: float
) -> None:
    while entries and entries[0][0] < at:
        entries.popleft()
