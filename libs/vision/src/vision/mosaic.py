"""Makes parts of a picture unrecognisable for good.

Each part is replaced by at most sixteen cells of one colour each. What a cell says of the part is
the mean of its pixels in sixteen shades a channel; nothing else of it is left in the picture.
"""

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

import numpy as np

from vision.arrays import Picture
from vision.boxes import Box

CELLS_MAX: Final = 4
"""Of cells along each side of a part."""
CELL_PIXELS: Final = 8
"""The least width and height of a cell; a smaller part is one cell."""
MARGIN: Final = 0.25
"""How far a part reaches beyond its box on each side, as a share of the box's longer side: a
detector's box ends at brow and chin, and leaves out hair and ears."""
MARGIN_PIXELS: Final = 4
SHADE: Final = 16
"""Shades are told apart in steps of this size."""


def obscure(picture: Picture, boxes: Iterable[Box]) -> None:
    """Replace each box of a picture [h, w, 3] and a margin around it by a coarse mosaic, in place.

    Where boxes overlap, the later one reads what the earlier one left.
    """
    height, width = picture.shape[:2]
    for box in boxes:
        left, top, right, bottom = covered(box, width=width, height=height)
        if left >= right or top >= bottom:
            continue
        for above, below in pairwise(_edges(top, bottom, right - left)):
            for start, end in pairwise(_edges(left, right, bottom - top)):
                cell = picture[above:below, start:end]
                shade = cell.reshape(-1, 3).mean(0) // SHADE * SHADE + SHADE // 2
                cell[:] = shade.astype(np.uint8)


def covered(box: Box, *, width: int, height: int) -> tuple[int, int, int, int]:
    """Return what is replaced of a picture of this size, in pixels: left, top, right and bottom,
    the last two not included; nothing (left equals right) of a box outside of the picture."""
    margin = max(MARGIN_PIXELS, MARGIN * max(box.width, box.height))
    left, right = (_within(edge, width) for edge in (box.x - margin, box.x + box.width + margin))
    top, bottom = (_within(edge, height) for edge in (box.y - margin, box.y + box.height + margin))
    return math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)


def _within(edge: float, length: int) -> float:
    return min(max(edge, 0.0), float(length))


def _edges(start: int, end: int, across: int) -> list[int]:
    """Where the cells of a side begin and end; `across` is the length of the other side."""
    longer = max(end - start, across)
    cell = max(CELL_PIXELS, longer / CELLS_MAX)
    cells = max(1, int((end - start) / cell))
    return [start + (end - start) * number // cells for number in range(cells + 1)]
