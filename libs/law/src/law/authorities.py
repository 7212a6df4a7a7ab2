"""The authority of each region that issues prescriptions (orders to pay a fine), KoAP 822-1(1)."""

import json
from dataclasses import dataclass

from law.packaged import tables


@dataclass(frozen=True)
class Authority:
    """Name and address, in Kazakh and Russian, of an authority that issues orders to pay a fine."""

    name_kk: str
    name_ru: str
    address_kk: str
    address_ru: str


def read_authorities() -> dict[str, Authority]:
    """Read the authorities shipped with this library, by the ISO 3166-2 code of their region."""
    [raw] = tables("authorities")
    return {row.pop("region"): Authority(**row) for row in json.loads(raw)["authorities"]}
