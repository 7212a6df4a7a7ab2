"""Areas on the ground in which cameras are sought."""

import math
from dataclasses import dataclass

import h3.api.basic_int as h3
from chassis.fields import check_point
from chassis.refusals import Checks

RADIUS_METRES_MAX = 50_000.0
EARTH_RADIUS_METRES = 6_371_008.8
CELLS_MAX = 600


@dataclass(frozen=True)
class Circle:
    latitude: float
    longitude: float
    radius_metres: float

    def cells(self, resolution: int) -> list[tuple[int, int]]:
        """Return ranges of H3 cells of this resolution that cover the circle, in ascending order.

        Each range, a first and a last cell number, covers one cell of a coarser resolution if there
        would be more than about CELLS_MAX ranges otherwise. The ranges reach beyond the circle.
        """
        coarse = resolution
        while coarse and self._area > CELLS_MAX * h3.average_hexagon_area(coarse, unit="m^2"):
            coarse -= 1
        edge = h3.average_hexagon_edge_length(coarse, unit="m")
        # Farther from the centre of its ancestor no cell lies: edges differ by up to a third.
        reach = self.radius_metres + 1.7 * edge
        centre = (self.latitude, self.longitude)
        rings = math.ceil(reach / edge) + 1
        near = h3.grid_disk(h3.latlng_to_cell(*centre, coarse), rings)
        return sorted(
            descendants(cell, coarse, resolution)
            for cell in near
            if h3.great_circle_distance(centre, h3.cell_to_latlng(cell), unit="m") <= reach
        )

    @property
    def _area(self) -> float:
        """In square metres."""
        return math.pi * self.radius_metres**2


def descendants(cell: int, resolution: int, finer: int) -> tuple[int, int]:
    """The first and the last number among the cells of a finer resolution under an H3 cell.

    A number holds its resolution in four bits from bit 52, and from bit 45 downwards a digit of
    three bits for each resolution from 1 to 15: 0 to 6, or 7 beyond its own resolution.
    """
    first = cell & ~(0xF << 52) | finer << 52
    last = first
    for digit in range(resolution + 1, finer + 1):
        shift = 3 * (15 - digit)
        first &= ~(0b111 << shift)
        last = last & ~(0b111 << shift) | 6 << shift
    return first, last


def check_circle(check: Checks, circle: Circle) -> None:
    """Add every invalid field of the circle, the `area` of a list request, to `check`."""
    check_point(check, "area.", latitude=circle.latitude, longitude=circle.longitude)
    check.that(
        0 < circle.radius_metres <= RADIUS_METRES_MAX,
        "area.radius_metres",
        f"above 0, at most {RADIUS_METRES_MAX:g}",
    )
