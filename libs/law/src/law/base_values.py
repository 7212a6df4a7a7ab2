"""The monthly calculation index (MCI) for fines, in tiyn, by the day from which it holds.

The value of a year is in the budget law of the year, so it is not known before December. A year
without one is refused by name; only a trial may assume the last, and the version then says so.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import date

from law.assumed import mark_of
from law.refusals import TableYearMissing

BASE_VALUES = "base_values"


@dataclass(frozen=True)
class BaseValue:
    amount_minor: int
    # Of the table that it is from, with its hash.
    version: str


@dataclass(frozen=True)
class BaseValues:
    steps: tuple[tuple[date, int], ...]
    # The last day of which the table knows anything.
    until: date
    version: str
    assumes: bool = False

    @classmethod
    def parse(cls, raw: bytes) -> "BaseValues":
        """Parse `base_values.json`; amounts are in tiyn.

        Raises ValueError unless the values are positive and ordered by their first day.
        """
        table = json.loads(raw)
        steps = tuple(
            (date.fromisoformat(row["valid_from"]), int(row["amount_minor"]))
            for row in table["values"]
        )
        if steps != tuple(sorted(steps)) or not all(value > 0 for _, value in steps):
            raise ValueError("base values must be above zero and in order of their first days")
        digest = hashlib.sha256(raw).hexdigest()
        until = date.fromisoformat(table["valid_until"])
        return cls(steps, until, f"{table['version']}@sha256:{digest}")

    def assuming(self) -> "BaseValues":
        """The same for a trial: after the last day the last value."""
        return replace(self, assumes=True)

    def holds(self, year: int) -> bool:
        """Whether the table covers this year; an assumed year is not covered."""
        return self.steps[0][0].year <= year <= self.until.year

    def on(self, day: date) -> BaseValue:
        """Raises TableYearMissing."""
        if day < self.steps[0][0] or (day > self.until and not self.assumes):
            raise TableYearMissing(BASE_VALUES, day.year)
        amount = next(value for since, value in reversed(self.steps) if since <= day)
        if day <= self.until:
            return BaseValue(amount, self.version)
        return BaseValue(amount, f"{self.version} {mark_of(day.year)}")
