"""Deadlines for answering citizens' reports, by category and region, in working days or minutes.

Time limits in days begin on the day after registration; a report that arrives after office hours
counts as registered on the next working day (APPC 64, 76). These time limits skip days off and end
at 24:00 of the last day. Without a calendar for the year, TableYearMissing is raised: a deadline is
never guessed.
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
    """The moment by which a report must be answered, and the rule from which it follows.

    `rule` is "id@version#hash": the rule's id, and the version and hash of the table of deadlines.
    If working days were counted, the versions of the calendars follow after a space.
    """

    due_at: datetime
    rule: str


@dataclass(frozen=True)
class OfficeHours:
    """The calendar of working days, and the hour at which the offices close, in Almaty time.

    From the closing time on, reports count as registered on the next working day.
    """

    calendar: Calendar
    closes: time

    def after_working_days(self, moment: datetime, days: int) -> datetime:
        """The end of the `days`-th working day after the registration of a report.

        `moment` is the time of receipt. A report received on a day off or after closing counts as
        registered on the next working day (APPC 64). Raises TableYearMissing.
        """
        local = in_almaty(moment)
        day = local.date() + _ONE_DAY * (local.time() >= self.closes)
        return start_of(self.calendar.after(self.calendar.next_working(day), days) + _ONE_DAY)

    def at_least(self, moment: datetime) -> datetime:
        """The end (24:00 in Almaty) of the first working day that ends at or after `moment`.

        Raises TableYearMissing.
        """
        # 24:00 is stored as 00:00 of the next day: the end of a working day stays unchanged.
        day = almaty_day(moment - timedelta(microseconds=1))
        return start_of(self.calendar.next_working(day) + _ONE_DAY)

    def version_of(self, first: datetime, due_at: datetime) -> str:
        """The versions of the calendars used from `first` to `due_at`, joined by commas.

        Raises TableYearMissing.
        """
        return self.calendar.version_of(
            almaty_day(first), almaty_day(due_at - timedelta(microseconds=1))
        )


@dataclass(frozen=True)
class DeadlineRule:
    """A rule on the time, in minutes or working days, to answer reports of some categories.

    The rule states its basis in law. `then` is the id of the rule that applies once work has begun
    or the answer is disputed; "" if this rule continues to apply.
    """

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
    """A step of escalation: a report goes to `to` when it is `after_minutes` past its deadline.

    `to` is an office or official, such as "ministry" or "supervisor".
    """

    step: int
    to: str
    after_minutes: int


@dataclass(frozen=True)
class ReportDeadlines:
    """One version of the table of report deadlines.

    An answer can be disputed for `dispute_days` calendar days.

    Methods that count working days raise TableYearMissing if the calendar of a year is missing.
    """

    version: str
    digest: str
    rules: tuple[DeadlineRule, ...]
    escalation: tuple[EscalationStep, ...]
    emergency_escalation: tuple[EscalationStep, ...]
    dispute_days: int
    hours: OfficeHours

    def of(self, category: str, region: str, registered_at: datetime) -> Deadline:
        """Return the deadline of a newly registered report, by the first rule that covers it.

        The table names the basis of each rule: CPC 179-185 for reports of crimes, APPC 76 for
        answers, APPC 99 for complaints. For emergencies the basis is a service level, not a law.
        `registered_at` must have a time zone. Raises StopIteration if no rule covers the category.
        """
        rule = next(rule for rule in self.rules if rule.covers(category, region))
        return self._count(rule, registered_at)

    def of_dispute(self, category: str, region: str, disputed_at: datetime) -> Deadline:
        """The new deadline of a report whose answer was disputed, counted from `disputed_at`.

        Raises StopIteration if no rule covers the category.
        """
        rule = next(rule for rule in self.rules if rule.covers(category, region))
        return self._count(self._named(rule.then) if rule.then else rule, disputed_at)

    def after_taking(self, current: Deadline, registered_at: datetime) -> Deadline:
        """The deadline of a report once work on it has begun.

        If the rule of the `current` deadline names a further rule (`then`), the time limit of that
        rule is counted from registration. Otherwise `current` is returned.
        """
        rule = self._named(current.rule)
        return self._count(self._named(rule.then), registered_at) if rule.then else current

    def after_waiting(self, current: Deadline, waited: timedelta) -> Deadline:
        """The `current` deadline, postponed by the time spent waiting for the reporter (`waited`).

        If the rule of `current` counts working days, the result is 24:00 of a working day. Raises
        TableYearMissing.
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
        """Return the steps by which an overdue report is escalated, in order.

        Emergencies have other steps than other reports.
        """
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
    """Read the table of report deadlines shipped with this library. `assume_years` (trial runs
    only) also derives the calendars of the years after the last calendar table."""
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
