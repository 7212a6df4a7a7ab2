"""What of a report is erased by itself, and when; see `law.report_retention` for the terms."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from law.report_retention import ReportRetention

from citizen_reports.model.categories import Category
from citizen_reports.model.statuses import Status

# The reports of which nothing can follow: no other report is touched.
ENDED = frozenset({Status.CLOSED, Status.WITHDRAWN})
# What became of accepted evidence that is evidence no more. Until then the whole report is held.
EVIDENCE_NO_MORE = frozenset({"violation_rejected", "violation_annulled"})


class Part(StrEnum):
    """What is erased by itself, in this order: an original before the form that was made of it."""

    TEXT = "text"
    REPORTER = "reporter"
    ORIGINAL = "original"
    CLEAN = "clean"
    COPIES = "copies"


class HoldReason(StrEnum):
    """Why the law wants a report kept beyond its term."""

    COURT = "court"
    INVESTIGATION = "investigation"
    PROSECUTOR = "prosecutor"
    CLAIM = "claim"


@dataclass(frozen=True)
class Hold:
    """A report is kept until `ends_at`, or until the hold is lifted."""

    hold_id: UUID
    report_id: UUID
    reason: HoldReason
    ends_at: datetime
    lifted_at: datetime | None = None


@dataclass(frozen=True)
class Rule:
    """Which part of which reports is erased, and how long after their end."""

    report_class: str
    categories: tuple[Category, ...]
    part: Part
    term: timedelta
    source: str

    def ended_before(self, now: datetime) -> datetime:
        """Return the moment until which reports must have ended for this part to be due now."""
        return now - self.term


@dataclass(frozen=True)
class PlannedErasure:
    """How many reports of a class have a part that is due on a day (UTC), and how many of these
    are held."""

    report_class: str
    part: Part
    day: date
    reports: int
    held: int


def rules_of(table: ReportRetention) -> list[Rule]:
    """Return the rules of a table for all that is erased, in the order of `Part`."""
    found = []
    for part in Part:
        for report_class, categories in table.classes.items():
            term = table.term(report_class, part.value)
            if term.days is not None:
                kinds = tuple(Category(name) for name in categories)
                kept = timedelta(days=term.days)
                found.append(Rule(report_class, kinds, part, kept, term.source))
    return found
