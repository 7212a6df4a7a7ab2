"""The tables of the law that fines are reckoned with, read once when the service starts."""

import json
from dataclasses import dataclass
from importlib import resources

from law.calendar import Calendar
from law.yearly import YearlyTables, read_yearly_tables

from fines.model.tariff import Tariff


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

    @property
    def yearly(self) -> YearlyTables:
        return YearlyTables(self.calendar, self.tariff.base_values)


def read_lawbooks(*, assume_years: bool = False) -> Lawbooks:
    """`assume_years` is for trials alone; see `law.yearly`."""
    yearly = read_yearly_tables(assume_years=assume_years)
    rows = json.loads(_table("authorities"))["authorities"]
    return Lawbooks(
        tariff=Tariff.parse(_table("articles"), yearly.base_values),
        calendar=yearly.calendar,
        authorities={
            row["region"]: Authority(
                row["name_kk"], row["name_ru"], row["address_kk"], row["address_ru"]
            )
            for row in rows
        },
    )


def _table(name: str) -> bytes:
    return (resources.files("fines") / "tables" / f"{name}.json").read_bytes()
