"""Draws registration plates with known text: all Kazakh forms, and some foreign ones.

Pictures are BGR. The same state of the random generator gives the same plate. Corners are listed
clockwise from the top left.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from tartip_scenes.brush import Picture
from tartip_scenes.forms import FORMS, YELLOW, Colour, PlateKind, random_groups, split, varied
from tartip_scenes.layout import draw_band, draw_captioned, draw_line, draw_rows
from tartip_scenes.lettering import FONTS, GLYPH_SIZE, load_font

Corners = npt.NDArray[np.float32]

_INKS: Final[tuple[Colour, ...]] = ((120, 40, 20), (40, 30, 150), (60, 90, 20), (90, 50, 60))
"""Coloured letters of plates with a picture."""


@dataclass(frozen=True, slots=True)
class DrawnPlate:
    """A picture of a plate seen straight on, with its true text and kind."""

    picture: Picture
    text: str
    kind: PlateKind

    @property
    def corners(self) -> Corners:
        """The corners of the whole picture [4, 2] as (x, y) in pixels, clockwise from top left."""
        height, width = self.picture.shape[:2]
        return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)


def draw_plate(
    rng: np.random.Generator,
    *,
    kind: PlateKind = PlateKind.PERSON,
    text: str | None = None,
    fonts: tuple[str, ...] = FONTS,
) -> DrawnPlate:
    """Draw `text` as a plate of this kind. If `text` is None, it is random. Font, colours and
    layout vary at random. Raises ValueError if the length of the text does not fit the kind."""
    form = FORMS[kind]
    groups = random_groups(form, rng) if text is None else split(form, text, kind)
    width, height = form.size
    background = YELLOW if form.sealed and rng.random() < 0.15 else form.background
    if form.captioned and rng.random() < 0.4:
        background = varied(background, rng, spread=60)
    sheet = Image.new("RGB", (width, height), varied(background, rng, spread=12))
    if form.pictured and rng.random() < 0.5:
        sheet = _pictured(background, form.size, rng)
    pen = ImageDraw.Draw(sheet)
    ink = varied(form.ink, rng, spread=18)
    if form.pictured and rng.random() < 0.7:
        ink = _INKS[int(rng.integers(len(_INKS)))]
    font = load_font(str(rng.choice(list(fonts))), GLYPH_SIZE)
    if rng.random() < 0.95:
        edge = int(rng.integers(2, 6))
        pen.rounded_rectangle((4, 4, width - 5, height - 5), radius=10, outline=ink, width=edge)
    left = draw_band(pen, form, ink=ink, rng=rng)
    if form.rows:
        draw_rows(sheet, groups, form, font=font, ink=ink, left=left, rng=rng)
    elif form.captioned:
        draw_captioned(sheet, groups, font=font, ink=ink, rng=rng)
    else:
        draw_line(sheet, groups, form, font=font, ink=ink, left=left, rng=rng)
    picture = np.ascontiguousarray(np.asarray(sheet, np.uint8))
    return DrawnPlate(picture, "".join(groups), kind)


def _pictured(background: Colour, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """A pale picture behind the number: colours that run into one another, hills, a sun."""
    width, height = size
    ends = np.array([varied(background, rng, spread=70) for _ in range(2)], np.float32)
    share = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    sheet = np.repeat(ends[0] * (1 - share) + ends[1] * share, width, 1).astype(np.uint8)
    for _ in range(int(rng.integers(0, 4))):
        layer = sheet.copy()
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = (int(rng.integers(10, width // 2)), int(rng.integers(8, height // 3)))
        tint = varied(background, rng, spread=110)
        cv2.ellipse(layer, centre, axes, float(rng.integers(0, 180)), 0, 360, tint, -1)
        part = float(rng.uniform(0.2, 0.6))
        sheet = cv2.addWeighted(layer, part, sheet, 1 - part, 0).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(sheet))
