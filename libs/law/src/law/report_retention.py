"""How long what belongs to a citizen's report is kept once the report has ended, by class."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from law.packaged import tables

ASSUMED = "assumed"


@dataclass(frozen=True)
class RetentionTerm:
    """How many days after the report's end a part of it is erased; None if it is kept for good.

    `source` is the rule that says so, or ASSUMED.
    """

    report_class: str
    part: str
    days: int | None
    source: str

    @property
    def is_assumed(self) -> bool:
        """Whether no source was found for the term."""
        return self.source == ASSUMED


@dataclass(frozen=True)
class ReportRetention:
    """One version of the table of terms. `classes` has the categories of reports by class."""

    version: str
    classes: Mapping[str, tuple[str, ...]]
    terms: tuple[RetentionTerm, ...]

    def class_of(self, category: str) -> str:
        """Return the class of reports of a category. Raises KeyError for an unknown category."""
        for name, categories in self.classes.items():
            if category in categories:
                return name
        raise KeyError(category)

    def term(self, report_class: str, part: str) -> RetentionTerm:
        """Return the term of a part of the reports of a class. Raises KeyError if there is none."""
        for term in self.terms:
            if (term.report_class, term.part) == (report_class, part):
                return term
        raise KeyError((report_class, part))


def read_report_retention() -> ReportRetention:
    """Read the table of terms, as shipped with this library."""
    [raw] = tables("report-retention")
    table = json.loads(raw)
    classes = {name: tuple(categories) for name, categories in table["classes"].items()}
    terms = tuple(
        RetentionTerm(row["class"], row["part"], row["days"], row["source"])
        for row in table["terms"]
    )
    return ReportRetention(table["version"], classes, terms)
