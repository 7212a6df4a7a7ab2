"""Values of the monthly calculation index (MCI), the unit of fines, in tiyn (0.01 tenge).

Each year's value is set by that year's budget law and is not known before December. A year without
a value raises TableYearMissing. Only a trial run may assume the last known value for a later year;
the version of the result then marks that year as assumed.
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
    """The MCI on a day, in tiyn, and the version and hash of the table with this value."""

    amount_minor: int
    # Version and hash of its table.
    version: str


@dataclass(frozen=True)
class BaseValues:
    """Known values of the MCI in tiyn, each with the first day on which it applies (`steps`).

    The last value applies up to the day `until`. In trial runs, `assumes` may be set: then the last
    value applies without end.
    """

    steps: tuple[tuple[date, int], ...]
    # The last day that the table covers.
    until: date
    version: str
    assumes: bool = False

    @classmethod
    def parse(cls, raw: bytes) -> "BaseValues":
        """Parse the content of `base_values.json`; amounts are in tiyn.

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
        """Return a copy, for trial runs only, whose last value also applies after `until`."""
        return replace(self, assumes=True)

    def holds(self, year: int) -> bool:
        """Whether the table covers any day of this year; assumed values do not count."""
        return self.steps[0][0].year <= year <= self.until.year

    def on(self, day: date) -> BaseValue:
        """Return the MCI in force on a day (KoAP 44(1)). Raises TableYearMissing if it is
        unknown."""
        if day < self.steps[0][0] or (day > self.until and not self.assumes):
            raise TableYearMissing(BASE_VALUES, day.year)
        amount = next(value for since, value in reversed(self.steps) if since <= day)
        if day <= self.until:
            return BaseValue(amount, self.version)
        return BaseValue(amount, f"{self.version} {mark_of(day.year)}")
