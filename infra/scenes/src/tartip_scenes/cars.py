"""Draws cars, seen from behind or from the front, each as a flat picture with a mask.

A car is drawn once, straight on and in daylight. The module `scenes` then turns, places and lights
it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tartip_scenes import brush
from tartip_scenes.brush import Colour, Picture, Point

SHEET_WIDTH: Final = 1000
SHEET_HEIGHT: Final = 860
PLATE_WIDTH: Final = 262.0
"""Of the sheet: a plate of 520 mm on a car 1.8 m wide."""
SHEET_PER_MILLIMETRE: Final = PLATE_WIDTH / 520

_PAINTS: Final[tuple[Colour, ...]] = (
    (238, 238, 236),
    (188, 190, 192),
    (128, 128, 130),
    (48, 46, 46),
    (62, 40, 36),
    (140, 74, 32),
    (44, 36, 150),
    (60, 84, 58),
    (150, 172, 188),
    (96, 100, 66),
)
_GLASS: Final[Colour] = (58, 50, 44)
_RUBBER: Final[Colour] = (30, 29, 28)
_DARK: Final[Colour] = (38, 36, 35)


class View(StrEnum):
    REAR = "rear"
    FRONT = "front"


@dataclass(frozen=True, slots=True)
class DrawnCar:
    """A picture of a car, with the positions of its plate and lamps.

    The field `sheet` is the picture. The mask is 255 inside the car and 0 outside. All positions
    are in pixels of the picture: the corners of the plate, the lamps, and the car's `outline`
    (left, top, right, bottom).
    """

    sheet: Picture
    mask: npt.NDArray[np.uint8]
    plate: tuple[Point, ...]
    """Corners of the place for the plate, clockwise from the top left; as high as a plate is."""
    lamps: tuple[Point, ...]
    outline: tuple[float, float, float, float]


def draw_car(
    rng: np.random.Generator, view: View, *, plate_height: float, plate_width: float = PLATE_WIDTH
) -> DrawnCar:
    shape = _Shape.random(rng, view)
    sheet = np.zeros((SHEET_HEIGHT, SHEET_WIDTH, 3), np.uint8)
    mask = np.zeros((SHEET_HEIGHT, SHEET_WIDTH), np.uint8)
    _silhouette(shape, sheet, mask)
    lamps = (_rear if view is View.REAR else _front)(rng, shape, sheet)
    top = shape.plate_top
    left, right = 500 - plate_width / 2, 500 + plate_width / 2
    plate = ((left, top), (right, top), (right, top + plate_height), (left, top + plate_height))
    brush.rounded(sheet, (left - 12, top - 9, right + 12, top + plate_height + 9), 7, _DARK)
    _reflections(rng, sheet, mask)
    return DrawnCar(sheet, mask, plate, lamps, (shape.left, shape.roof, shape.right, 838.0))


@dataclass(frozen=True, slots=True)
class _Shape:
    """The measures of one car body."""

    paint: Colour
    left: float
    right: float
    roof: float
    belt: float
    roof_inset: float
    sill: float
    plate_top: float
    bumper: float

    @classmethod
    def random(cls, rng: np.random.Generator, view: View) -> "_Shape":
        paint = _PAINTS[int(rng.integers(len(_PAINTS)))]
        inset = float(rng.uniform(20, 60))
        tall = float(rng.uniform(0, 110))
        low = view is View.FRONT or rng.random() < 0.35
        return cls(
            paint=paint,
            left=inset,
            right=SHEET_WIDTH - inset,
            roof=150 - tall,
            belt=float(rng.uniform(355, 400)) - tall * 0.5,
            roof_inset=float(rng.uniform(120, 165)),
            sill=float(rng.uniform(735, 760)),
            plate_top=float(rng.uniform(622, 650) if low else rng.uniform(480, 515)),
            bumper=float(rng.uniform(590, 610)),
        )


def _silhouette(shape: _Shape, sheet: Picture, mask: npt.NDArray[np.uint8]) -> None:
    left, right, roof = shape.left, shape.right, shape.roof
    for wheel in (left + 22, right - 142):
        for picture, colour in ((sheet, _RUBBER), (mask, 255)):
            brush.rounded(picture, (wheel, 560, wheel + 120, 838), 26, colour)
    body = [
        (left + shape.roof_inset + 40, roof),
        (right - shape.roof_inset - 40, roof),
        (right - shape.roof_inset, roof + 26),
        (right - 52, shape.belt - 14),
        (right - 14, shape.belt + 60),
        (right, 520),
        (right - 6, shape.sill - 30),
        (right - 40, shape.sill + 28),
        (left + 40, shape.sill + 28),
        (left + 6, shape.sill - 30),
        (left, 520),
        (left + 14, shape.belt + 60),
        (left + 52, shape.belt - 14),
        (left + shape.roof_inset, roof + 26),
    ]
    for picture, colour in ((sheet, shape.paint), (mask, 255)):
        brush.polygon(picture, body, colour)
        for outer, inner in ((left - 18, left + 60), (right + 18, right - 60)):
            y = shape.belt + 4
            mirror = [(outer, y), (inner, y + 4), (inner, y + 46), (outer, y + 52)]
            brush.polygon(picture, mirror, colour)
    light = brush.down(
        SHEET_HEIGHT, [(0, 1.12), (0.45, 1.0), (0.62, 1.1), (0.75, 0.82), (0.9, 0.5)]
    )
    brush.shade(sheet, mask, np.repeat(light, SHEET_WIDTH, 1))


def _window(shape: _Shape, sheet: Picture, drop: float) -> None:
    """The glass above the belt line, with the sky in its upper part."""
    left, right, roof = shape.left, shape.right, shape.roof
    glass = [
        (left + shape.roof_inset + 34, roof + 32),
        (right - shape.roof_inset - 34, roof + 32),
        (right - 84, shape.belt - drop),
        (left + 84, shape.belt - drop),
    ]
    brush.polygon(sheet, glass, _GLASS)
    mask = np.zeros(sheet.shape[:2], np.uint8)
    brush.polygon(mask, glass, 255)
    light = brush.down(SHEET_HEIGHT, [(0, 2.6), (shape.belt / SHEET_HEIGHT * 0.8, 1.3), (1, 0.8)])
    brush.shade(sheet, mask, np.repeat(light, SHEET_WIDTH, 1))
    middle = (left + right) / 2
    for seat in (-150, 150):
        box = (middle + seat - 48, shape.belt - 92, middle + seat + 48, shape.belt - drop - 4)
        brush.rounded(sheet, box, 26, (34, 30, 28))


def _rear(rng: np.random.Generator, shape: _Shape, sheet: Picture) -> tuple[Point, ...]:
    left, right = shape.left, shape.right
    _window(shape, sheet, drop=6)
    seam = tuple(int(value * 0.55) for value in shape.paint)
    crease = (seam[0], seam[1], seam[2])
    brush.line(sheet, (left + 70, shape.belt + 40), (right - 70, shape.belt + 40), crease, 4)
    brush.line(sheet, (left + 40, shape.bumper), (right - 40, shape.bumper), crease, 5)
    for edge in (left + 190, right - 190):
        brush.line(sheet, (edge, shape.belt + 40), (edge, shape.bumper), crease, 3)
    lamp_top, lamp_bottom = shape.belt + 50, shape.belt + float(rng.uniform(120, 190))
    wide = float(rng.uniform(120, 170))
    for outer, inner in ((left + 10, left + wide), (right - wide, right - 10)):
        brush.rounded(sheet, (outer, lamp_top, inner, lamp_bottom), 18, (30, 26, 120))
        middle = (lamp_top + lamp_bottom) / 2
        brush.rounded(sheet, (outer + 10, lamp_top + 8, inner - 10, middle), 10, (48, 40, 190))
        brush.rounded(
            sheet, (outer + 14, middle + 6, inner - 30, lamp_bottom - 8), 8, (170, 176, 190)
        )
    brush.rounded(sheet, (left + 40, 700, right - 40, shape.sill + 28), 20, _DARK)
    for pipe in (left + 170, right - 230):
        brush.rounded(sheet, (pipe, 745, pipe + 60, 768), 10, (96, 96, 98))
    _badge(sheet, (500, shape.belt + 78))
    centre = (lamp_top + lamp_bottom) / 2
    return ((left + wide / 2, centre), (right - wide / 2, centre))


def _front(rng: np.random.Generator, shape: _Shape, sheet: Picture) -> tuple[Point, ...]:
    left, right = shape.left, shape.right
    _window(shape, sheet, drop=2)
    seam = tuple(int(value * 0.6) for value in shape.paint)
    crease = (seam[0], seam[1], seam[2])
    for edge, bend in ((left + 200, left + 260), (right - 200, right - 260)):
        brush.line(sheet, (edge, shape.belt + 10), (bend, 486), crease, 4)
    grille = (left + 230, 478.0, right - 230, float(rng.uniform(555, 590)))
    brush.rounded(sheet, grille, 22, (26, 25, 25))
    for row in range(1, int(rng.integers(3, 6))):
        y = grille[1] + row * (grille[3] - grille[1]) / 6
        brush.line(sheet, (grille[0] + 14, y), (grille[2] - 14, y), (110, 110, 112), 4)
    top, bottom = 462.0, float(rng.uniform(535, 565))
    for outer, inner in ((left + 22, left + 205), (right - 205, right - 22)):
        brush.rounded(sheet, (outer, top, inner, bottom), 26, (150, 154, 158))
        brush.ellipse(sheet, ((outer + inner) / 2, (top + bottom) / 2), (34, 34), (225, 228, 230))
        brush.ellipse(sheet, ((outer + inner) / 2, (top + bottom) / 2), (18, 18), (248, 248, 248))
    brush.rounded(sheet, (left + 150, 690, right - 150, shape.sill + 6), 20, _DARK)
    for fog in (left + 100, right - 100):
        brush.ellipse(sheet, (fog, 690), (30, 20), (120, 122, 126))
    _badge(sheet, (500, 500))
    return ((left + 113, (top + bottom) / 2), (right - 113, (top + bottom) / 2))


def _badge(sheet: Picture, centre: Point) -> None:
    brush.ellipse(sheet, centre, (26, 18), (196, 198, 200))
    brush.ellipse(sheet, centre, (18, 11), (120, 120, 122))


def _reflections(rng: np.random.Generator, sheet: Picture, mask: npt.NDArray[np.uint8]) -> None:
    """Uneven light and dust over the whole body, so that no surface is one flat colour."""
    sides = np.interp(
        np.linspace(0, 1, SHEET_WIDTH), [0, 0.1, 0.5, 0.9, 1], [0.78, 1.02, 1.06, 1.02, 0.74]
    ).astype(np.float32)
    brush.shade(sheet, mask, np.repeat(sides[None, :], SHEET_HEIGHT, 0))
    blotches = brush.grain(rng, (SHEET_HEIGHT, SHEET_WIDTH), size=90, strength=5)
    blotches += brush.grain(rng, (SHEET_HEIGHT, SHEET_WIDTH), size=3, strength=2)
    brush.add(sheet, blotches * (mask / 255).astype(np.float32))
    sheet[:] = cv2.GaussianBlur(sheet, (3, 3), 0)
