"""Who may own a vehicle with which plate, and from what age an owner is fined automatically.

Read from `tables/owners.json` and `tables/plates.json`, where the sources are named.
"""

import json
from dataclasses import dataclass
from datetime import date
from enum import Enum

from law.packaged import tables
from law.plates import plate_classes


class OwnerKind(Enum):
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
    version: str
    fined_automatically_from_age_years: int

    @classmethod
    def parse(cls, raw: bytes) -> "OwnerRules":
        """Parse `owners.json`, whose source is KoAP Arts. 28, 65 and 66."""
        table = json.loads(raw)
        return cls(table["version"], table["fined_automatically_from_age"]["years"])

    def kind_for(self, plate: str) -> OwnerKind | None:
        """Whose a normalised plate is; None where its class may be anybody's."""
        owned = (row for row in plate_classes() if row.owner in _KINDS)
        return next((_KINDS[row.owner] for row in owned if row.pattern.fullmatch(plate)), None)

    def is_too_young(self, born: date, on: date) -> bool:
        """Whether somebody had not yet reached the age on a day; the birthday itself counts."""
        return age_years(born, on) < self.fined_automatically_from_age_years


def age_years(born: date, on: date) -> int:
    """Full years; who was born on 29 February grows older on 1 March where there is no such day."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def owner_rules() -> OwnerRules:
    """The table that comes with this package."""
    [raw] = tables("owners")
    return OwnerRules.parse(raw)
