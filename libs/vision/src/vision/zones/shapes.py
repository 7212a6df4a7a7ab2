"""Points, polygons and directed lines on a picture, as shares of its width and height.

Unusable shapes raise PlaceUnusable when they are constructed. An object is in a polygon if the
middle of the lower edge of its box is in the polygon: there it touches the ground.
"""

import math
from dataclasses import dataclass
from typing import Final

from vision.boxes import Box

SMALLEST_AREA: Final = 1e-5
SHORTEST_LINE: Final = 1e-3


class PlaceUnusable(ValueError):
    """An unusable polygon, line or calibration. `facts` has its name and the reason.

    Code that reads a camera's configuration turns this error into one for the caller.
    """

    def __init__(self, *, facts: dict[str, str]) -> None:
        super().__init__(": ".join(facts.values()))
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Point:
    """A point, as shares of the picture's width and height; the origin is at the top left."""

    x: float
    y: float

    def distance(self, other: "Point") -> float:
        """The Euclidean distance between two points, in shares of the picture."""
        return math.hypot(self.x - other.x, self.y - other.y)


@dataclass(frozen=True, slots=True)
class FrameSize:
    """The size, in pixels, of the picture to which boxes refer."""

    width: int
    height: int

    def foot(self, box: Box) -> Point:
        """The middle of a box's lower edge, where an object touches the ground, in shares of the
        picture."""
        return Point((box.x + box.width / 2) / self.width, (box.y + box.height) / self.height)

    def middle(self, box: Box) -> Point:
        """The centre of a box, in shares of the picture."""
        return Point((box.x + box.width / 2) / self.width, (box.y + box.height / 2) / self.height)


@dataclass(frozen=True, slots=True)
class Polygon:
    """A polygon whose edges do not cross.

    Raises PlaceUnusable if edges cross, the area is almost zero, there are fewer than three
    different corners, or a corner lies outside of the picture.
    """

    name: str
    corners: tuple[Point, ...]

    def __post_init__(self) -> None:
        _check_points(self.name, self.corners)
        if len(set(self.corners)) < 3:
            raise PlaceUnusable(facts={"place": self.name, "reason": "fewer than three corners"})
        if self.area < SMALLEST_AREA:
            raise PlaceUnusable(facts={"place": self.name, "reason": "no area"})
        if _crosses_itself(self.corners):
            raise PlaceUnusable(facts={"place": self.name, "reason": "its edge crosses itself"})

    @property
    def area(self) -> float:
        """The area as a share of the picture."""
        return abs(sum(a.x * b.y - b.x * a.y for a, b in _edges(self.corners))) / 2

    def holds(self, point: Point) -> bool:
        """Whether a point lies inside the polygon, by the even-odd rule."""
        inside = False
        for a, b in _edges(self.corners):
            if (a.y > point.y) != (b.y > point.y):
                crossing = a.x + (point.y - a.y) / (b.y - a.y) * (b.x - a.x)
                inside ^= point.x < crossing
        return inside


@dataclass(frozen=True, slots=True)
class Line:
    """A directed line from `start` to `end`. Crossing it from its left to its right is forward.

    Left and right are those of an observer who looks from start to end. A line drawn from left to
    right in the picture is therefore crossed forward by an object that moves down. Raises
    PlaceUnusable if the line has almost no length or an end lies outside of the picture.
    """

    name: str
    start: Point
    end: Point

    def __post_init__(self) -> None:
        _check_points(self.name, (self.start, self.end))
        if self.start.distance(self.end) < SHORTEST_LINE:
            raise PlaceUnusable(facts={"place": self.name, "reason": "no length"})

    def side(self, point: Point) -> float:
        """The signed distance, in shares, of a point from the whole line: positive to the right."""
        return _turn(self.start, self.end, point) / self.start.distance(self.end)

    def is_crossed(self, before: Point, after: Point) -> bool:
        """Whether the segment from `before` to `after` intersects the line from start to end."""
        here, there = self.side(before), self.side(after)
        if (here > 0) == (there > 0) or here == there:
            return False
        share = here / (here - there)
        x = before.x + share * (after.x - before.x)
        y = before.y + share * (after.y - before.y)
        across = (self.end.x - self.start.x, self.end.y - self.start.y)
        along = (x - self.start.x) * across[0] + (y - self.start.y) * across[1]
        return 0 <= along <= across[0] ** 2 + across[1] ** 2


def _check_points(name: str, points: tuple[Point, ...]) -> None:
    if not all(0 <= value <= 1 for point in points for value in (point.x, point.y)):
        raise PlaceUnusable(facts={"place": name, "reason": "a point outside of the picture"})


def _edges(corners: tuple[Point, ...]) -> list[tuple[Point, Point]]:
    return list(zip(corners, (*corners[1:], corners[0]), strict=True))


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)


def _crosses_itself(corners: tuple[Point, ...]) -> bool:
    edges = _edges(corners)
    for place, (a, b) in enumerate(edges):
        for c, d in edges[place + 1 :]:
            if _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0:
                return True
    return False


WHOLE_PICTURE: Final = Polygon(
    "whole picture", (Point(0, 0), Point(1, 0), Point(1, 1), Point(0, 1))
)
