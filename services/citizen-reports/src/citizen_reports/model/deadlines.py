"""The two clocks of reports, and the legal deadlines at which they end.

RESPONSE is due in minutes, for some categories. It never stops, and ends when somebody arrives at
the place or, for a report of a crime, when an operator takes the report. ANSWER is due in working
days from registration, for every report, and stops while a question waits for the reporter.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from law.refusals import TableYearMissing
from law.report_deadlines import Deadline, ReportDeadlines
from law.report_escalation import EscalationStep, QuestionReason

from citizen_reports.model.categories import Category
from citizen_reports.model.refusals import CalendarYearMissing


class DeadlineKind(StrEnum):
    """A clock of a report: until the police have responded, or until they have answered."""

    RESPONSE = "response"
    ANSWER = "answer"


@dataclass(frozen=True)
class Deadlines:
    """Computes the legal deadlines of reports from a table of deadlines of `law`."""

    table: ReportDeadlines

    def of(self, category: Category, region: str, started_at: datetime) -> Deadline:
        """Return the deadline of the answer, counted from `started_at`: registration or dispute.

        If the calendar of a year is missing, the deadline has no date and its rule names the year:
        the report must be accepted all the same, and a date is never guessed.
        """
        try:
            return self.table.of(category, region, started_at)
        except TableYearMissing as missing:
            return self.table.undated(category, region, missing.year)

    def response_of(
        self, category: Category, region: str, registered_at: datetime
    ) -> Deadline | None:
        """Return the deadline of the response; None for categories without a response."""
        return self.table.response_of(category, region, registered_at)

    def after_taking(self, current: Deadline, registered_at: datetime) -> Deadline:
        """Return the deadline of an old report with a single clock after an operator has taken the
        report. If the rule of `current` names a further rule, the time limit of that rule counts
        from `registered_at`. Otherwise `current` is returned. Raises CalendarYearMissing."""
        with _refused_by_name():
            return self.table.after_taking(current, registered_at)

    def after_waiting(self, current: Deadline, waited: timedelta) -> Deadline:
        """Return the deadline `current`, postponed by `waited`, the time spent waiting for the
        reporter. If its rule counts working days, the deadline is also moved to the end of a
        working day, unless the calendar of that year is missing."""
        try:
            return self.table.after_waiting(current, waited)
        except TableYearMissing:
            assert current.due_at is not None
            return Deadline(current.due_at + waited, current.rule)

    def extended(self, current: Deadline, working_days: int) -> Deadline:
        """Return the dated deadline `current` plus `working_days`. Raises CalendarYearMissing."""
        with _refused_by_name():
            return self.table.extended(current, working_days)

    def ladder(self, kind: DeadlineKind, category: Category) -> tuple[EscalationStep, ...]:
        """Return, in order, the steps of escalation after this clock has ended; () if none."""
        return self.table.ladder(kind, category)

    def waits_until(self, reason: QuestionReason, now: datetime, waited: timedelta) -> datetime:
        """Return until when a question asked at `now` stops the clock of the answer. `waited` is
        how long earlier questions stopped it; once all have used up the maximum, returns `now`."""
        left = timedelta(days=self.table.question_days_total) - waited
        return now + max(min(timedelta(days=reason.days), left), timedelta())


@contextmanager
def _refused_by_name() -> Iterator[None]:
    try:
        yield
    except TableYearMissing as missing:
        raise CalendarYearMissing(facts={"year": str(missing.year)}) from missing
