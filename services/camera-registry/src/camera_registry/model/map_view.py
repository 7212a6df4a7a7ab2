"""A view of the map, and the H3 cells in which its cameras are clustered."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

import h3.api.basic_int as h3
from chassis.refusals import Checks

from camera_registry.model.area import EARTH_RADIUS_METRES
from camera_registry.model.cover import descendants
from camera_registry.model.description import CameraKind
from camera_registry.model.status import CameraStatus

ZOOM_MAX = 22
CLUSTERS_MAX = 1000
SINGLES_MAX = 1000
FINEST_RESOLUTION = 12
# Of the cells that are stored of places; coarser cells are known only as their parents.
STORED_RESOLUTION = 9
# A cell's edge is at least this long on the screen, so that a cell is some 60 pixels wide.
_EDGE_PIXELS = 30
# At zoom 0 and the latitude of Kazakhstan, 48 degrees: the Web Mercator projection in 256 pixels.
_METRES_A_PIXEL = 2 * math.pi * EARTH_RADIUS_METRES * math.cos(math.radians(48)) / 256
# H3 takes an edge of more than half the globe for one that crosses the antimeridian.
_WIDTH_MAX = 90.0
# How far cells reach beyond the outline of their parent, grandparent and so on, at most, in edges
# of that: 0.19 in the plane, and edges differ by up to a third.
_BEYOND_PARENT = 0.3
_METRES_A_DEGREE = math.radians(EARTH_RADIUS_METRES)


@dataclass(frozen=True)
class Cluster:
    """The cameras of one H3 cell, or a single camera: the number of cameras by status, and the mean
    of their places in degrees."""

    latitude: float
    longitude: float
    by_status: Counter[CameraStatus]
    # Of a single camera.
    camera_id: UUID | None
    # Of a single camera that was read itself (`MapView.reads_cameras`).
    kind: CameraKind | None = None


@dataclass(frozen=True)
class MapView:
    """The part of the map shown at a zoom: a box in WGS 84 degrees. If west > east, it crosses the
    antimeridian."""

    south: float
    west: float
    north: float
    east: float
    zoom: int
    # So many cameras, at most, are answered one by one where the cameras themselves are read.
    singles_max: int = 0

    @property
    def reads_cameras(self) -> bool:
        """Whether the cameras themselves are read, instead of stored counts.

        They are read if the view's cells are finer than the cells for which counts are stored.
        """
        return self.resolution > STORED_RESOLUTION

    @property
    def shows_singles(self) -> bool:
        """Whether single cameras may be returned: `singles_max` is above 0, and `reads_cameras` is
        true.

        Then only cameras in the box are returned. They are returned one by one if there are at most
        `singles_max` of them, otherwise in clusters.
        """
        return self.singles_max > 0 and self.reads_cameras

    def holds(self, latitude: float, longitude: float) -> bool:
        """Whether a place lies in the box, its edges included."""
        return self.south <= latitude <= self.north and (longitude - self.west) % 360 <= self._width

    @property
    def resolution(self) -> int:
        """The H3 resolution of the clusters."""
        return self._covering[0]

    @property
    def cells(self) -> frozenset[int]:
        """The cells of the clusters: all that touch the box, at most CLUSTERS_MAX."""
        return self._covering[1]

    def cell_of(self, latitude: float, longitude: float) -> int:
        """The cell of the view's resolution to which a place belongs."""
        cell = h3.latlng_to_cell(latitude, longitude, max(self.resolution, STORED_RESOLUTION))
        return int(h3.cell_to_parent(cell, self.resolution))

    def ranges(self, finer: int) -> list[tuple[int, int]]:
        """Return ranges of H3 cells, each as its first and last number.

        Together they contain all places in the view's cells. The ranges have cells of the
        resolution `finer`, at most STORED_RESOLUTION. If the view's own cells are finer, the ranges
        reach beyond them.
        """
        cells = self.cells
        if self.resolution > finer:
            cells = self._touched(finer, 3 * _edge(self.resolution))
        whole = h3.compact_cells(cells)
        return sorted(descendants(cell, finer) for cell in whole)

    @cached_property
    def _covering(self) -> tuple[int, frozenset[int]]:
        for resolution in range(_resolution_of(self.zoom), 0, -1):
            if self._area < CLUSTERS_MAX * h3.average_hexagon_area(resolution, unit="m^2"):
                cells = self._touched(resolution, _BEYOND_PARENT * _edge(resolution))
                if len(cells) <= CLUSTERS_MAX:
                    return resolution, cells
        return 0, frozenset(h3.get_res0_cells())

    def _touched(self, resolution: int, margin_metres: float) -> frozenset[int]:
        """The cells of a resolution that touch the box with a margin around it."""
        margin = margin_metres / _METRES_A_DEGREE
        south, north = max(-90.0, self.south - margin), min(90.0, self.north + margin)
        widest = max(abs(self.south), abs(self.north))
        margin /= max(0.01, math.cos(math.radians(widest)))
        found: set[int] = set()
        for west, east in _parts(self.west - margin, min(360.0, self._width + 2 * margin)):
            polygon = h3.LatLngPoly([(south, west), (south, east), (north, east), (north, west)])
            found.update(h3.h3shape_to_cells_experimental(polygon, resolution, contain="overlap"))
        return frozenset(found)

    @property
    def _width(self) -> float:
        """In degrees, 0 to 360."""
        width = self.east - self.west
        return width if width >= 0 else width + 360

    @property
    def _area(self) -> float:
        """In square metres."""
        height = math.sin(math.radians(self.north)) - math.sin(math.radians(self.south))
        return EARTH_RADIUS_METRES**2 * math.radians(self._width) * height


def check_view(check: Checks, view: MapView) -> None:
    """Add every invalid field of a view (a request's `box`, `zoom`, `singles_max`) to `check`."""
    for name, degrees, most in (
        ("south", view.south, 90),
        ("north", view.north, 90),
        ("west", view.west, 180),
        ("east", view.east, 180),
    ):
        check.that(-most <= degrees <= most, f"box.{name}", f"degrees, -{most} to {most}")
    check.that(view.south <= view.north, "box.north", "not less than south")
    check.that(0 <= view.zoom <= ZOOM_MAX, "zoom", f"0 to {ZOOM_MAX}")
    check.that(0 <= view.singles_max <= SINGLES_MAX, "singles_max", f"0 to {SINGLES_MAX}")


def _resolution_of(zoom: int) -> int:
    """The finest resolution whose cells are large enough at a zoom."""
    edge = _EDGE_PIXELS * _METRES_A_PIXEL / 2**zoom
    fitting = (
        resolution for resolution in range(FINEST_RESOLUTION, 0, -1) if _edge(resolution) >= edge
    )
    return next(fitting, 0)


def _edge(resolution: int) -> float:
    """In metres, on average."""
    return float(h3.average_hexagon_edge_length(resolution, unit="m"))


def _parts(west: float, width: float) -> Iterator[tuple[float, float]]:
    """Parts of a range of longitudes, of at most _WIDTH_MAX each, none across the antimeridian."""
    while True:
        west = (west + 180) % 360 - 180
        part = min(width, _WIDTH_MAX, 180 - west)
        yield west, west + part
        west, width = west + part, width - part
        if width <= 0:
            return
