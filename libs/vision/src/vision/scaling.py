"""Scales pictures to the input sizes of the detectors.

The scales are returned, so that detections can be converted to pixels of the original picture.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from vision.arrays import Picture

LARGEST_SIDE: Final = 960
"""The longer side of the largest input that shows a detector the whole picture."""

LETTERBOX_GREY: Final = 114


@dataclass(frozen=True, slots=True)
class Scaled:
    """A batch of pictures for a detector, `images`: uint8 [n, h, w, 3].

    The fields `scales` and `origins` have a pair (x, y) for each picture. A pair in `scales` has
    the factors by which the picture was scaled. A pair in `origins` is the position of the
    picture's upper left corner in the original picture.
    """

    images: Picture
    scales: tuple[tuple[float, float], ...]
    origins: tuple[tuple[float, float], ...]


def shrunk(picture: Picture) -> Picture:
    """Return the picture with its longer side reduced to at most 960 pixels.

    Smaller sizes are made from this copy, because the cost of scaling grows with the pixels.
    """
    side = min(LARGEST_SIDE, max(picture.shape[:2]))
    return _resized(picture, _fitting(picture, side, least=16))


def scaled_batch(
    pictures: list[Picture],
    origins: list[tuple[float, float]],
    *,
    side: int,
    multiple: int,
    small: Picture | None = None,
) -> Scaled:
    """Scale pictures so that the longer side of each is `side`, and join them to a batch.

    All are padded with grey to one size, whose sides are multiples of `multiple`. `origins` are the
    pictures' upper left corners in the original picture. If there is only one picture, `small` may
    be a reduced copy of it, from which the result is scaled.
    """
    resized, scales = [], []
    for picture in pictures:
        size = _fitting(picture, side, least=multiple)
        resized.append(_resized(picture if small is None else small, size))
        scales.append((size[0] / picture.shape[1], size[1] / picture.shape[0]))
    tall = _up(max(image.shape[0] for image in resized), multiple)
    wide = _up(max(image.shape[1] for image in resized), multiple)
    canvas = np.full((len(resized), tall, wide, 3), LETTERBOX_GREY, np.uint8)
    for index, image in enumerate(resized):
        canvas[index, : image.shape[0], : image.shape[1]] = image
    return Scaled(canvas, tuple(scales), tuple(origins))


def _fitting(picture: Picture, side: int, *, least: int) -> tuple[int, int]:
    """The width and height at which the longer side equals `side` and neither is below `least`."""
    height, width = picture.shape[:2]
    factor = side / max(height, width)
    return max(least, round(width * factor)), max(least, round(height * factor))


def _resized(picture: Picture, size: tuple[int, int]) -> Picture:
    height, width = picture.shape[:2]
    if size == (width, height):
        return picture
    method = cv2.INTER_AREA if max(size) < max(height, width) else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)


def _up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
