"""Draws faces of people who do not exist, realistic enough for a face detector to find them.

    face = draw_face(4)
    face.picture, face.box

The same seed gives the same picture, byte for byte. All drawn faces look alike, even to models that
recognise faces.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import cv2
import numpy as np

from tartip_scenes import brush
from tartip_scenes.brush import Colour, Picture, Point

SIDE: Final = 320
"""Width and height of a picture, in pixels."""
_FINER: Final = 4
_SHIRT_REACH: Final = 2.1
_SKINS: Final = ((150, 180, 222), (120, 155, 205), (95, 130, 185), (170, 195, 232))
_HAIRS: Final = ((30, 35, 45), (25, 45, 75), (60, 80, 110), (20, 20, 22))
_WHITE: Final[Colour] = (235, 238, 240)
_IRIS: Final[Colour] = (50, 60, 70)
_BLACK: Final[Colour] = (10, 10, 10)
_LIPS: Final[Colour] = (90, 90, 175)
_BETWEEN_LIPS: Final[Colour] = (45, 40, 80)


@dataclass(frozen=True, slots=True)
class DrawnFace:
    picture: Picture
    box: tuple[float, float, float, float]
    """The face from the hair's edge to the chin: x, y, width, height in pixels."""
    figure: tuple[float, float, float, float]
    """All that is seen of the person, in the same form."""


def draw_face(seed: int) -> DrawnFace:
    """Draw a random person's head and shoulders from the front.

    The picture is BGR [SIDE, SIDE, 3].
    """
    rng = np.random.default_rng(seed)
    person = _Person.random(rng)
    sheet = np.empty((SIDE * _FINER, SIDE * _FINER, 3), np.uint8)
    sheet[:] = rng.integers(90, 170, 3)
    shirt = rng.integers(40, 200, 3).tolist()
    person.ellipse(sheet, (0, 1.93), (_SHIRT_REACH, 0.82), (shirt[0], shirt[1], shirt[2]))
    _head(person, sheet)
    for side in (-1, 1):
        _eye(person, sheet, side)
    _nose_and_mouth(person, sheet)
    picture = cv2.resize(sheet, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.uint8)
    wide, tall = person.half
    x, y = person.middle
    box = (x - wide, y - tall * 0.65, 2 * wide, tall * 1.65)
    above = y - tall * 1.2
    reach = min(_SHIRT_REACH * wide, SIDE / 2)
    figure = (x - reach, above, 2 * reach, SIDE - above)
    return DrawnFace(_lit(person, picture, rng), box, figure)


@dataclass(frozen=True, slots=True)
class _Person:
    """A face to draw. Places on it are (x, y) from its middle, as shares of its `half` width and
    height; `middle` and `half` are in pixels of the final picture."""

    middle: Point
    half: Point
    skin: tuple[int, int, int]
    hair: Colour

    @classmethod
    def random(cls, rng: np.random.Generator) -> "_Person":
        skin, hair = _SKINS[int(rng.integers(4))], _HAIRS[int(rng.integers(4))]
        wide = SIDE * 0.2 * float(rng.uniform(0.95, 1.08))
        tall = SIDE * 0.27 * float(rng.uniform(0.95, 1.05))
        return cls((SIDE / 2, SIDE * 0.5), (wide, tall), skin, hair)

    def shade(self, factor: float) -> Colour:
        blue, green, red = (min(255, round(channel * factor)) for channel in self.skin)
        return (blue, green, red)

    def at(self, place: Point) -> Point:
        """Convert a place on the face to pixels (x, y) of the sheet, the enlarged picture."""
        x, y = (
            (middle + share * half) * _FINER
            for middle, share, half in zip(self.middle, place, self.half, strict=True)
        )
        return (x, y)

    def ellipse(self, sheet: Picture, place: Point, axes: Point, colour: Colour) -> None:
        wide, tall = axes[0] * self.half[0] * _FINER, axes[1] * self.half[1] * _FINER
        brush.ellipse(sheet, self.at(place), (wide, tall), colour)

    def arc(self, sheet: Picture, place: Point, axes: Point, colour: Colour, width: float) -> None:
        """Draw the upper arc of an ellipse with centre `place`, as a line of `width` pixels of the
        final picture. `axes` are shares of the face's half width and height."""
        angles = np.deg2rad(np.linspace(190, 350, 17))
        points = [
            self.at((place[0] + axes[0] * float(np.cos(a)), place[1] + axes[1] * float(np.sin(a))))
            for a in angles
        ]
        for start, end in pairwise(points):
            brush.line(sheet, start, end, colour, round(width * _FINER))


def _head(person: _Person, sheet: Picture) -> None:
    person.ellipse(sheet, (0, 1.05), (0.55, 0.55), person.shade(0.82))  # neck
    person.ellipse(sheet, (0, -0.18), (1.18, 1.02), person.hair)
    for side in (-1, 1):
        person.ellipse(sheet, (side, 0.05), (0.14, 0.2), person.shade(0.86))  # ears
    person.ellipse(sheet, (0, 0), (1, 1), person.shade(1))
    person.ellipse(sheet, (0, -0.72), (1, 0.42), person.hair)
    person.ellipse(sheet, (0, -0.22), (0.86, 0.42), person.shade(1))  # forehead


def _eye(person: _Person, sheet: Picture, side: int) -> None:
    x, y = side * 0.42, -0.08
    person.ellipse(sheet, (x, y - 0.03), (0.3, 0.15), person.shade(0.86))
    person.ellipse(sheet, (x, y), (0.2, 0.075), _WHITE)
    person.ellipse(sheet, (x, y), (0.095, 0.075), _IRIS)
    person.ellipse(sheet, (x, y), (0.05, 0.04), _BLACK)
    person.ellipse(sheet, (x + 0.03, y - 0.02), (0.02, 0.015), _WHITE)
    person.arc(sheet, (x, y - 0.005), (0.21, 0.085), person.shade(0.35), 1.2)
    person.arc(sheet, (x, y - 0.14), (0.27, 0.08), person.hair, 2.4)


def _nose_and_mouth(person: _Person, sheet: Picture) -> None:
    outline = [(-0.07, -0.08), (-0.16, 0.26), (0.16, 0.26), (0.07, -0.08)]
    brush.polygon(sheet, [person.at(place) for place in outline], person.shade(0.94))
    person.ellipse(sheet, (0, 0.25), (0.17, 0.09), person.shade(0.9))
    person.ellipse(sheet, (0, 0.22), (0.09, 0.06), person.shade(1.08))
    for side in (-1, 1):
        person.ellipse(sheet, (side * 0.08, 0.3), (0.05, 0.025), person.shade(0.45))
    person.ellipse(sheet, (0, 0.52), (0.33, 0.07), _LIPS)
    person.ellipse(sheet, (0, 0.515), (0.33, 0.018), _BETWEEN_LIPS)
    person.ellipse(sheet, (0, 0.62), (0.2, 0.03), person.shade(0.88))


def _lit(person: _Person, picture: Picture, rng: np.random.Generator) -> Picture:
    """Light from the left, darker towards the edge of the face, softness and noise."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    across = (columns - person.middle[0]) / person.half[0]
    away = across**2 + ((rows - person.middle[1]) / person.half[1]) ** 2
    light = 1.08 - 0.14 * np.clip(across + 1, 0, 2)
    light *= 1 - 0.25 * np.clip(away - 0.55, 0, 0.6)
    shaded = np.where(away < 1.05, light, 1)[..., None] * picture
    soft = cv2.GaussianBlur(shaded.astype(np.float32), (0, 0), 1.0).astype(np.float32)
    soft += rng.standard_normal(soft.shape, np.float32) * np.float32(3)
    return np.clip(soft, 0, 255).astype(np.uint8)
