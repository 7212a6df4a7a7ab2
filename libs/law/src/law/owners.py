"""The kind of owner that a plate implies, and the age from which owners are fined automatically.

Both are read from `tables/owners.json` and `tables/plates.json`; each file names its sources.
"""

import json
from dataclasses import dataclass
from datetime import date
from enum import Enum

from law.packaged import tables
from law.plates import plate_classes


class OwnerKind(Enum):
    """Whether the owner of a vehicle is a natural person or a legal entity."""

    PERSON = "person"
    ENTITY = "entity"


_KINDS = {
    "person": OwnerKind.PERSON,
    "foreign_person": OwnerKind.PERSON,
    "entity": OwnerKind.ENTITY,
    "foreign_entity": OwnerKind.ENTITY,
}


@dataclass(frozen=True)
class OwnerRules:
    """One version of the rules on vehicle owners: from which age they are fined automatically."""

    version: str
    fined_automatically_from_age_years: int

    @classmethod
    def parse(cls, raw: bytes) -> "OwnerRules":
        """Parse the content of `owners.json`, whose source is KoAP Arts. 28, 65 and 66."""
        table = json.loads(raw)
        return cls(table["version"], table["fined_automatically_from_age"]["years"])

    def kind_for(self, plate: str) -> OwnerKind | None:
        """Return the kind of owner that a normalised plate implies; None if it implies no kind."""
        owned = (row for row in plate_classes() if row.owner in _KINDS)
        return next((_KINDS[row.owner] for row in owned if row.pattern.fullmatch(plate)), None)

    def is_too_young(self, born: date, on: date) -> bool:
        """Whether a person was, on a day, below the age from which owners are fined automatically.

        The age is reached on the birthday itself (KoAP Arts. 28, 65-66).
        """
        return age_years(born, on) < self.fined_automatically_from_age_years


def age_years(born: date, on: date) -> int:
    """The age on a day, in full years.

    In a common year, a person born on 29 February becomes a year older on 1 March.
    """
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def owner_rules() -> OwnerRules:
    """Read the rules on vehicle owners from `owners.json`, which is shipped with this library."""
    [raw] = tables("owners")
    return OwnerRules.parse(raw)
