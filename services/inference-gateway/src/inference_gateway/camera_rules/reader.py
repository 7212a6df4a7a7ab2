"""Parses polygons, lines, schedules and rules of a configuration, and collects its errors."""

import math
from collections.abc import Callable, Iterable
from datetime import datetime, time
from typing import Final, TypeVar

from chassis.refusals import Checks
from tartip.inference.v1 import functions_pb2 as pb
from vision.zones.monitor import ALWAYS, RuleUnusable, Schedule
from vision.zones.shapes import (
    WHOLE_PICTURE,
    Line,
    PlaceUnusable,
    Point,
    Polygon,
)

NAME_MAX: Final = 60
SECONDS_MAX: Final = 86_400.0
CORNERS_MAX: Final = 100
ANY_LINE: Final = Line("", Point(0, 0), Point(1, 1))
T = TypeVar("T")


class Reader:
    """Parses one rule of a configuration. A wrong value is reported to the `Checks` under the path
    of its field, and replaced by a valid default."""

    def __init__(self, check: Checks, path: str, labels: frozenset[str]) -> None:
        self._check = check
        self._path = path
        self._labels = labels
        self.names: list[str] = []

    def polygon(self, given: pb.Polygon, field: str) -> Polygon:
        if len(given.corners) > CORNERS_MAX:
            self._place(field, f"more than {CORNERS_MAX} corners")
            return WHOLE_PICTURE
        name = self._name(given.name, f"{field}.name")
        corners = tuple(Point(corner.x, corner.y) for corner in given.corners)
        return self._placed(field, WHOLE_PICTURE, lambda: Polygon(name, corners))

    def line(self, given: pb.DirectedLine, field: str) -> Line:
        name = self._name(given.name, f"{field}.name")
        start, end = Point(given.start.x, given.start.y), Point(given.end.x, given.end.y)
        return self._placed(field, ANY_LINE, lambda: Line(name, start, end))

    def place(self, field: str, make: Callable[[], object]) -> None:
        """Check the line or calibration given in `field`, which `make` builds. If `make` raises
        PlaceUnusable, report an error in `field`."""
        self._placed(field, None, make)

    def schedule(self, given: pb.Schedule, field: str = "schedule") -> Schedule:
        if not given.days and not given.start and not given.end:
            return ALWAYS
        days = frozenset(day - 1 for day in given.days) or ALWAYS.days
        start = self._time(given.start, f"{field}.start", ALWAYS.start)
        end = self._time(given.end, f"{field}.end", ALWAYS.end)
        if bool(given.start) != bool(given.end):
            self.unusable(field, "start and end: both, or neither")
        return self.rule(field, ALWAYS, lambda: Schedule(days, start, end))

    def labels(self, given: Iterable[str], field: str = "labels") -> frozenset[str]:
        labels = frozenset(given)
        if not labels:
            self.unusable(field, "at least one label")
        unknown = ", ".join(sorted(labels - self._labels)[:5])
        if unknown:
            self.unusable(field, f"nothing tells of {unknown}; known: {', '.join(self._known)}")
        return labels

    def number(
        self, given: float, field: str, *, most: float = SECONDS_MAX, otherwise: float = 0.0
    ) -> float:
        """Return `given`, or `otherwise` if `given` is 0 (not set). If `given` is negative, above
        `most` or not finite, report an error in `field` and return `otherwise`."""
        if not (math.isfinite(given) and 0 <= given <= most):
            self.unusable(field, f"0 to {most:g}")
            return otherwise
        return given or otherwise

    def rule(self, field: str, otherwise: T, make: Callable[[], T]) -> T:
        try:
            return make()
        except RuleUnusable as problem:
            self.unusable(field, str(problem))
            return otherwise

    def unusable(self, field: str, why: str) -> None:
        self._check.wrong(self._at(field), why, code="RULE_UNUSABLE")

    @property
    def _known(self) -> list[str]:
        return sorted(self._labels)

    def _placed(self, field: str, otherwise: T, make: Callable[[], T]) -> T:
        try:
            return make()
        except PlaceUnusable as problem:
            self._place(field, problem.facts["reason"])
            return otherwise

    def _place(self, field: str, why: str) -> None:
        self._check.wrong(self._at(field), why, code="PLACE_UNUSABLE")

    def _name(self, name: str, field: str) -> str:
        if not 0 < len(name) <= NAME_MAX:
            self._place(field, f"1 to {NAME_MAX} characters")
        self.names.append(name)
        return name

    def _time(self, given: str, field: str, otherwise: time) -> time:
        try:
            return datetime.strptime(given, "%H:%M").time() if given else otherwise  # noqa: DTZ007
        except ValueError:
            self.unusable(field, "a time such as 08:00")
            return otherwise

    def _at(self, field: str) -> str:
        return f"{self._path}.{field}" if field else self._path
