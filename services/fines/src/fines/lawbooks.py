"""The tables of the law that come with this service, read once when it starts."""

import json
from dataclasses import dataclass
from importlib import resources

from fines.model.days import Calendar
from fines.model.tariff import Tariff

CALENDAR_YEARS = (2025, 2026, 2027)


@dataclass(frozen=True)
class Authority:
    """Who issues a prescription, as the letter names it."""

    name_kk: str
    name_ru: str
    address_kk: str
    address_ru: str


@dataclass(frozen=True)
class Lawbooks:
    tariff: Tariff
    calendar: Calendar
    authorities: dict[str, Authority]


def read_lawbooks() -> Lawbooks:
    rows = json.loads(_table("authorities"))["authorities"]
    return Lawbooks(
        tariff=Tariff.parse(_table("articles"), _table("base_values")),
        calendar=Calendar.parse(*(_table(f"calendar-{year}") for year in CALENDAR_YEARS)),
        authorities={
            row["region"]: Authority(
                row["name_kk"], row["name_ru"], row["address_kk"], row["address_ru"]
            )
            for row in rows
        },
    )


def _table(name: str) -> bytes:
    return (resources.files("fines") / "tables" / f"{name}.json").read_bytes()
