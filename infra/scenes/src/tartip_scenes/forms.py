"""The forms of registration plates: patterns of their texts, layouts, colours and sizes.

The table `FORMS` has all Kazakh forms and some foreign ones. Functions make up random texts that
fit a form.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

DIGITS: Final = "0123456789"
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ALPHABETS: Final = {"d": DIGITS, "l": LETTERS}
LOOK_ALIKES: Final = {"d": "012568", "l": "BDGIOQSZ"}
"""Digits and letters that readers take for one another."""
REGION_CODES: Final = tuple(f"{code:02d}" for code in range(1, 21))

Colour = tuple[int, int, int]
WHITE: Final[Colour] = (242, 244, 244)
YELLOW: Final[Colour] = (50, 205, 240)
RED: Final[Colour] = (50, 35, 200)
EU_BLUE: Final[Colour] = (170, 60, 10)
BLACK: Final[Colour] = (20, 18, 18)
NAVY: Final[Colour] = (120, 40, 20)
SKY: Final[Colour] = (200, 170, 20)
GOLD: Final[Colour] = (40, 205, 250)


class PlateKind(StrEnum):
    """The kinds of plates that can be drawn; `KAZAKH_KINDS` lists those of Kazakhstan."""

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
    """The appearance of one kind of plate. The field `size` is (width, height) in pixels.

    The field `groups` is the pattern of the text. In it, d stands for a digit, l for a letter, rr
    for a region code, and any other character for itself. The field `others` has alternative
    patterns. The field `rows` gives the number of groups in each row; if it is empty, there is one
    line. The field `band` is the country's band at the left edge: "flag" (of Kazakhstan), "eu" or
    "none".

    A plate may have round stickers or dashes between groups (`sealed`), small print above the text
    (`captioned`), or a picture behind the text (`pictured`). Its region code may stand apart
    (`boxed_region`).
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


def random_text(kind: PlateKind, rng: np.random.Generator) -> str:
    """Return a random text that fits this kind of plate."""
    return "".join(random_groups(FORMS[kind], rng))


def alike_text(kind: PlateKind, rng: np.random.Generator) -> str:
    """A random text that fits this kind of plate, made of characters that plate recognition
    confuses.

    Digits and letters are taken from `LOOK_ALIKES`, but region codes from all `REGION_CODES`.
    """
    return "".join(_random_group(group, rng, LOOK_ALIKES) for group in FORMS[kind].groups)


def random_groups(form: PlateForm, rng: np.random.Generator) -> tuple[str, ...]:
    """A random text that fits the form, as one string for each group."""
    groups = form.groups
    if form.others and rng.random() < 0.6:
        groups = form.others[int(rng.integers(len(form.others)))]
    return tuple(_random_group(group, rng) for group in groups)


def split(form: PlateForm, text: str, kind: PlateKind) -> tuple[str, ...]:
    """Split a text into the groups of the form, by length. Raises ValueError if the text's length
    fits neither the form's pattern nor an alternative one. The error names `kind`."""
    known = [[len(group) for group in groups] for groups in (form.groups, *form.others)]
    lengths = next((sizes for sizes in known if sum(sizes) == len(text)), known[0])
    if len(text) != sum(lengths):
        raise ValueError(f"{kind.value} plates have {sum(lengths)} characters, not {len(text)}")
    ends = np.cumsum(lengths)
    return tuple(text[end - size : end] for end, size in zip(ends, lengths, strict=True))


def _random_group(
    pattern: str, rng: np.random.Generator, alphabets: Mapping[str, str] = ALPHABETS
) -> str:
    if pattern == "rr":
        return str(rng.choice(REGION_CODES))
    return "".join(str(rng.choice(list(alphabets.get(mark, mark)))) for mark in pattern)


def varied(colour: Colour, rng: np.random.Generator, *, spread: int) -> Colour:
    """The colour with each channel changed at random by at most `spread`. Values stay within 0 to
    255."""
    shift = rng.integers(-spread, spread + 1, 3)
    red, green, blue = (int(np.clip(c + s, 0, 255)) for c, s in zip(colour, shift, strict=True))
    return red, green, blue
