"""Draws the characters of a plate: fonts, and glyphs stretched to equal cells as if stamped."""

from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tartip_scenes.forms import Colour

FONT_FOLDER: Final = Path(__file__).parent / "fonts"
FONTS: Final = (
    "barlow-condensed-latin-700-normal.woff",
    "barlow-semi-condensed-latin-600-normal.woff",
    "oswald-latin-500-normal.woff",
    "overpass-latin-700-normal.woff",
    "rajdhani-latin-700-normal.woff",
    "roboto-condensed-latin-700-normal.woff",
    "saira-condensed-latin-600-normal.woff",
    "share-tech-mono-latin-400-normal.woff",
)
HELD_OUT_FONTS: Final = (
    "fjalla-one-latin-400-normal.woff",
    "pt-sans-narrow-latin-700-normal.woff",
    "roboto-mono-latin-700-normal.woff",
)
"""Never used in training, so that a test on them says something."""
GLYPH_SIZE: Final = 96


@lru_cache(maxsize=64)
def load_font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Load the font file `name` from `FONT_FOLDER`, at a size in pixels."""
    return ImageFont.truetype(FONT_FOLDER / name, size)


def draw_text(
    sheet: Image.Image,
    text: str,
    box: tuple[float, float, float, float],
    *,
    font: ImageFont.FreeTypeFont,
    ink: Colour,
    rng: np.random.Generator,
) -> None:
    """Draw a text into a box (left, top, right, bottom) of the sheet.

    All characters get cells of equal width, and are stretched to the full height of the box.
    """
    left, top, right, bottom = box
    cell = (right - left) / len(text)
    tall = max(2, int(bottom - top))
    stretch = rng.uniform(0.95, 1.05)
    for place, character in enumerate(text):
        glyph = _glyph(character, font)
        natural = glyph.width * tall / glyph.height * stretch
        least = cell * (0.3 if character in "1I" else 0.6)
        wide = max(2, int(min(cell * 0.92, max(least, natural))))
        stamp = glyph.resize((wide, tall), Image.Resampling.BILINEAR)
        x = left + cell * place + (cell - wide) / 2
        sheet.paste(ink, (int(x), int(top)), stamp)


def _glyph(character: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    left, top, right, bottom = (round(edge) for edge in font.getbbox(character))
    tile = Image.new("L", (max(1, right - left + 2), max(1, bottom - top + 2)), 0)
    ImageDraw.Draw(tile).text((1 - left, 1 - top), character, font=font, fill=255)
    return tile
