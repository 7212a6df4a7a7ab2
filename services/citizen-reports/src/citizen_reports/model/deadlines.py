"""The two clocks of reports, and the legal deadlines at which they end.

RESPONSE is due in minutes and ends by arrival alone (for a report of a crime: by its taking). It
never stops. ANSWER is due in working days from registration on, for every report.
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
    """Which of the two clocks of a report."""

    RESPONSE = "response"
    ANSWER = "answer"


@dataclass(frozen=True)
class Deadlines:
    """Computes the legal deadlines of reports by the table of `law`."""

    table: ReportDeadlines

    def of(self, category: Category, region: str, started_at: datetime) -> Deadline:
        """Return the deadline of the answer, counted from registration or from a dispute.

        If the calendar of a year is missing, the deadline has no date and names the year: taking
        reports in is a duty, and a date is never guessed.
        """
        try:
            return self.table.of(category, region, started_at)
        except TableYearMissing as missing:
            return self.table.undated(category, region, missing.year)

    def response_of(
        self, category: Category, region: str, registered_at: datetime
    ) -> Deadline | None:
        """Return until when the police have to respond; None for categories without such a time."""
        return self.table.response_of(category, region, registered_at)

    def after_taking(self, current: Deadline, registered_at: datetime) -> Deadline:
        """Return the deadline of a report of before there were two clocks, after it was taken. If
        the rule of `current` names a further time limit, that limit is counted from
        `registered_at`. Otherwise `current` is returned. Raises CalendarYearMissing."""
        with _refused_by_name():
            return self.table.after_taking(current, registered_at)

    def after_waiting(self, current: Deadline, waited: timedelta) -> Deadline:
        """Return the deadline `current`, postponed by `waited`, the time spent waiting for the
        reporter. Without the calendar of the new date, it is not moved to the end of a working
        day."""
        try:
            return self.table.after_waiting(current, waited)
        except TableYearMissing:
            assert current.due_at is not None
            return Deadline(current.due_at + waited, current.rule)

    def extended(self, current: Deadline, working_days: int) -> Deadline:
        """Return the deadline `current`, extended by working days. Raises CalendarYearMissing."""
        with _refused_by_name():
            return self.table.extended(current, working_days)

    def ladder(self, kind: DeadlineKind, category: Category) -> tuple[EscalationStep, ...]:
        """Return the steps of escalation after the deadline of this kind has passed, in order."""
        return self.table.ladder(kind, category)

    def waits_until(self, reason: QuestionReason, now: datetime, waited: timedelta) -> datetime:
        """Return until when the clock of the answer stops for a question asked `now`. `waited` is
        how long it has stopped for earlier questions; all together have a maximum."""
        left = timedelta(days=self.table.question_days_total) - waited
        return now + max(min(timedelta(days=reason.days), left), timedelta())


@contextmanager
def _refused_by_name() -> Iterator[None]:
    try:
        yield
    except TableYearMissing as missing:
        raise CalendarYearMissing(facts={"year": str(missing.year)}) from missing
