"""Draws the content of a plate: the country's band, the text in one line or rows, small print."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tartip_scenes.forms import (
    EU_BLUE,
    EU_COUNTRIES,
    GOLD,
    LETTERS,
    SKY,
    WHITE,
    Colour,
    PlateForm,
    varied,
)
from tartip_scenes.lettering import FONTS, draw_text, load_font


def draw_band(
    pen: ImageDraw.ImageDraw, form: PlateForm, *, ink: Colour, rng: np.random.Generator
) -> int:
    """Draw the form's country band, if any, at the left edge of the plate.

    Returns the x coordinate, in pixels, where the text may begin.
    """
    small = load_font(str(rng.choice(list(FONTS))), 30)
    height = form.size[1]
    if form.band == "flag":
        pen.rectangle((14, 20, 54, 46), fill=SKY)
        pen.ellipse((28, 26, 40, 38), fill=GOLD)
        pen.text((16, 58), "KZ", font=small, fill=ink)
        return 62 + int(rng.integers(0, 16))
    if form.band == "eu":
        country = form.country or str(rng.choice(EU_COUNTRIES))
        pen.rectangle((6, 6, 50, height - 7), fill=EU_BLUE)
        pen.ellipse((16, 18, 40, 42), outline=GOLD, width=3)
        pen.text((14, 64), country, font=small, fill=WHITE)
        return 58 + int(rng.integers(0, 10))
    return 18 + int(rng.integers(0, 10))


def draw_line(
    sheet: Image.Image,
    groups: tuple[str, ...],
    form: PlateForm,
    *,
    font: ImageFont.FreeTypeFont,
    ink: Colour,
    left: int,
    rng: np.random.Generator,
) -> None:
    """Draw the groups of a text in one line from `left` (x in pixels).

    If the form has `boxed_region`, the last group (the region code) is drawn at the plate's right
    end. In most pictures, a vertical line divides the region code from the other groups.
    """
    width, height = form.size
    top, bottom = rng.uniform(0.17, 0.26) * height, rng.uniform(0.78, 0.86) * height
    right = width - 16.0
    body = groups
    if form.boxed_region:
        divider = int(rng.integers(396, 418))
        _draw_region(sheet, groups[-1], (divider, top, bottom), font=font, ink=ink, rng=rng)
        right, body = divider - rng.uniform(4, 14), groups[:-1]
    gap = rng.uniform(30, 48) if form.sealed and rng.random() < 0.5 else rng.uniform(8, 26)
    count = sum(len(group) for group in body)
    cell = min(78.0, (right - left - gap * (len(body) - 1)) / count)
    x = left + (right - left - cell * count - gap * (len(body) - 1)) / 2
    drop = rng.uniform(0, 0.3) * (bottom - top) if rng.random() < 0.7 else 0.0
    for group in body:
        lowered = drop if form.small_letters and group.isalpha() else 0.0
        end = x + cell * len(group)
        draw_text(sheet, group, (x, top + lowered, end, bottom), font=font, ink=ink, rng=rng)
        if form.sealed and gap > 28 and end + gap < right:
            _draw_seal(sheet, (end + gap / 2, (top + bottom) / 2), ink=ink, rng=rng)
        x = end + gap


def _draw_seal(
    sheet: Image.Image, centre: tuple[float, float], *, ink: Colour, rng: np.random.Generator
) -> None:
    """Stickers or a dash between two groups."""
    pen = ImageDraw.Draw(sheet)
    x, y = centre
    if rng.random() < 0.3:
        pen.rectangle((x - 9, y - 4, x + 9, y + 4), fill=ink)
        return
    for shift in (-17, 17) if rng.random() < 0.7 else (0,):
        colour = varied((120, 150, 150), rng, spread=90)
        pen.ellipse((x - 12, y + shift - 12, x + 12, y + shift + 12), fill=colour, outline=ink)


def _draw_region(
    sheet: Image.Image,
    region: str,
    place: tuple[int, float, float],
    *,
    font: ImageFont.FreeTypeFont,
    ink: Colour,
    rng: np.random.Generator,
) -> None:
    divider, top, bottom = place
    width, height = sheet.size
    pen = ImageDraw.Draw(sheet)
    if rng.random() < 0.85:
        stroke = int(rng.integers(2, 5))
        pen.line((divider, 6, divider, height - 7), fill=ink, width=stroke)
    half = (bottom - top) / 2 * rng.uniform(0.8, 1.12)
    middle = (top + bottom) / 2
    box = (divider + 8.0, middle - half, width - 14.0, middle + half)
    draw_text(sheet, region, box, font=font, ink=ink, rng=rng)


def draw_rows(
    sheet: Image.Image,
    groups: tuple[str, ...],
    form: PlateForm,
    *,
    font: ImageFont.FreeTypeFont,
    ink: Colour,
    left: int,
    rng: np.random.Generator,
) -> None:
    """Draw the groups of a text in the rows of the form. All rows have the same height.

    `left` is the x in pixels where the first row begins, to the right of the country's band.
    """
    width, height = form.size
    share = 0.8 * height / len(form.rows)
    apart = rng.uniform(8, 20)
    first = 0
    for row, count in enumerate(form.rows):
        shown = [group for group in groups[first : first + count] if group]
        top = 0.1 * height + share * row + apart / 2 * (row > 0)
        bottom = 0.1 * height + share * (row + 1) - apart / 2 * (row < len(form.rows) - 1)
        start = float(left if row == 0 or form.band == "eu" else 24)
        gap = rng.uniform(6, 26)
        room = width - 16 - start - gap * (len(shown) - 1)
        cell = min(0.75 * (bottom - top) + 14, room / sum(len(group) for group in shown))
        x = start + (room - cell * sum(len(group) for group in shown)) / 2
        for group in shown:
            box = (x, top, x + cell * len(group), bottom)
            draw_text(sheet, group, box, font=font, ink=ink, rng=rng)
            x += cell * len(group) + gap
        first += count


def draw_captioned(
    sheet: Image.Image,
    groups: tuple[str, ...],
    *,
    font: ImageFont.FreeTypeFont,
    ink: Colour,
    rng: np.random.Generator,
) -> None:
    """Draw the groups of a text in one line, with random small print above it and sometimes below.

    On some plates, the small print is the name of a state.
    """
    width, height = sheet.size
    top, bottom = rng.uniform(0.28, 0.34) * height, rng.uniform(0.82, 0.9) * height
    prints = [(0.08 * height, top - 0.07 * height)]
    if rng.random() < 0.3:
        bottom = 0.78 * height
        prints.append((0.82 * height, 0.93 * height))
    for above, below in prints:
        name = "".join(str(letter) for letter in rng.choice(list(LETTERS), rng.integers(5, 14)))
        half = len(name) * (below - above) * rng.uniform(0.3, 0.5)
        box = (width / 2 - half, above, width / 2 + half, below)
        draw_text(sheet, name, box, font=font, ink=varied(ink, rng, spread=60), rng=rng)
    gap = rng.uniform(14, 34)
    cell = min(0.09 * width + 18, (width - 40 - gap) / sum(len(group) for group in groups))
    x = (width - cell * sum(len(group) for group in groups) - gap) / 2
    for group in groups:
        end = x + cell * len(group)
        draw_text(sheet, group, (x, top, end, bottom), font=font, ink=ink, rng=rng)
        x = end + gap
