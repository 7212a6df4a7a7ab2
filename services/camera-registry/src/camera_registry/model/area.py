"""Areas on the ground in which cameras are searched for: circles, boxes and polygons.

To find the H3 cells that cover an area, the area is compared with discs around the cells (see
`model.cover`). Places are in WGS 84 degrees. The sides of boxes and polygons are straight in
degrees.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import shapely
from chassis.fields import check_point
from chassis.refusals import Checks

RADIUS_METRES_MAX = 50_000.0
EARTH_RADIUS_METRES = 6_371_008.8
POINTS_MIN, POINTS_MAX = 3, 1000
_Point = tuple[float, float]


class Overlap(Enum):
    """How much of a disc on the ground lies within an area."""

    NONE = "none"
    PART = "part"
    WHOLE = "whole"


@dataclass(frozen=True)
class Disc:
    """The places that are at most `metres` from a point."""

    latitude: float
    longitude: float
    metres: float

    @cached_property
    def half_height(self) -> float:
        """Half the extent from south to north, in degrees of latitude."""
        return math.degrees(self.metres / EARTH_RADIUS_METRES)

    @cached_property
    def half_width(self) -> float:
        """Half the extent from west to east, in degrees of longitude; 180 if a pole is inside."""
        if abs(self.latitude) + self.half_height >= 90:
            return 180.0
        angle = math.sin(self.metres / EARTH_RADIUS_METRES) / math.cos(math.radians(self.latitude))
        return math.degrees(math.asin(min(1.0, angle)))


@dataclass(frozen=True)
class Circle:
    """A circle on the earth's surface: its centre in WGS 84 degrees, and its radius."""

    latitude: float
    longitude: float
    radius_metres: float

    def overlaps(self, discs: Sequence[Disc]) -> list[Overlap]:
        """Return for each disc: WHOLE if it is certain to lie within the circle, NONE if it is
        certain to lie outside of the circle, otherwise PART."""
        return [self._overlap(disc) for disc in discs]

    def _overlap(self, disc: Disc) -> Overlap:
        metres = distance_metres(self.latitude, self.longitude, disc.latitude, disc.longitude)
        if metres > self.radius_metres + disc.metres:
            return Overlap.NONE
        # A millimetre for rounding: the exact distance may be computed in another way.
        within = metres + disc.metres < self.radius_metres - 0.001
        return Overlap.WHOLE if within else Overlap.PART


@dataclass(frozen=True)
class Box:
    """The area between two parallels and two meridians. It crosses the antimeridian if east <
    west."""

    south: float
    west: float
    north: float
    east: float

    @property
    def width(self) -> float:
        """The extent from west to east, in degrees of longitude, 0 to 360."""
        return self.east - self.west + (360 if self.east < self.west else 0)

    def overlaps(self, discs: Sequence[Disc]) -> list[Overlap]:
        """For each disc, whether it lies within the box, as in `Circle.overlaps`."""
        return [self._overlap(disc) for disc in discs]

    def _overlap(self, disc: Disc) -> Overlap:
        south, north = disc.latitude - disc.half_height, disc.latitude + disc.half_height
        if north < self.south or south > self.north:
            return Overlap.NONE
        east_of = (disc.longitude - self.west) % 360
        if self.width + disc.half_width < east_of < 360 - disc.half_width:
            return Overlap.NONE
        is_between = self.width >= 360 or (
            disc.half_width <= east_of <= self.width - disc.half_width
        )
        within = is_between and self.south <= south and north <= self.north
        return Overlap.WHOLE if within else Overlap.PART


@dataclass(frozen=True)
class Polygon:
    """A polygon: its corners (latitude, longitude), without the first repeated at the end."""

    points: tuple[_Point, ...]

    @cached_property
    def ring(self) -> tuple[_Point, ...]:
        """The corners (latitude, longitude), with the first repeated at the end.

        If a side crosses the antimeridian, longitudes exceed 180 degrees. A ring around a pole ends
        360 degrees from its start.
        """
        found = [self.points[0]]
        for latitude, longitude in (*self.points[1:], self.points[0]):
            turn = (longitude - found[-1][1] + 180) % 360 - 180
            found.append((latitude, found[-1][1] + turn))
        back = 360 if min(longitude for _, longitude in found) < -180 else 0
        return tuple((latitude, longitude + back) for latitude, longitude in found)

    @property
    def encloses_pole(self) -> bool:
        return abs(self.ring[-1][1] - self.ring[0][1]) > 180

    @cached_property
    def west(self) -> float:
        """The lowest longitude of the ring, in degrees.

        To compare a place of lower longitude with the ring, add 360 degrees to the place's
        longitude.
        """
        return min(longitude for _, longitude in self.ring)

    @cached_property
    def shape(self) -> shapely.Polygon:
        """The ring as a shapely polygon (x: longitude, y: latitude), prepared for many tests."""
        found = shapely.Polygon([(longitude, latitude) for latitude, longitude in self.ring])
        shapely.prepare(found)
        return found

    def overlaps(self, discs: Sequence[Disc]) -> list[Overlap]:
        """For each disc, whether it lies within the polygon, as in `Circle.overlaps`."""
        meets, holds = [False] * len(discs), [False] * len(discs)
        for turn in (-360.0, 0.0, 360.0):
            west = [disc.longitude - disc.half_width + turn for disc in discs]
            east = [disc.longitude + disc.half_width + turn for disc in discs]
            south = [disc.latitude - disc.half_height for disc in discs]
            north = [disc.latitude + disc.half_height for disc in discs]
            frames = shapely.box(west, south, east, north)
            for place, meeting in enumerate(shapely.intersects(self.shape, frames)):
                meets[place] |= bool(meeting)
            for place, holding in enumerate(shapely.contains_properly(self.shape, frames)):
                holds[place] |= bool(holding)
        return [
            Overlap.WHOLE if within else Overlap.PART if meeting else Overlap.NONE
            for within, meeting in zip(holds, meets, strict=True)
        ]


Area = Circle | Box | Polygon


def distance_metres(
    latitude: float, longitude: float, other_latitude: float, other_longitude: float
) -> float:
    """The great-circle distance of two places in metres, by the haversine formula on a sphere."""
    here, there = math.radians(latitude), math.radians(other_latitude)
    half_width = math.radians(other_longitude - longitude) / 2
    chord = (
        math.sin((there - here) / 2) ** 2
        + math.cos(here) * math.cos(there) * math.sin(half_width) ** 2
    )
    return 2 * EARTH_RADIUS_METRES * math.asin(math.sqrt(min(1.0, chord)))


def check_circle(check: Checks, circle: Circle) -> None:
    """Add every invalid field of the circle, `area` in a list request, to `check`."""
    check_point(check, "area.", latitude=circle.latitude, longitude=circle.longitude)
    check.that(
        0 < circle.radius_metres <= RADIUS_METRES_MAX,
        "area.radius_metres",
        f"above 0, at most {RADIUS_METRES_MAX:g}",
    )


def check_box(check: Checks, box: Box) -> None:
    """Add every invalid field of the `box` of a list request to `check`."""
    for name in ("south", "north"):
        check.that(-90 <= getattr(box, name) <= 90, f"box.{name}", "degrees, -90 to 90")
    for name in ("west", "east"):
        check.that(-180 <= getattr(box, name) <= 180, f"box.{name}", "degrees, -180 to 180")
    check.that(not box.south > box.north, "box.north", "at least as far north as south")
    check.that(box.west != box.east, "box.east", "another meridian than west")


def check_polygon(check: Checks, polygon: Polygon) -> None:
    """Add every invalid field of the `polygon` of a list request to `check`.

    A polygon whose sides cross or touch each other is added with the code POLYGON_CROSSES.
    """
    count = len(polygon.points)
    if not POINTS_MIN <= count <= POINTS_MAX:
        check.wrong("polygon.points", f"{POINTS_MIN} to {POINTS_MAX} points")
        return
    known = len(check.errors)
    for number, (latitude, longitude) in enumerate(polygon.points):
        check_point(check, f"polygon.points[{number}].", latitude=latitude, longitude=longitude)
    if len(check.errors) > known:
        return
    if polygon.encloses_pole:
        check.wrong("polygon.points", "a ring that encloses no pole")
    elif not polygon.shape.is_valid:
        check.wrong("polygon.points", "a ring whose sides do not cross", code="POLYGON_CROSSES")
