"""Drawing on BGR pictures: antialiased shapes at subpixel coordinates, gradients, glow, noise.

Functions that take a picture change it in place and return nothing. The functions `down` and
`grain` return arrays of values for `shade` and `add`.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]
Point = tuple[float, float]
Mask = npt.NDArray[np.float32]

SUBPIXEL_BITS: Final = 4
SUBPIXELS: Final = 1 << SUBPIXEL_BITS


def polygon(picture: npt.NDArray[np.uint8], points: Sequence[Point], colour: Colour | int) -> None:
    """Draw a filled, antialiased polygon. `points` are the corners (x, y) in pixels, in order."""
    fixed = np.round(np.array(points, np.float64) * SUBPIXELS).astype(np.int32)
    cv2.fillPoly(picture, [fixed], _scalar(colour), cv2.LINE_AA, SUBPIXEL_BITS)


def rounded(
    picture: npt.NDArray[np.uint8],
    box: tuple[float, float, float, float],
    radius: float,
    colour: Colour | int,
) -> None:
    """Draw a filled `box` (left, top, right, bottom). The corners are rounded with this radius in
    pixels."""
    polygon(picture, round_outline(box, radius), colour)


def round_outline(box: tuple[float, float, float, float], radius: float) -> list[Point]:
    left, top, right, bottom = box
    radius = min(radius, (right - left) / 2, (bottom - top) / 2)
    outline: list[Point] = []
    for x, y, begin in (
        (right - radius, top + radius, -90),
        (right - radius, bottom - radius, 0),
        (left + radius, bottom - radius, 90),
        (left + radius, top + radius, 180),
    ):
        for step in range(7):
            angle = np.deg2rad(begin + 15 * step)
            outline.append((x + radius * float(np.cos(angle)), y + radius * float(np.sin(angle))))
    return outline


def ellipse(
    picture: npt.NDArray[np.uint8], centre: Point, axes: Point, colour: Colour | int
) -> None:
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    points = [
        (centre[0] + axes[0] * float(np.cos(a)), centre[1] + axes[1] * float(np.sin(a)))
        for a in angles
    ]
    polygon(picture, points, colour)


def line(
    picture: npt.NDArray[np.uint8], start: Point, end: Point, colour: Colour | int, width: int
) -> None:
    first = tuple(round(value * SUBPIXELS) for value in start)
    last = tuple(round(value * SUBPIXELS) for value in end)
    cv2.line(picture, first, last, _scalar(colour), width, cv2.LINE_AA, SUBPIXEL_BITS)


def down(height: int, stops: Sequence[tuple[float, float]]) -> Mask:
    """A vertical gradient as an array [height, 1], interpolated linearly between the stops.

    A stop is (position, value); position 0 is the top and 1 the bottom.
    """
    places, values = zip(*stops, strict=True)
    column: Mask = np.interp(np.linspace(0, 1, height), places, values).astype(np.float32)
    return column[:, None]


def shade(picture: Picture, mask: npt.NDArray[np.uint8], light: Mask) -> None:
    """Multiply each pixel by its value in `light`, as far as the mask covers the pixel.

    A mask value of 0 leaves a pixel unchanged. A value of 255 applies the full factor.
    """
    share = mask.astype(np.float32)[..., None] / 255
    lit = picture.astype(np.float32) * (1 + (light[..., None] - 1) * share)
    picture[:] = np.clip(lit, 0, 255).astype(np.uint8)


def glow(picture: Picture, centre: Point, radius: float, colour: Colour, strength: float) -> None:
    """Add the light of a lamp, which fades with distance and ends at three times the radius.

    `strength` is the share of `colour` that is added at the centre; `radius` is in pixels.
    """
    height, width = picture.shape[:2]
    reach = radius * 3
    left, right = max(0, int(centre[0] - reach)), min(width, int(centre[0] + reach) + 1)
    top, bottom = max(0, int(centre[1] - reach)), min(height, int(centre[1] + reach) + 1)
    if left >= right or top >= bottom:
        return
    rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32)
    away = ((columns - centre[0]) ** 2 + (rows - centre[1]) ** 2) / radius**2
    light = np.exp(-away * 1.4)[..., None] * np.array(colour, np.float32) * strength
    part = picture[top:bottom, left:right].astype(np.float32) + light
    picture[top:bottom, left:right] = np.clip(part, 0, 255).astype(np.uint8)


def grain(
    rng: np.random.Generator, shape: tuple[int, int], *, size: float, strength: float
) -> Mask:
    """Smooth random noise [height, width] with mean 0 and standard deviation about `strength`.

    `shape` is (height, width); `size` is the approximate width of a blotch in pixels.
    """
    small = (max(2, round(shape[1] / size)), max(2, round(shape[0] / size)))
    noise = rng.standard_normal((small[1], small[0])).astype(np.float32)
    wide = cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return (wide * strength).astype(np.float32)


def add(picture: Picture, values: Mask) -> None:
    """Add values [height, width] to every channel of the picture, clipped to 0 to 255."""
    picture[:] = np.clip(picture.astype(np.float32) + values[..., None], 0, 255).astype(np.uint8)


def _scalar(colour: Colour | int) -> tuple[int, ...]:
    return colour if isinstance(colour, tuple) else (colour,)
