"""Registration plates: how a written one is normalised, and of which classes it may be.

Letters are Latin; Cyrillic ones that look alike are taken for them. Classes stand in
`tables/plates.json`; `law.articles` says which of them are never fined automatically.
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
    """`owner` is a hint: person, entity, either, foreign_person, foreign_entity, foreign, service,
    immunity or unknown."""

    name: str
    pattern: re.Pattern[str]
    owner: str


@cache
def plate_classes() -> tuple[PlateClass, ...]:
    """In the order in which they are tried; one class may have several layouts."""
    [raw] = tables("plates")
    return tuple(
        PlateClass(
            row["class"], re.compile(row["pattern"].replace("{region}", PLATE_CODE)), row["owner"]
        )
        for row in json.loads(raw)["classes"]
    )


def classes_of(plate: str) -> frozenset[str]:
    """Every class that a normalised plate may be of."""
    return frozenset(row.name for row in plate_classes() if row.pattern.fullmatch(plate))


def latin(text: str) -> str:
    """Upper case, Latin letters for their Cyrillic twins."""
    return text.upper().translate(_LOOK_ALIKES)


def letters_and_digits(text: str) -> str:
    """As plates are compared: Latin, nothing but letters and digits, whether or not it is one."""
    return re.sub(r"[^A-Z0-9]", "", latin(text))


def normalised_plate(text: str) -> str | None:
    """Latin without spaces, dashes or a leading KZ; None where it is no plate."""
    plate = re.sub(r"[\s\-]", "", latin(text))
    if plate.startswith(_COUNTRY) and is_plate(plate.removeprefix(_COUNTRY)):
        plate = plate.removeprefix(_COUNTRY)
    return plate if is_plate(plate) else None


def plate_as_read(text: str) -> str:
    """What somebody reads from a picture, with the dots that separate its groups; "" where it is no
    plate."""
    plate = re.sub(r"[\s\-·.]", "", latin(text))
    if plate.startswith(_COUNTRY) and len(plate) >= 9:
        plate = plate.removeprefix(_COUNTRY)
    return plate if is_plate(plate) else ""


def is_plate(plate: str) -> bool:
    """Four to ten letters and digits, some of each."""
    return bool(_PLATE.fullmatch(plate)) and not plate.isalpha() and not plate.isdigit()
