"""Until when: the rule for a category and region, counted on the working calendar of Asia/Almaty.

Terms in days begin on the day after registration (after office hours: after the next working day),
skip days off and end at 24:00 of their last day. A year without a table is refused by name: a
deadline is never guessed.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

from citizen_reports.model.refusals import CalendarYearMissing
from citizen_reports.model.report import Category, Deadline


@dataclass(frozen=True)
class Calendar:
    """Days off of each year that has a table."""

    zone: ZoneInfo
    office_closes: time
    holidays: dict[int, frozenset[date]]

    def is_working(self, day: date) -> bool:
        if day.year not in self.holidays:
            raise CalendarYearMissing(facts={"year": str(day.year)})
        return day.weekday() < 5 and day not in self.holidays[day.year]

    def next_working(self, day: date) -> date:
        """`day` itself where it is one."""
        while not self.is_working(day):
            day += timedelta(days=1)
        return day

    def after_working_days(self, moment: datetime, days: int) -> datetime:
        """24:00 of the last of `days` working days after the day of registration."""
        local = moment.astimezone(self.zone)
        day = local.date()
        if local.time() >= self.office_closes:
            day += timedelta(days=1)
        day = self.next_working(day)
        for _ in range(days):
            day = self.next_working(day + timedelta(days=1))
        return self.end_of(day)

    def end_of(self, day: date) -> datetime:
        return datetime.combine(day + timedelta(days=1), time(), self.zone)

    def at_least(self, moment: datetime) -> datetime:
        """The end of the working day that `moment` falls on or before."""
        # 24:00 is told as 00:00 of the next day: one that ends a working day stays as it is.
        day = (moment.astimezone(self.zone) - timedelta(microseconds=1)).date()
        return self.end_of(self.next_working(day))


@dataclass(frozen=True)
class DeadlineRule:
    """A term in minutes or working days; `then` holds once work has begun."""

    id: str
    basis: str
    categories: tuple[Category, ...]
    regions: tuple[str, ...] = ()
    minutes: int = 0
    working_days: int = 0
    then: str = ""

    def covers(self, category: Category, region: str) -> bool:
        return category in self.categories and (not self.regions or region in self.regions)


@dataclass(frozen=True)
class EscalationStep:
    step: int
    to: str
    after_minutes: int


@dataclass(frozen=True)
class Deadlines:
    """One version of the table; `told` on a deadline names rule, version and hash."""

    version: str
    digest: str
    rules: tuple[DeadlineRule, ...]
    escalation: tuple[EscalationStep, ...]
    emergency_escalation: tuple[EscalationStep, ...]
    dispute_days: int
    calendar: Calendar

    def of(self, category: Category, region: str, registered_at: datetime) -> Deadline:
        rule = next(rule for rule in self.rules if rule.covers(category, region))
        return self._count(rule, registered_at)

    def of_dispute(self, category: Category, region: str, disputed_at: datetime) -> Deadline:
        """A disputed answer has the time of an answer again, however urgent it began."""
        rule = next(rule for rule in self.rules if rule.covers(category, region))
        return self._count(self._named(rule.then) if rule.then else rule, disputed_at)

    def after_taking(self, current: Deadline, registered_at: datetime) -> Deadline:
        """What holds once work has begun; the answer's days count from registration."""
        rule = self._named(current.rule)
        return self._count(self._named(rule.then), registered_at) if rule.then else current

    def after_waiting(self, current: Deadline, waited: timedelta) -> Deadline:
        """The time that the reporter took is given back; days end at 24:00 of a working day."""
        due_at = current.due_at + waited
        if self._named(current.rule).working_days:
            due_at = self.calendar.at_least(due_at)
        return Deadline(due_at, current.rule)

    def ladder(self, *, emergency: bool) -> tuple[EscalationStep, ...]:
        return self.emergency_escalation if emergency else self.escalation

    def _named(self, told: str) -> DeadlineRule:
        rule_id = told.partition("@")[0]
        return next(rule for rule in self.rules if rule.id == rule_id)

    def _count(self, rule: DeadlineRule, registered_at: datetime) -> Deadline:
        told = f"{rule.id}@{self.version}#{self.digest}"
        if rule.working_days:
            due_at = self.calendar.after_working_days(registered_at, rule.working_days)
        else:
            due_at = registered_at + timedelta(minutes=rule.minutes)
        return Deadline(due_at, told)


def read_calendar() -> Calendar:
    table = json.loads((files("citizen_reports") / "law" / "holidays.json").read_text())
    years = {
        int(year): frozenset(map(date.fromisoformat, days)) for year, days in table["years"].items()
    }
    closes = time.fromisoformat(table["office_closes"])
    return Calendar(ZoneInfo(table["time_zone"]), closes, years)


def read_deadlines() -> Deadlines:
    raw = (files("citizen_reports") / "law" / "deadlines.json").read_bytes()
    table = json.loads(raw)
    return Deadlines(
        version=table["version"],
        digest=hashlib.sha256(raw).hexdigest()[:12],
        rules=tuple(_rule(row) for row in table["rules"]),
        escalation=tuple(EscalationStep(**row) for row in table["escalation"]),
        emergency_escalation=tuple(EscalationStep(**row) for row in table["emergency_escalation"]),
        dispute_days=table["dispute_days"],
        calendar=read_calendar(),
    )


def _rule(row: dict[str, object]) -> DeadlineRule:
    listed = {
        "categories": tuple(Category(name) for name in _names(row["categories"])),
        "regions": tuple(_names(row.get("regions", []))),
    }
    return DeadlineRule(**{**row, **listed})  # type: ignore[arg-type]


def _names(value: object) -> list[str]:
    assert isinstance(value, list)
    return [str(name) for name in value]
