"""Finds the rows of plates with two or three rows, and cuts each row out for the reader.

Performs no I/O. Square car plates and motorcycle plates are taller than a plate of one line; an
empty strip separates their rows. Rows are found on the rectified plate but cut out of the original
picture, so that nothing is scaled twice.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import cv2
import numpy as np

from vision.arrays import Floats, Picture
from vision.plates.views import View, aspect, rectified

WIDEST: Final = 3.6
"""Width to height above which a plate has one line; below it may also be one line seen obliquely,
or one line under small print.
"""
SQUARE: Final = 2.0
TILTS: Final = (0.0, -0.08, 0.08, -0.16, 0.16)
"""Tilts to try, since corners of small plates are least accurate; level first."""
ROWS_HEIGHT: Final = 96
WITHOUT_BAND: Final = 0.2
EDGE: Final = 0.06
GAP_SHARE: Final = 0.45
"""The strip between rows has at most this share of the strokes of the rows beside it."""
CALM_SHARE: Final = 0.15
TWO_ROWS: Final = ((0.22, 0.66),)
THREE_ROWS: Final = ((0.26, 0.42), (0.58, 0.74))
FIRST_ROW_VIEW: Final = View(left=0.02, right=0.02, down=0.05)
MORE_ROW_VIEWS: Final = (
    View(left=-0.05, right=-0.02, down=0.0),
    View(left=-0.19, right=0.02, down=0.08),
)
"""Without the plate's frame, and without the country band."""

Span = tuple[float, float]
"""A row's upper and lower end as shares of the plate's height."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a plate, and their tilt.

    The field `spans` has the upper and lower end of each row, as shares of the plate's height; the
    top row comes first. It is empty for a plate of one line. The field `tilt` says how far the rows
    slope down to the right relative to the plate's corners, as a share of the plate's height.
    """

    spans: tuple[Span, ...]
    tilt: float = 0.0


def rows_of(picture: Picture, corners: Floats) -> Rows:
    """Find the rows of a plate in a picture. On a square plate, several tilts are tried."""
    shape = aspect(corners)
    if shape > WIDEST:
        return Rows(())
    tilts = TILTS if shape < SQUARE else TILTS[:1]
    found = [
        Rows(_spans(_strokes(_straight(picture, tilted(corners, tilt)))), tilt) for tilt in tilts
    ]
    return max(found, key=lambda rows: len(rows.spans))


def tilted(corners: Floats, tilt: float) -> Floats:
    """Tilt the corners [4, 2] of a plate: the right side is lowered and the left side raised.

    Each side is moved by half of `tilt`, which is a share of the plate's height.
    """
    left, right = (corners[3] - corners[0]) * tilt / 2, (corners[2] - corners[1]) * tilt / 2
    moved: Floats = (corners + np.stack([-left, right, right, -left])).astype(np.float32)
    return moved


def _spans(strokes: Floats) -> tuple[Span, ...]:
    for places in (THREE_ROWS, TWO_ROWS):
        gaps = [_gap(strokes, place) for place in places]
        if None not in gaps:
            ends = [0.0, *(gap for gap in gaps if gap is not None), 1.0]
            return tuple(pairwise(ends))
    return ()


def row_pictures(
    picture: Picture, corners: Floats, spans: tuple[Span, ...], view: View = FIRST_ROW_VIEW
) -> list[Picture]:
    """A picture of each row of a plate, from the top, for the text reader.

    Pictures are BGR, uint8 [48, width, 3]. `spans` are as in `Rows`. `corners` [4, 2] are the
    corners of the whole plate, tilted with `tilted` by the tilt of the rows.
    """
    return [rectified(picture, _part(corners, span), view) for span in spans]


def _straight(picture: Picture, corners: Floats) -> Floats:
    size = (2 * ROWS_HEIGHT, ROWS_HEIGHT)
    target = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
    warp = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
    flat = cv2.warpPerspective(picture, warp, size, borderMode=cv2.BORDER_REPLICATE)
    return cv2.cvtColor(flat, cv2.COLOR_BGR2GRAY).astype(np.float32)


def _strokes(flat: Floats) -> Floats:
    """The horizontal changes in each line of pixels, without the plate's edges and country band."""
    band, edge = int(WITHOUT_BAND * flat.shape[1]), int(EDGE * flat.shape[1])
    changes = np.abs(np.diff(flat[:, band:-edge], axis=1)).sum(1)
    smooth: Floats = np.convolve(changes, np.ones(3) / 3, "same").astype(np.float32)
    return smooth


def _gap(strokes: Floats, place: Span) -> float | None:
    """The middle of the empty strip between two rows as a share of the height; None if there is
    none. `place` is the range to search."""
    first, last = (round(share * len(strokes)) for share in place)
    inner = strokes[first:last]
    level = float(inner.min())
    above = float(np.percentile(strokes[round(0.1 * len(strokes)) : first], 70))
    below = float(np.percentile(strokes[last : round(0.9 * len(strokes))], 70))
    if level > GAP_SHARE * min(above, below):
        return None
    calm = inner <= level + CALM_SHARE * (min(above, below) - level)
    begin = end = int(inner.argmin())
    while begin > 0 and calm[begin - 1]:
        begin -= 1
    while end < len(inner) - 1 and calm[end + 1]:
        end += 1
    return (first + (begin + end + 1) / 2) / len(strokes)


def _part(corners: Floats, span: Span) -> Floats:
    """The corners, in perspective, of the strip of a plate that `span` describes."""
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    warp = cv2.getPerspectiveTransform(unit, corners.astype(np.float32))
    top, bottom = span
    strip = np.array([[[0, top], [1, top], [1, bottom], [0, bottom]]], np.float32)
    part: Floats = cv2.perspectiveTransform(strip, warp)[0].astype(np.float32)
    return part
