"""The two clocks of citizens' reports, by category and region: response and answer.

The response is due in minutes, and only for some categories; the answer in working days.
Time limits in days begin on the day after registration; a report that arrives after office hours
counts as registered on the next working day (APPC 64, 76). These time limits skip days off and end
at 24:00 of the last day. Without a calendar for the year, TableYearMissing is raised: a deadline is
never guessed.
"""

import hashlib
import json
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from law.calendar import Calendar
from law.packaged import tables
from law.report_escalation import (
    EscalationStep,
    Ladder,
    Position,
    QuestionReason,
    to_ladders,
    to_positions,
    to_reasons,
)
from law.yearly import read_yearly_tables
from law.zone import almaty_day, in_almaty, start_of

RESPONSE, ANSWER = "response", "answer"
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Deadline:
    """The moment by which something is due, and the rule from which it follows.

    `due_at` is None if the calendar of a year is missing; the rule then names the year (`undated`).
    `rule` is "id@version#hash": the rule's id, and the version and hash of the table of deadlines.
    If working days were counted, the versions of the calendars follow after a space.
    """

    due_at: datetime | None
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
    """A rule on the time, in minutes or working days, for reports of some categories.

    `clock` is RESPONSE or ANSWER. The rule states its basis in law. `then` is the id of the rule of
    the answer for reports that were registered with a single clock, before there were two.
    """

    id: str
    clock: str
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
class ReportDeadlines:
    """One version of the table of report deadlines.

    A warning comes after `warning_percent` of a clock's time. An answer can be disputed for
    `dispute_days` calendar days. Questions may stop the clock of an answer for
    `question_days_total` calendar days in all. An answer may be extended to `extension_months`
    after the beginning of its clock, except in the categories `extension_never`.

    Methods that count working days raise TableYearMissing if the calendar of a year is missing.
    """

    version: str
    digest: str
    rules: tuple[DeadlineRule, ...]
    positions: tuple[Position, ...]
    ladders: tuple[Ladder, ...]
    warning_percent: int
    question_reasons: tuple[QuestionReason, ...]
    question_days_total: int
    extension_months: int
    extension_never: tuple[str, ...]
    dispute_days: int
    hours: OfficeHours

    def of(self, category: str, region: str, started_at: datetime) -> Deadline:
        """Return the deadline of the answer, counted from registration or, for an answer that was
        disputed, from the dispute.

        The table names the basis of each rule: APPC 76 for answers, APPC 99 for complaints.
        `started_at` must have a time zone. Raises StopIteration if no rule covers the category.
        """
        return self._count(self.answer_rule(category, region), started_at)

    def response_of(self, category: str, region: str, registered_at: datetime) -> Deadline | None:
        """Return until when the police have to respond to a report, None for categories without
        such a time.

        In emergencies somebody has to be there by then; the basis is a service level, not a law. A
        report of a crime has to be taken up by then (CPC 179-185).
        """
        rule = self._first(RESPONSE, category, region)
        return self._count(rule, registered_at) if rule else None

    def answer_rule(self, category: str, region: str) -> DeadlineRule:
        """Return the rule of the answer. Raises StopIteration if no rule covers the category."""
        rule = self._first(ANSWER, category, region)
        if rule is None:
            raise StopIteration
        return rule

    def undated(self, category: str, region: str, year: int) -> Deadline:
        """Return the deadline of an answer whose date cannot be told, because the calendar of
        `year` is missing. Its rule says so: `missing:2028`."""
        rule = self.answer_rule(category, region)
        return Deadline(None, f"{self._source(rule)} {missing_mark(year)}")

    def after_taking(self, current: Deadline, registered_at: datetime) -> Deadline:
        """The deadline of a report with a single clock, from before there were two, once work on it
        has begun.

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
        if current.due_at is None:
            return current
        due_at = current.due_at + waited
        if not self._named(current.rule).working_days:
            return Deadline(due_at, current.rule)
        due_at = self.hours.at_least(due_at)
        return Deadline(due_at, self._with_calendar(current.rule, due_at))

    def extended(self, current: Deadline, working_days: int) -> Deadline:
        """The `current` deadline, which must have a date, postponed by a number of working days."""
        assert current.due_at is not None
        last_day = almaty_day(current.due_at - timedelta(microseconds=1))
        due_at = start_of(self.hours.calendar.after(last_day, working_days) + _ONE_DAY)
        return Deadline(due_at, self._with_calendar(current.rule, due_at))

    def extension_end(self, started_at: datetime) -> datetime:
        """The last moment to which an answer may be extended whose clock began at `started_at`: the
        end (24:00 in Almaty) of the same day of the month, `extension_months` later."""
        return start_of(_months_after(almaty_day(started_at), self.extension_months) + _ONE_DAY)

    def warn_at(self, started_at: datetime, due_at: datetime) -> datetime:
        """The moment of the warning before a clock ends that runs from `started_at` to `due_at`."""
        return started_at + (due_at - started_at) * self.warning_percent / 100

    def ladder(self, clock: str, category: str) -> tuple[EscalationStep, ...]:
        """Return the steps by which a report is escalated when this clock (RESPONSE or ANSWER) has
        ended, in order. () if reports of the category have no such clock."""
        return next(
            (
                ladder.steps
                for ladder in self.ladders
                if ladder.clock == clock and category in ladder.categories
            ),
            (),
        )

    def question_reason(self, reason_id: str) -> QuestionReason | None:
        """Return the reason for a question with this id, None if there is none."""
        return next((one for one in self.question_reasons if one.id == reason_id), None)

    def _first(self, clock: str, category: str, region: str) -> DeadlineRule | None:
        covering = (
            rule for rule in self.rules if rule.clock == clock and rule.covers(category, region)
        )
        return next(covering, None)

    def _named(self, source: str) -> DeadlineRule:
        rule_id = source.partition("@")[0]
        return next(rule for rule in self.rules if rule.id == rule_id)

    def _source(self, rule: DeadlineRule) -> str:
        return f"{rule.id}@{self.version}#{self.digest}"

    def _with_calendar(self, source: str, due_at: datetime) -> str:
        """The rule with the version of the calendar of `due_at`, if it does not state it yet."""
        calendar = self.hours.version_of(due_at, due_at)
        return source if calendar in source else f"{source} {calendar}"

    def _count(self, rule: DeadlineRule, registered_at: datetime) -> Deadline:
        source = self._source(rule)
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
        positions=to_positions(table["positions"]),
        ladders=to_ladders(table["escalation"]),
        warning_percent=table["warning_percent"],
        question_reasons=to_reasons(table["questions"]["reasons"]),
        question_days_total=table["questions"]["total_days"],
        extension_months=table["extension_months"],
        extension_never=tuple(table["extension_never"]),
        dispute_days=table["dispute_days"],
        hours=OfficeHours(
            read_yearly_tables(assume_years=assume_years).calendar,
            time.fromisoformat(table["office_closes"]),
        ),
    )


def missing_mark(year: int) -> str:
    """The mark in a deadline's rule that the calendar of a year is missing, such as
    `missing:2028`."""
    return f"missing:{year}"


def _months_after(day: date, months: int) -> date:
    """The same day of the month, `months` later, or the last day of that month if it is shorter."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _rule(row: dict[str, Any]) -> DeadlineRule:
    lists = {name: tuple(row.get(name, ())) for name in ("categories", "regions")}
    return DeadlineRule(**{**row, **lists})
