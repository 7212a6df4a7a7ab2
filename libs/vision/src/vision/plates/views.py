"""Cuts plates out of a picture and rectifies them for the readers.

Pictures are BGR, uint8 [h, w, 3]; corners are float32 [4, 2], clockwise from the top left.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from vision.arrays import Floats, Picture

READER_HEIGHT: Final = 48
READER_WIDTHS: Final = (224, 320)
"""A plate of one line with its margins fits into the smaller width."""
KZ_SIZE: Final = (160, 32)


@dataclass(frozen=True, slots=True)
class View:
    """The margins of a crop around a plate, as shares of the plate's width and height.

    The field `down` is both the margin above the plate and the margin below it. Negative margins
    cut off parts of the plate.
    """

    left: float
    right: float
    down: float
    aspect: float = 0.0
    """The width to height to which a narrower plate is stretched."""


WHOLE: Final = View(left=0.05, right=0.05, down=0.10)
MORE_VIEWS: Final = (
    View(left=0.01, right=0.01, down=0.03),
    View(left=-0.10, right=0.02, down=0.06),
    View(left=-0.085, right=0.025, down=0.10),
)
"""Tight, and twice without the country band at the left, which is often read as a letter."""
ONE_LINE_ASPECT: Final = 4.4
OBLIQUE: Final = 3.6
"""A narrower plate of one line is seen obliquely, or is American."""
OBLIQUE_VIEWS: Final = (
    MORE_VIEWS[0],
    replace(WHOLE, aspect=ONE_LINE_ASPECT),
    replace(MORE_VIEWS[1], aspect=ONE_LINE_ASPECT),
)
"""Stretched, so that the reader can separate compressed characters."""


def aspect(corners: Floats) -> float:
    """The width of a plate in the picture divided by its height, from its corners [4, 2]."""
    across = np.linalg.norm(corners[1] - corners[0]) + np.linalg.norm(corners[2] - corners[3])
    down = np.linalg.norm(corners[3] - corners[0]) + np.linalg.norm(corners[2] - corners[1])
    return float(across) / max(float(down), 1.0)


def rectified(picture: Picture, corners: Floats, view: View = WHOLE) -> Picture:
    """Cut out a plate, rectified and with the margins of `view`: uint8 [48, width, 3].

    The width is 48 to 320 pixels.
    """
    across = (corners[1] - corners[0] + corners[2] - corners[3]) / 2
    down = (corners[3] - corners[0] + corners[2] - corners[1]) / 2
    wide = float(np.linalg.norm(across)) * (1 + view.left + view.right)
    tall = float(np.linalg.norm(down)) * (1 + 2 * view.down)
    left, right, margin = across * view.left, across * view.right, down * view.down
    padded = corners + np.stack([-left - margin, right - margin, right + margin, margin - left])
    shown = max(wide / max(tall, 1.0), view.aspect)
    width = int(np.clip(READER_HEIGHT * shown, READER_HEIGHT, READER_WIDTHS[-1]))
    finer = max(1, math.ceil(tall / READER_HEIGHT / 1.5))  # shrink by area, not by skipping pixels
    size = (width * finer, READER_HEIGHT * finer)
    target = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
    warp = cv2.getPerspectiveTransform(padded.astype(np.float32), target)
    flat = cv2.warpPerspective(
        picture, warp, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    if finer > 1:
        flat = cv2.resize(flat, (width, READER_HEIGHT), interpolation=cv2.INTER_AREA)
    return flat.astype(np.uint8)


def for_reader(plates: list[Picture]) -> Picture:
    """Join rectified plates to a batch for the text reader: uint8 [n, 48, 224 or 320, 3].

    Narrower plates are padded with grey on the right.
    """
    widest = max(plate.shape[1] for plate in plates)
    width = next((size for size in READER_WIDTHS if widest <= size), READER_WIDTHS[-1])
    batch = np.full((len(plates), READER_HEIGHT, width, 3), 127, np.uint8)
    for index, plate in enumerate(plates):
        batch[index, :, : plate.shape[1]] = plate
    return batch


def for_kazakh_reader(plates: list[Picture]) -> Picture:
    """Join rectified plates to a batch for the Kazakh reader: grey, uint8 [n, 32, 160, 1]."""
    small = [
        cv2.resize(cv2.cvtColor(plate, cv2.COLOR_BGR2GRAY), KZ_SIZE, interpolation=cv2.INTER_AREA)
        for plate in plates
    ]
    return np.stack(small)[..., None].astype(np.uint8)
