"""The parts of an ended report that are erased, each when its retention term in `law` is over."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from law.report_retention import ReportRetention

from citizen_reports.model.categories import Category
from citizen_reports.model.statuses import Status

# The statuses of an ended report. Retention terms begin when a report gets one of them.
ENDED = frozenset({Status.CLOSED, Status.WITHDRAWN})
# Outcomes by which accepted evidence ceases to be evidence; until then nothing is erased.
EVIDENCE_NO_MORE = frozenset({"violation_rejected", "violation_annulled"})


class Part(StrEnum):
    """A part of a report with a retention term of its own; parts are erased in this order."""

    TEXT = "text"
    REPORTER = "reporter"
    ORIGINAL = "original"
    CLEAN = "clean"
    COPIES = "copies"


class HoldReason(StrEnum):
    """The reason of the law to keep a report beyond its retention terms."""

    COURT = "court"
    INVESTIGATION = "investigation"
    PROSECUTOR = "prosecutor"
    CLAIM = "claim"


@dataclass(frozen=True)
class Hold:
    """A hold of a report: nothing of it is erased until `ends_at`, or until the hold is lifted."""

    hold_id: UUID
    report_id: UUID
    reason: HoldReason
    ends_at: datetime
    lifted_at: datetime | None = None


@dataclass(frozen=True)
class Rule:
    """The rule that a part of the reports of one class is erased when `term` after their end is
    over. `source` names the act that says so, or is "assumed"."""

    report_class: str
    categories: tuple[Category, ...]
    part: Part
    term: timedelta
    source: str

    def ended_before(self, now: datetime) -> datetime:
        """Return the latest end of a report whose part is due to be erased at `now`."""
        return now - self.term


@dataclass(frozen=True)
class PlannedErasure:
    """How many reports of a class have a part whose term is over on a day (UTC). Of these reports,
    `held` are kept because of a hold."""

    report_class: str
    part: Part
    day: date
    reports: int
    held: int


def rules_of(table: ReportRetention) -> list[Rule]:
    """Return a rule for each class and part with a term in the table, in the order of `Part`."""
    found = []
    for part in Part:
        for report_class, categories in table.classes.items():
            term = table.term(report_class, part.value)
            if term.days is not None:
                kinds = tuple(Category(name) for name in categories)
                kept = timedelta(days=term.days)
                found.append(Rule(report_class, kinds, part, kept, term.source))
    return found
