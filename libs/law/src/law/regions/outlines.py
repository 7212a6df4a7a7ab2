"""Simplified borders of the regions, for drawing a map of the whole country.

To find the region in which a place lies, use the exact borders in `law.regions.borders`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import shapely
from shapely.geometry.base import BaseGeometry

from law.regions.borders import read_polygons
from law.regions.table import REGIONS

TOLERANCE_DEGREES: Final = 0.02
"""How far an outline may lie from the border, about two kilometres; a city's, half a kilometre."""
_CITY_TOLERANCE_DEGREES: Final = 0.004
_DECIMALS: Final = 3
Point = tuple[float, float]


@dataclass(frozen=True)
class Outline:
    """The outer rings of a region, and the point inside it at which a map shows its name. Points
    are (longitude, latitude) in WGS 84 degrees."""

    rings: tuple[tuple[Point, ...], ...]
    label: Point


@cache
def outlines() -> Mapping[str, Outline]:
    """The outlines of all regions by region code; cached, since simplifying takes half a second."""
    tolerances = {True: _CITY_TOLERANCE_DEGREES, False: TOLERANCE_DEGREES}
    return {
        code: _outline(polygon, tolerances[REGIONS[code].city])
        for code, polygon in read_polygons().items()
    }


def _outline(polygon: BaseGeometry, tolerance: float) -> Outline:
    simple = shapely.simplify(polygon, tolerance)
    # A region may have slivers beside its main part, less than a pixel wide.
    parts = [part for part in shapely.get_parts(simple) if part.area > tolerance**2]
    label = max(parts, key=lambda part: float(part.area)).representative_point()
    rings = (shapely.get_coordinates(part.exterior) for part in parts)
    return Outline(
        tuple(tuple(_rounded(x, y) for x, y in ring.tolist()) for ring in rings),
        _rounded(label.x, label.y),
    )


def _rounded(longitude: float, latitude: float) -> Point:
    return round(longitude, _DECIMALS), round(latitude, _DECIMALS)
