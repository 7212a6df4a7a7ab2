"""Who enters a zone, stays in it, crosses a line, goes the wrong way; when it is watched at all.

Facts are told once for each trail and rule. A line is crossed where the way between two places of
the same trail meets it, so a trail that jumps is not missed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum
from typing import Final

from inference_gateway.analytics.places import Frame, Line, Point, Polygon
from inference_gateway.analytics.tracking import Trail
from inference_gateway.seeing.geometry import Box

ALL_DAYS: Final = frozenset(range(7))
FORGET_SECONDS: Final = 30.0


class RuleUnusable(ValueError):
    """A rule that can never hold; `facts` name it and the reason. See `PlaceUnusable`."""

    def __init__(self, *, facts: dict[str, str]) -> None:
        super().__init__(": ".join(facts.values()))
        self.facts = facts


class Happening(StrEnum):
    ENTERED = "entered"
    LOITERING = "loitering"
    CROSSED_FORWARD = "crossed_forward"
    CROSSED_BACKWARD = "crossed_backward"
    WRONG_WAY = "wrong_way"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Local days (Monday is 0) and hours; a window that ends before it starts runs past midnight
    and belongs to the day it starts on."""

    days: frozenset[int] = ALL_DAYS
    start: time = time.min
    end: time = time.max

    def __post_init__(self) -> None:
        if not self.days or not self.days <= ALL_DAYS:
            raise RuleUnusable(facts={"reason": "days must be some of 0 (Monday) to 6"})
        if self.start == self.end:
            raise RuleUnusable(facts={"reason": "the hours start and end at the same time"})

    def holds(self, local: datetime) -> bool:
        clock, day = local.time(), local.weekday()
        if self.start < self.end:
            return day in self.days and self.start <= clock <= self.end
        late = clock >= self.start and day in self.days
        early = clock <= self.end and (day - 1) % 7 in self.days
        return late or early


ALWAYS: Final = Schedule()


@dataclass(frozen=True, slots=True)
class ZoneRule:
    """Entering is told after `dwell_seconds` inside, loitering after `loiter_seconds`."""

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
    """Crossing backward is the wrong way where the line is one-way."""

    line: Line
    labels: frozenset[str]
    one_way: bool = False
    schedule: Schedule = ALWAYS

    def __post_init__(self) -> None:
        if not self.labels:
            raise RuleUnusable(facts={"rule": self.line.name, "reason": "no labels to watch"})


@dataclass(frozen=True, slots=True)
class ZoneFact:
    happening: Happening
    rule: str
    trail: int
    label: str
    at_seconds: float
    since_seconds: float
    box: Box
    confidence: float


@dataclass(slots=True)
class _Stay:
    since: float
    last: float
    told: set[Happening] = field(default_factory=set)


class ZoneWatch:
    """The zones and lines of one camera; trails must come in the order of their time."""

    def __init__(
        self, zones: Iterable[ZoneRule] = (), lines: Iterable[LineRule] = (), *, frame: Frame
    ) -> None:
        self._zones, self._lines, self._frame = tuple(zones), tuple(lines), frame
        self._stays: dict[tuple[int, int], _Stay] = {}
        self._sides: dict[tuple[int, int], tuple[float, Point]] = {}

    def add(
        self, trails: Iterable[Trail], *, at: float, local: datetime | None = None
    ) -> list[ZoneFact]:
        """Take the trails seen in a frame; without a local time every schedule holds."""
        told = []
        for trail in trails:
            for number, zone in enumerate(self._zones):
                if trail.label in zone.labels and _watched(zone.schedule, local):
                    told += self._stay(number, zone, trail, at)
            for number, line in enumerate(self._lines):
                if trail.label in line.labels:
                    told += self._crossing(number, line, trail, at, _watched(line.schedule, local))
        self._forget(at)
        return told

    def _stay(self, number: int, rule: ZoneRule, trail: Trail, at: float) -> list[ZoneFact]:
        key = (number, trail.number)
        if not rule.zone.holds(self._frame.foot(trail.box)):
            self._stays.pop(key, None)
            return []
        stay = self._stays.setdefault(key, _Stay(at, at))
        stay.last = at
        inside, told = at - stay.since, []
        limits = {Happening.ENTERED: rule.dwell_seconds, Happening.LOITERING: rule.loiter_seconds}
        for happening, limit in limits.items():
            if limit is not None and inside >= limit and happening not in stay.told:
                stay.told.add(happening)
                told.append(_fact(happening, rule.zone.name, trail, at, stay.since))
        return told

    def _crossing(
        self, number: int, rule: LineRule, trail: Trail, at: float, watched: bool
    ) -> list[ZoneFact]:
        key, here = (number, trail.number), self._frame.foot(trail.box)
        before = self._sides.get(key)
        if before is None:
            before = (at, self._frame.foot(trail.places[0].box))
        self._sides[key] = (at, here)
        if not watched or not rule.line.is_crossed(before[1], here):
            return []
        forward = rule.line.side(here) > 0
        crossed = Happening.CROSSED_FORWARD if forward else Happening.CROSSED_BACKWARD
        told = [_fact(crossed, rule.line.name, trail, at, before[0])]
        if rule.one_way and not forward:
            told.append(_fact(Happening.WRONG_WAY, rule.line.name, trail, at, before[0]))
        return told

    def _forget(self, at: float) -> None:
        self._stays = {k: s for k, s in self._stays.items() if at - s.last <= FORGET_SECONDS}
        self._sides = {k: s for k, s in self._sides.items() if at - s[0] <= FORGET_SECONDS}


def _watched(schedule: Schedule, local: datetime | None) -> bool:
    return local is None or schedule.holds(local)


def _fact(happening: Happening, rule: str, trail: Trail, at: float, since: float) -> ZoneFact:
    return ZoneFact(happening, rule, trail.number, trail.label, at, since, trail.box, trail.score)
