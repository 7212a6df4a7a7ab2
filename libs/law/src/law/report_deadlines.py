"""Deadlines for answering citizens' reports, by category and region, in working days or minutes.

Terms in days begin on the day after registration; a report that arrives after office hours counts
as registered on the next working day (APPC 64, 76). Terms skip days off and end at 24:00 of their
last day. A year without a table raises TableYearMissing: a deadline is never guessed.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from law.calendar import Calendar
from law.packaged import tables
from law.yearly import read_yearly_tables
from law.zone import almaty_day, in_almaty, start_of

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Deadline:
    """A deadline and its source: the rule's id, version and hash of the table of deadlines, then
    versions of the calendars used, if days were counted."""

    due_at: datetime
    rule: str


@dataclass(frozen=True)
class OfficeHours:
    """The working days, and the hour (Almaty) from which reports count for the next working day."""

    calendar: Calendar
    closes: time

    def after_working_days(self, moment: datetime, days: int) -> datetime:
        """The end of the `days`-th working day after registration.

        A report received on a day off or after closing counts as registered on the next working
        day (APPC 64). Raises TableYearMissing.
        """
        local = in_almaty(moment)
        day = local.date() + _ONE_DAY * (local.time() >= self.closes)
        return start_of(self.calendar.after(self.calendar.next_working(day), days) + _ONE_DAY)

    def at_least(self, moment: datetime) -> datetime:
        """The end of the first working day on or after `moment`. Raises TableYearMissing."""
        # 24:00 is stored as 00:00 of the next day: the end of a working day stays unchanged.
        day = almaty_day(moment - timedelta(microseconds=1))
        return start_of(self.calendar.next_working(day) + _ONE_DAY)

    def version_of(self, first: datetime, due_at: datetime) -> str:
        """The versions of the calendars of all years from `first` to the last day of a term."""
        return self.calendar.version_of(
            almaty_day(first), almaty_day(due_at - timedelta(microseconds=1))
        )


@dataclass(frozen=True)
class DeadlineRule:
    """The term of some categories of reports, in minutes or working days, and its basis in law.
    `then` is the id of the rule that applies once work has begun or the answer is disputed."""

    id: str
    basis: str
    categories: tuple[str, ...]
    regions: tuple[str, ...] = ()
    minutes: int = 0
    working_days: int = 0
    then: str = ""

    def covers(self, category: str, region: str) -> bool:
        """Whether the rule applies to a category of reports in a region (ISO 3166-2); a rule
        without regions applies in all."""
        return category in self.categories and (not self.regions or region in self.regions)


@dataclass(frozen=True)
class EscalationStep:
    """A step of escalation: `after_minutes` past its deadline, an overdue report goes to `to`."""

    step: int
    to: str
    after_minutes: int


@dataclass(frozen=True)
class ReportDeadlines:
    """One version of the table of report deadlines; counting days raises TableYearMissing."""

    version: str
    digest: str
    rules: tuple[DeadlineRule, ...]
    escalation: tuple[EscalationStep, ...]
    emergency_escalation: tuple[EscalationStep, ...]
    dispute_days: int
    hours: OfficeHours

    def of(self, category: str, region: str, registered_at: datetime) -> Deadline:
        """The deadline of a newly registered report, by the first rule that covers it.

        The table names the source of each rule: CPC 179-185 for reports of crimes, APPC 76 for
        answers, APPC 99 for complaints; emergencies have a service level. `registered_at` has a
        time zone.
        """
        rule = next(rule for rule in self.rules if rule.covers(category, region))
        return self._count(rule, registered_at)

    def of_dispute(self, category: str, region: str, disputed_at: datetime) -> Deadline:
        """The deadline of a disputed answer, whose term begins again at `disputed_at`."""
        rule = next(rule for rule in self.rules if rule.covers(category, region))
        return self._count(self._named(rule.then) if rule.then else rule, disputed_at)

    def after_taking(self, current: Deadline, registered_at: datetime) -> Deadline:
        """The deadline once work on a report has begun: the term of the answer, counted from
        registration; `current` if its rule names no further rule."""
        rule = self._named(current.rule)
        return self._count(self._named(rule.then), registered_at) if rule.then else current

    def after_waiting(self, current: Deadline, waited: timedelta) -> Deadline:
        """The `current` deadline, moved by the time `waited` for the reporter.

        If its term is in working days, it still ends at 24:00 of a working day.
        """
        due_at = current.due_at + waited
        if not self._named(current.rule).working_days:
            return Deadline(due_at, current.rule)
        due_at = self.hours.at_least(due_at)
        calendar = self.hours.version_of(due_at, due_at)
        if calendar in current.rule:
            return Deadline(due_at, current.rule)
        return Deadline(due_at, f"{current.rule} {calendar}")

    def ladder(self, *, emergency: bool) -> tuple[EscalationStep, ...]:
        """The steps, in order, by which an overdue report is escalated; emergencies have others."""
        return self.emergency_escalation if emergency else self.escalation

    def _named(self, source: str) -> DeadlineRule:
        rule_id = source.partition("@")[0]
        return next(rule for rule in self.rules if rule.id == rule_id)

    def _count(self, rule: DeadlineRule, registered_at: datetime) -> Deadline:
        source = f"{rule.id}@{self.version}#{self.digest}"
        if not rule.working_days:
            return Deadline(registered_at + timedelta(minutes=rule.minutes), source)
        due_at = self.hours.after_working_days(registered_at, rule.working_days)
        return Deadline(due_at, f"{source} {self.hours.version_of(registered_at, due_at)}")


def read_report_deadlines(*, assume_years: bool = False) -> ReportDeadlines:
    """Read the table of report deadlines shipped with this library. `assume_years` (trials only)
    derives calendars for later years that have none."""
    [raw] = tables("report-deadlines-")
    table = json.loads(raw)
    return ReportDeadlines(
        version=table["version"],
        digest=hashlib.sha256(raw).hexdigest()[:12],
        rules=tuple(_rule(row) for row in table["rules"]),
        escalation=tuple(EscalationStep(**row) for row in table["escalation"]),
        emergency_escalation=tuple(EscalationStep(**row) for row in table["emergency_escalation"]),
        dispute_days=table["dispute_days"],
        hours=OfficeHours(
            read_yearly_tables(assume_years=assume_years).calendar,
            time.fromisoformat(table["office_closes"]),
        ),
    )


def _rule(row: dict[str, Any]) -> DeadlineRule:
    lists = {name: tuple(row.get(name, ())) for name in ("categories", "regions")}
    return DeadlineRule(**{**row, **lists})
