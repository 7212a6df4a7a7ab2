"""The codes that say what came of a citizen's report, by category; each answer names one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from law.packaged import tables


@dataclass(frozen=True)
class ReportOutcome:
    """A code such as "measures_taken", with its text by language ("kk", "ru", "en").

    It may be given to reports of `categories`; () stands for all.
    """

    id: str
    names: Mapping[str, str]
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportOutcomes:
    """One version of the table of outcomes."""

    version: str
    outcomes: tuple[ReportOutcome, ...]

    def of(self, category: str) -> tuple[ReportOutcome, ...]:
        """Return the outcomes that a report of this category may have, in the table's order."""
        return tuple(
            outcome
            for outcome in self.outcomes
            if not outcome.categories or category in outcome.categories
        )


def read_report_outcomes() -> ReportOutcomes:
    """Read the table of outcomes, as shipped with this library."""
    [raw] = tables("report-outcomes")
    table = json.loads(raw)
    outcomes = tuple(
        ReportOutcome(row["id"], row["names"], tuple(row.get("categories", ())))
        for row in table["outcomes"]
    )
    return ReportOutcomes(table["version"], outcomes)
