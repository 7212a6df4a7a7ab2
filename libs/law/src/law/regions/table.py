"""The regions and cities of republican rank, twenty in all, by their ISO 3166-2 codes.

Read from `regions.json`, which names its sources. The codes have digits, such as KZ-75; ISO has
withdrawn the older codes with letters.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Region:
    """A region or a city of republican rank, with its names in English, Russian and Kazakh."""

    code: str
    """ISO 3166-2, "KZ-75"."""
    plate: str
    """The two digits at the end of a plate, "02"."""
    en: str
    ru: str
    kk: str
    city: bool
    """Whether it is a city of republican rank, surrounded by or next to another region."""
    border: str
    """The name of its polygon in `law.regions.borders`."""


_TABLE: Mapping[str, Any] = json.loads((files("law") / "regions" / "regions.json").read_text())
REGIONS: Mapping[str, Region] = MappingProxyType(
    {row["code"]: Region(**row) for row in _TABLE["regions"]}
)
"""Every region by its code; cities come first."""
PLATE_CODE = "(?:" + "|".join(sorted(region.plate for region in REGIONS.values())) + ")"
"""A regular expression that matches the regions' digits on plates."""
