"""Who issues a prescription, by region, as the letter names it (KoAP 822-1(1))."""

import json
from dataclasses import dataclass

from law.packaged import tables


@dataclass(frozen=True)
class Authority:
    name_kk: str
    name_ru: str
    address_kk: str
    address_ru: str


def read_authorities() -> dict[str, Authority]:
    """By ISO code of the region."""
    [raw] = tables("authorities")
    return {row.pop("region"): Authority(**row) for row in json.loads(raw)["authorities"]}
