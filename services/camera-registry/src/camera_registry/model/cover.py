"""Finds the H3 cells that cover an area on the ground, as ranges of cell numbers.

Bits 52 to 55 of a cell number are the cell's resolution. Bits 44 to 0 have a digit of three bits
for each resolution from 1 to 15. The digit is 0 to 6, or 7 for resolutions finer than the cell's
own. So the cells of one fine resolution within a coarser cell form one range of numbers.
"""

from dataclasses import dataclass
from functools import lru_cache

import h3.api.basic_int as h3

from camera_registry.model.area import Area, Disc, Overlap, distance_metres

RANGES_MAX = 400
# How much farther than its own corners a descendant of a cell may reach: in H3 a cell's children
# together are not its exact area. Of regular hexagons it is 1.053 times as far; cells are not
# regular.
_DESCENDANTS_REACH = 1.15
# Corners are exact; sides are great circles, which nowhere reach farther than their ends.
_OWN_REACH = 1.001


@dataclass(frozen=True)
class Range:
    """A range of cell numbers, ends included. `is_whole` says that all its cells lie within the
    area."""

    first: int
    last: int
    is_whole: bool


@lru_cache(maxsize=256)
def cover(area: Area, resolution: int) -> tuple[Range, ...]:
    """Return ranges of cells of this resolution that cover the area, in ascending order.

    A range is one cell of this resolution, or all cells of this resolution within a coarser cell.
    Coarser cells are used where they lie wholly within the area. They are also used if there would
    otherwise be more than about RANGES_MAX ranges. Unless a range `is_whole`, its cells may reach
    beyond the area.
    """
    done: list[tuple[int, bool]] = []
    cells = list(h3.get_res0_cells())
    for coarse in range(resolution + 1):
        overlaps = area.overlaps([_disc(cell, is_last=coarse == resolution) for cell in cells])
        found = list(zip(cells, overlaps, strict=True))
        done += [(cell, True) for cell, overlap in found if overlap is Overlap.WHOLE]
        parts = [cell for cell, overlap in found if overlap is Overlap.PART]
        # About half of the children of cells at the edge are again at the edge.
        if coarse == resolution or len(done) + 4 * len(parts) > RANGES_MAX:
            done += [(cell, False) for cell in parts]
            break
        cells = [child for cell in parts for child in h3.cell_to_children(cell)]
    ranges = (Range(*descendants(cell, resolution), whole) for cell, whole in done)
    return tuple(sorted(ranges, key=lambda each: each.first))


@lru_cache(maxsize=100_000)
def _disc(cell: int, *, is_last: bool) -> Disc:
    """A disc that holds a cell, and all its descendants unless the cell `is_last`."""
    latitude, longitude = h3.cell_to_latlng(cell)
    corners = h3.cell_to_boundary(cell)
    farthest = max(distance_metres(latitude, longitude, *corner) for corner in corners)
    return Disc(latitude, longitude, farthest * (_OWN_REACH if is_last else _DESCENDANTS_REACH))


def descendants(cell: int, finer: int) -> tuple[int, int]:
    """The lowest and the highest number of the cells of resolution `finer` within an H3 cell."""
    resolution = h3.get_resolution(cell)
    first = cell & ~(0xF << 52) | finer << 52
    last = first
    for digit in range(resolution + 1, finer + 1):
        shift = 3 * (15 - digit)
        first &= ~(0b111 << shift)
        last = last & ~(0b111 << shift) | 6 << shift
    return first, last
