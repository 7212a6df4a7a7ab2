"""Draws registration plates with known text: every Kazakh form, and foreign ones beside them.

Pictures are BGR as OpenCV keeps them. The same generator state gives the same plate, so a seed is
all that a test or a training set has to record. Corners run clockwise from the top left.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Picture = npt.NDArray[np.uint8]
Corners = npt.NDArray[np.float32]

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

DIGITS: Final = "0123456789"
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
REGION_CODES: Final = tuple(f"{code:02d}" for code in range(1, 21))
GLYPH_SIZE: Final = 96

Colour = tuple[int, int, int]
WHITE: Final[Colour] = (242, 244, 244)
YELLOW: Final[Colour] = (50, 205, 240)
RED: Final[Colour] = (50, 35, 200)
EU_BLUE: Final[Colour] = (170, 60, 10)
BLACK: Final[Colour] = (20, 18, 18)
NAVY: Final[Colour] = (120, 40, 20)
SKY: Final[Colour] = (200, 170, 20)
GOLD: Final[Colour] = (40, 205, 250)
_INKS: Final[tuple[Colour, ...]] = ((120, 40, 20), (40, 30, 150), (60, 90, 20), (90, 50, 60))
"""Coloured letters of plates with a picture."""


class PlateKind(StrEnum):
    """The forms that can be drawn; the first ones are Kazakh."""

    PERSON = "person"
    ENTITY = "entity"
    MOTORCYCLE = "motorcycle"
    TRAILER = "trailer"
    FOREIGN_OWNER = "foreign_owner"
    PERSON_1993 = "person_1993"
    ENTITY_1993 = "entity_1993"
    POLICE = "police"
    SPECIAL = "special"
    DIPLOMAT = "diplomat"
    CONSUL = "consul"
    SQUARE = "square"
    MOTORCYCLE_SQUARE = "motorcycle_square"
    EU = "eu"
    UKRAINE = "ukraine"
    RUSSIA = "russia"
    EU_SQUARE = "eu_square"
    UKRAINE_SQUARE = "ukraine_square"
    UKRAINE_MOTORCYCLE = "ukraine_motorcycle"
    TRACTOR = "tractor"
    BRAZIL = "brazil"
    NORTH_AMERICA = "north_america"


@dataclass(frozen=True, slots=True)
class PlateForm:
    """How one kind looks. `groups` are patterns: d digit, l letter, r region digit, else literal.

    `others` are further patterns that occur; a sealed form may carry a round sticker or a dash
    between its first groups. `rows` counts the groups of each row; no rows is one line. A
    captioned form bears small print above its one line, a pictured one colours behind it.
    """

    groups: tuple[str, ...]
    others: tuple[tuple[str, ...], ...] = ()
    sealed: bool = False
    rows: tuple[int, ...] = ()
    captioned: bool = False
    pictured: bool = False
    background: Colour = WHITE
    ink: Colour = BLACK
    band: str = "none"
    country: str = ""
    boxed_region: bool = False
    small_letters: bool = True
    size: tuple[int, int] = (520, 112)


FORMS: Final[dict[PlateKind, PlateForm]] = {
    PlateKind.PERSON: PlateForm(("ddd", "lll", "rr"), band="flag", boxed_region=True),
    PlateKind.ENTITY: PlateForm(("ddd", "ll", "rr"), band="flag", boxed_region=True),
    PlateKind.MOTORCYCLE: PlateForm(("dd", "ll", "rr"), band="flag", boxed_region=True),
    PlateKind.TRAILER: PlateForm(("dd", "lll", "rr"), band="flag", boxed_region=True),
    PlateKind.FOREIGN_OWNER: PlateForm(
        ("l", "dddd", "rr"), background=YELLOW, band="flag", boxed_region=True
    ),
    PlateKind.PERSON_1993: PlateForm(("l", "ddd", "lll"), small_letters=False),
    PlateKind.ENTITY_1993: PlateForm(("l", "ddd", "ll"), small_letters=False),
    PlateKind.POLICE: PlateForm(("ddd", "KP", "rr"), ink=NAVY, band="flag", boxed_region=True),
    PlateKind.SPECIAL: PlateForm(("ll", "dddd", "rr"), band="flag", boxed_region=True),
    PlateKind.DIPLOMAT: PlateForm(
        ("D", "dddd", "rr"), background=RED, ink=WHITE, band="flag", boxed_region=True
    ),
    PlateKind.CONSUL: PlateForm(
        ("HC", "ddd", "rr"), background=YELLOW, band="flag", boxed_region=True
    ),
    PlateKind.SQUARE: PlateForm(
        ("rr", "lll", "ddd"),
        others=(("rr", "ll", "ddd"),),
        rows=(2, 1),
        band="flag",
        size=(280, 202),
    ),
    PlateKind.MOTORCYCLE_SQUARE: PlateForm(
        ("rr", "ll", "dd"), rows=(2, 1), band="flag", size=(240, 190)
    ),
    PlateKind.EU: PlateForm(
        ("ll", "ddd", "ll"),
        others=(
            ("dld", "dddd"),
            ("l", "ddd"),
            ("ll", "dddd"),
            ("lll", "dddd"),
            ("ll", "ddddd"),
            ("lldd", "lll"),
            ("l", "ll", "ddd"),
            ("ld", "lll"),
            ("lll", "ddd"),
            ("dd", "lll", "d"),
            ("llllll",),
        ),
        sealed=True,
        band="eu",
        small_letters=False,
    ),
    PlateKind.UKRAINE: PlateForm(
        ("ll", "dddd", "ll"), band="eu", country="UA", small_letters=False
    ),
    PlateKind.RUSSIA: PlateForm(("l", "ddd", "ll", "dd"), boxed_region=True),
    PlateKind.EU_SQUARE: PlateForm(
        ("ll", "ddd", "ll"),
        others=(("ll", "ll", "dd"), ("lll", "dddd", ""), ("l", "ll", "ddd"), ("dld", "dddd", "")),
        rows=(1, 2),
        band="eu",
        small_letters=False,
        size=(280, 200),
    ),
    PlateKind.UKRAINE_SQUARE: PlateForm(
        ("ll", "ll", "dddd"),
        rows=(2, 1),
        band="eu",
        country="UA",
        small_letters=False,
        size=(300, 150),
    ),
    PlateKind.UKRAINE_MOTORCYCLE: PlateForm(
        ("ll", "dddd", "ll"),
        rows=(1, 1, 1),
        band="eu",
        country="UA",
        small_letters=False,
        size=(220, 174),
    ),
    PlateKind.TRACTOR: PlateForm(
        ("ddddd", "ll"), others=(("dddd", "ll"),), rows=(1, 1), size=(288, 206)
    ),
    PlateKind.BRAZIL: PlateForm(
        ("lll", "dddd"),
        background=(205, 205, 203),
        captioned=True,
        small_letters=False,
        size=(400, 130),
    ),
    PlateKind.NORTH_AMERICA: PlateForm(
        ("lll", "dddd"),
        others=(("ddd", "lll"), ("lld", "ldl"), ("ddd", "ldd"), ("dldd", "ldl")),
        captioned=True,
        pictured=True,
        small_letters=False,
        size=(305, 152),
    ),
}
KAZAKH_KINDS: Final = (
    *(kind for kind in PlateKind if FORMS[kind].band == "flag"),
    PlateKind.PERSON_1993,
    PlateKind.ENTITY_1993,
)
ONE_LINE_KAZAKH_KINDS: Final = tuple(kind for kind in KAZAKH_KINDS if not FORMS[kind].rows)
TWO_ROW_KAZAKH_KINDS: Final = tuple(kind for kind in KAZAKH_KINDS if FORMS[kind].rows)
EU_COUNTRIES: Final = ("D", "PL", "SK", "CZ", "A", "F", "I", "LT", "LV", "H", "RO", "BG", "EST")


@dataclass(frozen=True, slots=True)
class DrawnPlate:
    """A plate seen straight on, with the truth about it."""

    picture: Picture
    text: str
    kind: PlateKind

    @property
    def corners(self) -> Corners:
        """Outer corners of the plate in its own picture."""
        height, width = self.picture.shape[:2]
        return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)


def draw_plate(
    rng: np.random.Generator,
    *,
    kind: PlateKind = PlateKind.PERSON,
    text: str | None = None,
    fonts: tuple[str, ...] = FONTS,
) -> DrawnPlate:
    """Draw `text` (or a random one) as a plate of `kind`; details vary with the generator."""
    form = FORMS[kind]
    groups = _random_groups(form, rng) if text is None else _split(form, text, kind)
    width, height = form.size
    background = YELLOW if form.sealed and rng.random() < 0.15 else form.background
    if form.captioned and rng.random() < 0.4:
        background = _varied(background, rng, spread=60)
    sheet = Image.new("RGB", (width, height), _varied(background, rng, spread=12))
    if form.pictured and rng.random() < 0.5:
        sheet = _pictured(background, form.size, rng)
    pen = ImageDraw.Draw(sheet)
    ink = _varied(form.ink, rng, spread=18)
    if form.pictured and rng.random() < 0.7:
        ink = _INKS[int(rng.integers(len(_INKS)))]
    font = _font(str(rng.choice(list(fonts))), GLYPH_SIZE)
    if rng.random() < 0.95:
        edge = int(rng.integers(2, 6))
        pen.rounded_rectangle((4, 4, width - 5, height - 5), radius=10, outline=ink, width=edge)
    left = _draw_band(pen, form, ink=ink, rng=rng)
    if form.rows:
        _draw_rows(sheet, groups, form, font=font, ink=ink, left=left, rng=rng)
    elif form.captioned:
        _draw_captioned(sheet, groups, font=font, ink=ink, rng=rng)
    else:
        _draw_line(sheet, groups, form, font=font, ink=ink, left=left, rng=rng)
    picture = np.ascontiguousarray(np.asarray(sheet, np.uint8))
    return DrawnPlate(picture, "".join(groups), kind)


def random_text(kind: PlateKind, rng: np.random.Generator) -> str:
    """A made-up text that fits the kind's form."""
    return "".join(_random_groups(FORMS[kind], rng))


def soil(picture: Picture, rng: np.random.Generator, *, strength: float) -> Picture:
    """Bolts, mud and snow on a plate; strength 0 leaves it clean, 1 is a winter road."""
    soiled = picture.copy()
    height, width = soiled.shape[:2]
    for _ in range(int(rng.choice([0, 0, 2, 4]))):
        x = int(rng.choice([0.12, 0.2, 0.8, 0.9]) * width + rng.integers(-12, 13))
        y = int(rng.choice([0.08, 0.92]) * height)
        cv2.circle(soiled, (x, y), int(rng.integers(3, 7)), (120, 120, 120), -1)
    for _ in range(int(rng.poisson(3.0 * strength))):
        mud = int(rng.integers(60, 140))
        tint = (235, 235, 235) if rng.random() < 0.3 else (mud - 10, mud + 5, mud + 15)
        layer = soiled.copy()
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = (int(rng.integers(8, 70)), int(rng.integers(4, 26)))
        cv2.ellipse(layer, centre, axes, float(rng.integers(0, 180)), 0, 360, tint, -1)
        share = float(rng.uniform(0.15, 0.55))
        soiled = cv2.addWeighted(layer, share, soiled, 1 - share, 0).astype(np.uint8)
    return soiled


def paste_plate(
    scene: Picture, plate: DrawnPlate, corners: Corners, *, light: float = 1.0
) -> Picture:
    """The scene with the plate warped onto `corners` (pixels of the scene)."""
    height, width = scene.shape[:2]
    source = plate.corners
    face = plate.picture
    shown_width = float(np.linalg.norm(corners[1] - corners[0]))
    if shown_width * 2 < face.shape[1]:  # avoid aliasing when the plate is far away
        scale = shown_width * 2 / face.shape[1]
        face = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(
            np.uint8
        )
        shrunk = np.array(face.shape[1::-1]) / np.array(plate.picture.shape[1::-1])
        source = (source * shrunk).astype(np.float32)
    warp = cv2.getPerspectiveTransform(
        np.ascontiguousarray(source, np.float32), np.ascontiguousarray(corners, np.float32)
    )
    lit = np.clip(face.astype(np.float32) * light, 0, 255)
    shown = cv2.warpPerspective(lit, warp, (width, height), flags=cv2.INTER_LINEAR)
    mask = cv2.warpPerspective(np.ones(face.shape[:2], np.float32), warp, (width, height))
    blended = scene * (1 - mask[..., None]) + shown * mask[..., None]
    return blended.astype(np.uint8)


def _pictured(background: Colour, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """A pale picture behind the number: colours that run into one another, hills, a sun."""
    width, height = size
    ends = np.array([_varied(background, rng, spread=70) for _ in range(2)], np.float32)
    share = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    sheet = np.repeat(ends[0] * (1 - share) + ends[1] * share, width, 1).astype(np.uint8)
    for _ in range(int(rng.integers(0, 4))):
        layer = sheet.copy()
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = (int(rng.integers(10, width // 2)), int(rng.integers(8, height // 3)))
        tint = _varied(background, rng, spread=110)
        cv2.ellipse(layer, centre, axes, float(rng.integers(0, 180)), 0, 360, tint, -1)
        part = float(rng.uniform(0.2, 0.6))
        sheet = cv2.addWeighted(layer, part, sheet, 1 - part, 0).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(sheet))


def _random_groups(form: PlateForm, rng: np.random.Generator) -> tuple[str, ...]:
    groups = form.groups
    if form.others and rng.random() < 0.6:
        groups = form.others[int(rng.integers(len(form.others)))]
    return tuple(_random_group(group, rng) for group in groups)


def _random_group(pattern: str, rng: np.random.Generator) -> str:
    if pattern == "rr":
        return str(rng.choice(REGION_CODES))
    alphabets = {"d": DIGITS, "l": LETTERS}
    return "".join(str(rng.choice(list(alphabets.get(mark, mark)))) for mark in pattern)


def _split(form: PlateForm, text: str, kind: PlateKind) -> tuple[str, ...]:
    known = [[len(group) for group in groups] for groups in (form.groups, *form.others)]
    lengths = next((sizes for sizes in known if sum(sizes) == len(text)), known[0])
    if len(text) != sum(lengths):
        raise ValueError(f"{kind.value} plates have {sum(lengths)} characters, not {len(text)}")
    ends = np.cumsum(lengths)
    return tuple(text[end - size : end] for end, size in zip(ends, lengths, strict=True))


def _varied(colour: Colour, rng: np.random.Generator, *, spread: int) -> Colour:
    shift = rng.integers(-spread, spread + 1, 3)
    red, green, blue = (int(np.clip(c + s, 0, 255)) for c, s in zip(colour, shift, strict=True))
    return red, green, blue


def _draw_band(
    pen: ImageDraw.ImageDraw, form: PlateForm, *, ink: Colour, rng: np.random.Generator
) -> int:
    """Draw the country's band at the left; returns where the characters may begin."""
    small = _font(str(rng.choice(list(FONTS))), 30)
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


def _draw_line(
    sheet: Image.Image,
    groups: tuple[str, ...],
    form: PlateForm,
    *,
    font: ImageFont.FreeTypeFont,
    ink: Colour,
    left: int,
    rng: np.random.Generator,
) -> None:
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
        _draw_text(sheet, group, (x, top + lowered, end, bottom), font=font, ink=ink, rng=rng)
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
        colour = _varied((120, 150, 150), rng, spread=90)
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
    _draw_text(sheet, region, box, font=font, ink=ink, rng=rng)


def _draw_rows(
    sheet: Image.Image,
    groups: tuple[str, ...],
    form: PlateForm,
    *,
    font: ImageFont.FreeTypeFont,
    ink: Colour,
    left: int,
    rng: np.random.Generator,
) -> None:
    """The rows share the height evenly; only the first one makes room for the country's band."""
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
            _draw_text(sheet, group, box, font=font, ink=ink, rng=rng)
            x += cell * len(group) + gap
        first += count


def _draw_captioned(
    sheet: Image.Image,
    groups: tuple[str, ...],
    *,
    font: ImageFont.FreeTypeFont,
    ink: Colour,
    rng: np.random.Generator,
) -> None:
    """A place's name in small print above, sometimes more of it below, the number between."""
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
        _draw_text(sheet, name, box, font=font, ink=_varied(ink, rng, spread=60), rng=rng)
    gap = rng.uniform(14, 34)
    cell = min(0.09 * width + 18, (width - 40 - gap) / sum(len(group) for group in groups))
    x = (width - cell * sum(len(group) for group in groups) - gap) / 2
    for group in groups:
        end = x + cell * len(group)
        _draw_text(sheet, group, (x, top, end, bottom), font=font, ink=ink, rng=rng)
        x = end + gap


def _draw_text(
    sheet: Image.Image,
    text: str,
    box: tuple[float, float, float, float],
    *,
    font: ImageFont.FreeTypeFont,
    ink: Colour,
    rng: np.random.Generator,
) -> None:
    """Stretch each character to the row's height in its own cell, as stamping dies do."""
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


@lru_cache(maxsize=64)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONT_FOLDER / name, size)
