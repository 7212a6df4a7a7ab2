"""Registration plates of vehicles: their normalised text and their classes.

Normalised text has Latin letters only; Cyrillic look-alikes are converted. The file
`tables/plates.json` defines the classes. `law.articles` says which classes are never fined
automatically.
"""

import json
import re
from dataclasses import dataclass
from functools import cache

from law.packaged import tables
from law.regions import PLATE_CODE

_LOOK_ALIKES = str.maketrans("АВЕКМНОРСТУХ", "ABEKMHOPCTYX")
_PLATE = re.compile(r"[A-Z0-9]{4,10}")
_COUNTRY = "KZ"


@dataclass(frozen=True)
class PlateClass:
    """One layout of a class of plates; `name` is the class, such as "car_person".

    `pattern` matches the normalised text of a plate. `owner` is a hint at the kind of owner:
    person, entity, either, foreign_person, foreign_entity, foreign, service, immunity or unknown.
    """

    name: str
    pattern: re.Pattern[str]
    owner: str


@cache
def plate_classes() -> tuple[PlateClass, ...]:
    """Return all layouts of plates, in the order of `tables/plates.json`.

    Layouts are tried in this order. A class that has several layouts occurs several times.
    """
    [raw] = tables("plates")
    return tuple(
        PlateClass(
            row["class"], re.compile(row["pattern"].replace("{region}", PLATE_CODE)), row["owner"]
        )
        for row in json.loads(raw)["classes"]
    )


def classes_of(plate: str) -> frozenset[str]:
    """The names of the plate classes whose layout a normalised plate matches."""
    return frozenset(row.name for row in plate_classes() if row.pattern.fullmatch(plate))


def latin(text: str) -> str:
    """The text in upper case, with Cyrillic look-alikes replaced by Latin letters."""
    return text.upper().translate(_LOOK_ALIKES)


def letters_and_digits(text: str) -> str:
    """The letters and digits of a text, in Latin capitals; the text need not be a valid plate."""
    return re.sub(r"[^A-Z0-9]", "", latin(text))


def normalised_plate(text: str) -> str | None:
    """Normalise a plate: Latin capitals and digits, without spaces, dashes or a leading KZ.

    Returns None if the result is not a plate (see `is_plate`).
    """
    plate = re.sub(r"[\s\-]", "", latin(text))
    if plate.startswith(_COUNTRY) and is_plate(plate.removeprefix(_COUNTRY)):
        plate = plate.removeprefix(_COUNTRY)
    return plate if is_plate(plate) else None


def plate_as_read(text: str) -> str:
    """Normalise a plate that a person typed or a device read; "" if the text is not a plate.

    Unlike `normalised_plate`, this function also removes dots, and it removes a leading KZ only
    from a text that has at least nine characters without spaces, dashes and dots.
    """
    plate = re.sub(r"[\s\-·.]", "", latin(text))
    if plate.startswith(_COUNTRY) and len(plate) >= 9:
        plate = plate.removeprefix(_COUNTRY)
    return plate if is_plate(plate) else ""


def is_plate(plate: str) -> bool:
    """Whether a text is four to ten Latin capitals and digits, with at least one of each."""
    return bool(_PLATE.fullmatch(plate)) and not plate.isalpha() and not plate.isdigit()
