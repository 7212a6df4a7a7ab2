"""Detects tracks that enter a zone, stay in it, cross a line, or cross it the wrong way.

Each rule may apply only at the times of a schedule. A zone event is reported once for each stay of
a track in the zone. A line is crossed if the segment between two positions of a track intersects
it, so that a track that jumps is not missed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum
from typing import Final

from vision.boxes import Box
from vision.tracking.tracker import Track
from vision.zones.shapes import (
    FrameSize,
    Line,
    Point,
    Polygon,
)

ALL_DAYS: Final = frozenset(range(7))
FORGET_SECONDS: Final = 30.0


class RuleUnusable(ValueError):
    """A rule or schedule with invalid values. `facts` have the reason and, for a rule, its name."""

    def __init__(self, *, facts: dict[str, str]) -> None:
        super().__init__(": ".join(facts.values()))
        self.facts = facts


class ZoneEvent(StrEnum):
    """What a track did at a zone or line."""

    ENTERED = "entered"
    LOITERING = "loitering"
    CROSSED_FORWARD = "crossed_forward"
    CROSSED_BACKWARD = "crossed_backward"
    WRONG_WAY = "wrong_way"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a rule applies: days of the week (Monday is 0) and hours, in Almaty time.

    If `end` is before `start`, the hours run past midnight and belong to the day on which they
    start. Raises RuleUnusable if `days` is empty or has numbers other than 0 to 6, or if `start`
    and `end` are the same.
    """

    days: frozenset[int] = ALL_DAYS
    start: time = time.min
    end: time = time.max

    def __post_init__(self) -> None:
        if not self.days or not self.days <= ALL_DAYS:
            raise RuleUnusable(facts={"reason": "days must be some of 0 (Monday) to 6"})
        if self.start == self.end:
            raise RuleUnusable(facts={"reason": "the hours start and end at the same time"})

    def holds(self, local: datetime) -> bool:
        """Whether the schedule covers a local time in Asia/Almaty; start and end are included."""
        clock, day = local.time(), local.weekday()
        if self.start < self.end:
            return day in self.days and self.start <= clock <= self.end
        late = clock >= self.start and day in self.days
        early = clock <= self.end and (day - 1) % 7 in self.days
        return late or early


ALWAYS: Final = Schedule()


@dataclass(frozen=True, slots=True)
class ZoneRule:
    """Reports tracks with one of `labels` that stay in a zone.

    A track is reported as ENTERED after `dwell_seconds` in the zone, and as LOITERING after
    `loiter_seconds`. If `loiter_seconds` is None, no track is reported as LOITERING. Raises
    RuleUnusable if `labels` is empty, `dwell_seconds` is negative or `loiter_seconds` is not
    positive.
    """

    zone: Polygon
    labels: frozenset[str]
    dwell_seconds: float = 0.0
    loiter_seconds: float | None = None
    schedule: Schedule = ALWAYS

    def __post_init__(self) -> None:
        if not self.labels:
            raise RuleUnusable(facts={"rule": self.zone.name, "reason": "no labels to watch"})
        if self.dwell_seconds < 0 or (self.loiter_seconds is not None and self.loiter_seconds <= 0):
            raise RuleUnusable(facts={"rule": self.zone.name, "reason": "a time below zero"})


@dataclass(frozen=True, slots=True)
class LineRule:
    """Reports crossings of a line by tracks with one of `labels`. If `one_way`, a backward crossing
    is also reported as WRONG_WAY. Raises RuleUnusable if there are no labels."""

    line: Line
    labels: frozenset[str]
    one_way: bool = False
    schedule: Schedule = ALWAYS

    def __post_init__(self) -> None:
        if not self.labels:
            raise RuleUnusable(facts={"rule": self.line.name, "reason": "no labels to watch"})


@dataclass(frozen=True, slots=True)
class ZoneFact:
    """An event of a track at a zone or line.

    The field `rule` is the name of the zone or line, and `confidence` is the track's score. The
    field `box` is in pixels. The field `since_seconds` is when the stay in the zone began. For a
    line, it is when the track was last seen before it crossed the line.
    """

    event: ZoneEvent
    rule: str
    track: int
    label: str
    at_seconds: float
    since_seconds: float
    box: Box
    confidence: float


@dataclass(slots=True)
class _Stay:
    since: float
    last: float
    reported: set[ZoneEvent] = field(default_factory=set)


class ZoneMonitor:
    """Monitors the zones and lines of one camera. Frames must be added in the order of their
    time."""

    def __init__(
        self, zones: Iterable[ZoneRule] = (), lines: Iterable[LineRule] = (), *, frame: FrameSize
    ) -> None:
        self._zones, self._lines, self._frame = tuple(zones), tuple(lines), frame
        self._stays: dict[tuple[int, int], _Stay] = {}
        self._sides: dict[tuple[int, int], tuple[float, Point]] = {}

    def add(
        self, tracks: Iterable[Track], *, at: float, local: datetime | None = None
    ) -> list[ZoneFact]:
        """Add the tracks of a frame taken at `at` seconds; returns the new events.

        `local` is the time in Almaty: a rule with a schedule applies only if the schedule covers
        it. If `local` is None, all rules apply.
        """
        facts = []
        for track in tracks:
            for number, zone in enumerate(self._zones):
                if track.label in zone.labels and _watched(zone.schedule, local):
                    facts += self._stay(number, zone, track, at)
            for number, line in enumerate(self._lines):
                if track.label in line.labels:
                    facts += self._crossing(number, line, track, at, _watched(line.schedule, local))
        self._forget(at)
        return facts

    def _stay(self, number: int, rule: ZoneRule, track: Track, at: float) -> list[ZoneFact]:
        key = (number, track.number)
        if not rule.zone.holds(self._frame.foot(track.box)):
            self._stays.pop(key, None)
            return []
        stay = self._stays.setdefault(key, _Stay(at, at))
        stay.last = at
        inside, facts = at - stay.since, []
        limits = {ZoneEvent.ENTERED: rule.dwell_seconds, ZoneEvent.LOITERING: rule.loiter_seconds}
        for event, limit in limits.items():
            if limit is not None and inside >= limit and event not in stay.reported:
                stay.reported.add(event)
                facts.append(_fact(event, rule.zone.name, track, at, stay.since))
        return facts

    def _crossing(
        self, number: int, rule: LineRule, track: Track, at: float, watched: bool
    ) -> list[ZoneFact]:
        key, here = (number, track.number), self._frame.foot(track.box)
        before = self._sides.get(key)
        if before is None:
            before = (at, self._frame.foot(track.places[0].box))
        self._sides[key] = (at, here)
        if not watched or not rule.line.is_crossed(before[1], here):
            return []
        forward = rule.line.side(here) > 0
        crossed = ZoneEvent.CROSSED_FORWARD if forward else ZoneEvent.CROSSED_BACKWARD
        facts = [_fact(crossed, rule.line.name, track, at, before[0])]
        if rule.one_way and not forward:
            facts.append(_fact(ZoneEvent.WRONG_WAY, rule.line.name, track, at, before[0]))
        return facts

    def _forget(self, at: float) -> None:
        self._stays = {k: s for k, s in self._stays.items() if at - s.last <= FORGET_SECONDS}
        self._sides = {k: s for k, s in self._sides.items() if at - s[0] <= FORGET_SECONDS}


def _watched(schedule: Schedule, local: datetime | None) -> bool:
    return local is None or schedule.holds(local)


def _fact(event: ZoneEvent, rule: str, track: Track, at: float, since: float) -> ZoneFact:
    return ZoneFact(event, rule, track.number, track.label, at, since, track.box, track.score)
