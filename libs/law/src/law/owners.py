"""Who may own a vehicle with which plate, and from what age an owner is fined automatically.

Read from `owners.json`, where the sources are named.
"""

import json
import re
from dataclasses import dataclass
from datetime import date
from enum import Enum
from importlib import resources

from law.regions import PLATE_CODE


class OwnerKind(Enum):
    PERSON = "person"
    ENTITY = "entity"


@dataclass(frozen=True)
class OwnerRules:
    version: str
    fined_automatically_from_age_years: int
    plates: tuple[tuple[re.Pattern[str], OwnerKind], ...]

    @classmethod
    def parse(cls, raw: bytes) -> "OwnerRules":
        table = json.loads(raw)
        return cls(
            version=table["version"],
            fined_automatically_from_age_years=table["fined_automatically_from_age"]["years"],
            plates=tuple(
                (
                    re.compile(row["pattern"].replace("{region}", PLATE_CODE)),
                    OwnerKind(row["owner"]),
                )
                for row in table["plates"]["classes"]
            ),
        )

    def kind_for(self, plate: str) -> OwnerKind | None:
        """Whose a normalised plate is; None where its class may be anybody's."""
        return next((kind for form, kind in self.plates if form.fullmatch(plate)), None)

    def is_too_young(self, born: date, on: date) -> bool:
        """Whether somebody had not yet reached the age on a day; the birthday itself counts."""
        return age_years(born, on) < self.fined_automatically_from_age_years


def _plate_form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("{region}", PLATE_CODE))


def age_years(born: date, on: date) -> int:
    """Full years; who was born on 29 February grows older on 1 March where there is no such day."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def owner_rules() -> OwnerRules:
    """The table that comes with this package."""
    return OwnerRules.parse((resources.files("law") / "owners.json").read_bytes())
