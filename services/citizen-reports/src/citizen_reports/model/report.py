"""A report, its transition table, a method for each decision, and its deadlines.

A report contains no personal data: text, reporter, officer and exact place are stored separately,
encrypted.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from audit_log.record_kinds import RecordKind
from law.refusals import TableYearMissing
from law.report_deadlines import Deadline, ReportDeadlines
from law.zone import almaty_day

from citizen_reports.model.refusals import (
    AlreadyDisputed,
    CalendarYearMissing,
    NothingAsked,
    NotTraffic,
    ReportNotAnswered,
    StatusNotAllowed,
)

# Numbers of reports are drawn at random: they show neither category nor how many came before.
# There is no check digit: six digits would leave a million for a region and year, which a large
# city may need.
SERIALS = 10**7
# With half of a region's year taken, this many draws all meet a taken one once in 10**19 times.
DRAWS_MAX = 64


class Category(StrEnum):
    ROAD_ACCIDENT = "road_accident"
    TRAFFIC_VIOLATION = "traffic_violation"
    DOMESTIC_VIOLENCE = "domestic_violence"
    INCIDENT = "incident"
    INCIDENT_WITH_CHILD = "incident_with_child"
    COMPLAINT_ABOUT_OFFICER = "complaint_about_officer"
    OTHER = "other"


EMERGENCIES = frozenset(
    {Category.ROAD_ACCIDENT, Category.DOMESTIC_VIOLENCE, Category.INCIDENT_WITH_CHILD}
)

# Danger, crimes and threats are never refused (CPC 181; APPC 64(7)): where the place of one lies
# abroad, perhaps because the phone located it wrongly, a person finds out.
TAKEN_FROM_ABROAD = EMERGENCIES | {Category.INCIDENT}


# Auditors do not see the audit entries of these.
CONFIDENTIAL = frozenset(
    {
        Category.COMPLAINT_ABOUT_OFFICER,
        Category.DOMESTIC_VIOLENCE,
        Category.INCIDENT_WITH_CHILD,
    }
)


class Status(StrEnum):
    OPEN = "open"
    REGISTERED = "registered"
    ROUTED = "routed"
    IN_WORK = "in_work"
    WAITS_FOR_REPORTER = "waits_for_reporter"
    ANSWERED = "answered"
    DISPUTED = "disputed"
    CLOSED = "closed"


class Move(StrEnum):
    SUBMIT = "submit"
    ROUTE = "route"
    TAKE = "take"
    ASK = "ask"
    REPLY = "reply"
    ACCEPT = "accept"
    ANSWER = "answer"
    DISPUTE = "dispute"
    CLOSE = "close"


# The next status for each status and move; a missing pair is refused as STATUS_NOT_ALLOWED.
TRANSITIONS: dict[tuple[Status, Move], Status] = {
    (Status.OPEN, Move.SUBMIT): Status.REGISTERED,
    (Status.REGISTERED, Move.ROUTE): Status.ROUTED,
    (Status.ROUTED, Move.ROUTE): Status.ROUTED,
    (Status.IN_WORK, Move.ROUTE): Status.ROUTED,
    (Status.ROUTED, Move.TAKE): Status.IN_WORK,
    (Status.DISPUTED, Move.TAKE): Status.IN_WORK,
    (Status.IN_WORK, Move.ASK): Status.WAITS_FOR_REPORTER,
    (Status.WAITS_FOR_REPORTER, Move.REPLY): Status.IN_WORK,
    (Status.IN_WORK, Move.ACCEPT): Status.IN_WORK,
    (Status.IN_WORK, Move.ANSWER): Status.ANSWERED,
    (Status.WAITS_FOR_REPORTER, Move.ANSWER): Status.ANSWERED,
    (Status.ANSWERED, Move.DISPUTE): Status.DISPUTED,
    (Status.ANSWERED, Move.CLOSE): Status.CLOSED,
}
# Statuses in which the desk still has to act.
QUEUE = (
    Status.REGISTERED,
    Status.ROUTED,
    Status.IN_WORK,
    Status.WAITS_FOR_REPORTER,
    Status.DISPUTED,
)
# Statuses in which nobody has asked or answered the reporter yet.
BEFORE_WORK = frozenset({Status.OPEN, Status.REGISTERED, Status.ROUTED})
# Statuses in which the clock of the deadline runs.
CLOCK_RUNS = frozenset(QUEUE) - {Status.WAITS_FOR_REPORTER}
# Roles that may take a disputed report, instead of the desk that answered it.
OVERSIGHT_ROLES = frozenset({"supervisor", "internal_security"})
OUTCOMES = {
    "violation_detected": 1,
    "violation_confirmed": 2,
    "violation_rejected": 2,
    "fine_issued": 3,
    "violation_annulled": 4,
}


# What a decision about a registered report covers: all columns of its row; and its answer.
REPORT = RecordKind(
    "report",
    (
        *("report_id", "partner", "category", "region", "status", "language", "occurred_at"),
        *("opened_at", "story", "version", "cell", "place_abroad", "number", "registered_at"),
        *("receipt_due_at", "receipt_rule", "receipt_unit", "content_sha256", "due_at"),
        *("deadline_rule", "deadline_number", "waits_since", "escalation_step", "unit"),
        *("operator", "answered_at", "disputed_at", "outcome", "offence_code", "duplicate_of"),
    ),
)
ANSWER = RecordKind("answer", ("report_id", "answer"))


@dataclass(frozen=True)
class Deadlines:
    """Computes the legal deadlines of reports. Each method raises CalendarYearMissing if the
    calendar of a year that it needs is missing."""

    table: ReportDeadlines

    def of(self, category: Category, region: str, registered_at: datetime) -> Deadline:
        """Return the deadline of a report of this category registered at `registered_at`."""
        with _refused_by_name():
            return self.table.of(category, region, registered_at)

    def of_dispute(self, category: Category, region: str, disputed_at: datetime) -> Deadline:
        """Return the new deadline of a report whose answer was disputed at `disputed_at`."""
        with _refused_by_name():
            return self.table.of_dispute(category, region, disputed_at)

    def after_taking(self, current: Deadline, registered_at: datetime) -> Deadline:
        """Return the deadline of a report after an operator has taken it. If the rule of `current`
        names a further time limit, that limit is counted from `registered_at`. Otherwise `current`
        is returned."""
        with _refused_by_name():
            return self.table.after_taking(current, registered_at)

    def after_waiting(self, current: Deadline, waited: timedelta) -> Deadline:
        """Return the deadline `current`, extended by `waited`, the time spent waiting for the
        reporter."""
        with _refused_by_name():
            return self.table.after_waiting(current, waited)


@dataclass(frozen=True)
class Receipt:
    """The confirmation that the reporter gets at registration. A receipt never changes."""

    number: str
    registered_at: datetime
    deadline: Deadline
    unit: str
    content_sha256: bytes


@dataclass(frozen=True)
class Report:
    report_id: UUID
    partner: str
    category: Category
    region: str
    status: Status
    language: str
    occurred_at: datetime
    opened_at: datetime
    story: str
    version: int = 1
    # H3 cell of the place, coarse; "" where the place is not known.
    cell: str = ""
    # The place lies abroad: the region is the one the app gave, or the nearest.
    place_abroad: bool = False
    receipt: Receipt | None = None
    deadline: Deadline | None = None
    # Rises with every change of the deadline: work scheduled for an older one is void.
    deadline_number: int = 0
    waits_since: datetime | None = None
    escalation_step: int = 0
    unit: str = ""
    operator: str = ""
    answered_at: datetime | None = None
    disputed_at: datetime | None = None
    outcome: str = ""
    offence_code: str = ""
    duplicate_of: UUID | None = None

    @property
    def is_complaint(self) -> bool:
        """Whether the report is a complaint about an officer."""
        return self.category is Category.COMPLAINT_ABOUT_OFFICER

    @property
    def object_ref(self) -> str:
        """The name of the report in the audit log."""
        return f"report:{self.name}"

    @property
    def is_confidential(self) -> bool:
        """Whether the report's audit entries are hidden from auditors."""
        return self.category in CONFIDENTIAL

    @property
    def evidence_role(self) -> str:
        """The only role that may read the report's media; "" if every role of the report desk may
        read them within the report's region."""
        return "internal_security" if self.is_complaint else ""

    @property
    def is_emergency(self) -> bool:
        """Whether the category is an emergency. Overdue emergencies have escalation steps of their
        own."""
        return self.category in EMERGENCIES

    @property
    def number(self) -> str:
        """The number on the receipt, such as KZ75-2026-4081937; "" before submission."""
        return self.receipt.number if self.receipt else ""

    @property
    def name(self) -> str:
        """The number or, before submission, the id: the report's name in traces and the audit
        log."""
        return self.number or str(self.report_id)

    @property
    def due_at(self) -> datetime | None:
        """The time by which operators must act; None while the deadline is suspended."""
        if self.deadline is None or self.status not in CLOCK_RUNS:
            return None
        return self.deadline.due_at

    def is_overdue(self, now: datetime) -> bool:
        """Whether the deadline is not suspended and has passed."""
        return self.due_at is not None and now >= self.due_at

    def with_another_file(self) -> "Report":
        """Return the draft with its version raised by one, because the upload of another file has
        begun."""
        return replace(self, version=self.version + 1)

    def submit(self, receipt: Receipt) -> "Report":
        """Return the report with the status REGISTERED, this receipt and the receipt's deadline.
        Raises StatusNotAllowed."""
        return replace(
            self._moved(Move.SUBMIT),
            receipt=receipt,
            deadline=receipt.deadline,
            deadline_number=self.deadline_number + 1,
        )

    def route(self, unit: str) -> "Report":
        """Return the report with the status ROUTED, this unit and no operator. Raises
        StatusNotAllowed."""
        return replace(self._moved(Move.ROUTE), unit=unit, operator="")

    def take(self, operator: str, roles: frozenset[str], deadlines: Deadlines) -> "Report":
        """Return the report with the status IN_WORK, this operator and the deadline after taking. A
        disputed report can be taken only with a role in OVERSIGHT_ROLES.

        Raises StatusNotAllowed or CalendarYearMissing.
        """
        if self.status is Status.DISPUTED and not roles & OVERSIGHT_ROLES:
            raise StatusNotAllowed(facts={"status": self.status.value})
        taken = replace(self._moved(Move.TAKE), operator=operator)
        assert self.deadline is not None and self.receipt is not None
        due = deadlines.after_taking(self.deadline, self.receipt.registered_at)
        return taken if due == self.deadline else taken._due(due)

    def ask(self, now: datetime) -> "Report":
        """Return the report with the status WAITS_FOR_REPORTER since `now`; its deadline is
        suspended. Raises StatusNotAllowed."""
        return replace(self._moved(Move.ASK), waits_since=now)

    def reply(self, now: datetime, deadlines: Deadlines) -> "Report":
        """Return the report with the status IN_WORK and its deadline extended by the time spent
        waiting for the reply, which came at `now`.

        Raises NothingAsked, StatusNotAllowed or CalendarYearMissing.
        """
        if self.waits_since is None or self.deadline is None:
            raise NothingAsked
        replied = replace(self._moved(Move.REPLY), waits_since=None)
        return replied._due(deadlines.after_waiting(self.deadline, now - self.waits_since))

    def accept_traffic(self, offence_code: str) -> "Report":
        """Return the report marked as evidence of this offence. Raises NotTraffic if its category
        is not TRAFFIC_VIOLATION, or StatusNotAllowed if it is not in work or was accepted before.
        """
        if self.category is not Category.TRAFFIC_VIOLATION:
            raise NotTraffic
        if self.offence_code:  # once: a candidate exists by now
            raise StatusNotAllowed(facts={"status": self.status.value})
        return replace(self._moved(Move.ACCEPT), offence_code=offence_code)

    def answer(self, operator: str, now: datetime) -> "Report":
        """Return the report with the status ANSWERED, answered by this operator at `now`. Raises
        StatusNotAllowed."""
        return replace(
            self._moved(Move.ANSWER), operator=operator, answered_at=now, waits_since=None
        )

    def dispute(self, now: datetime, unit_deadline: Deadline) -> "Report":
        """Return the report with the status DISPUTED, no operator and `unit_deadline` as its new
        deadline. Raises AlreadyDisputed if it was disputed before, or ReportNotAnswered."""
        if self.disputed_at is not None:
            raise AlreadyDisputed
        if self.status is not Status.ANSWERED:
            raise ReportNotAnswered
        disputed = replace(self._moved(Move.DISPUTE), disputed_at=now, operator="")
        return disputed._due(unit_deadline)

    def close(self) -> "Report":
        """Return the report with the status CLOSED. Raises StatusNotAllowed."""
        return self._moved(Move.CLOSE)

    def escalate(self, step: int) -> "Report":
        """Return the report with its escalation step set to `step`, which is counted from 1."""
        return replace(self, escalation_step=step, version=self.version + 1)

    def with_outcome(self, outcome: str) -> "Report":
        """Return the report with this outcome, such as "fine_issued". The report is unchanged if
        its present outcome belongs to the same stage or a later one (see `OUTCOMES`)."""
        if OUTCOMES[outcome] <= OUTCOMES.get(self.outcome, 0):
            return self
        return replace(self, outcome=outcome, version=self.version + 1)

    def _moved(self, move: Move) -> "Report":
        target = TRANSITIONS.get((self.status, move))
        if target is None:
            raise StatusNotAllowed(facts={"status": self.status.value, "action": move.value})
        return replace(self, status=target, version=self.version + 1)

    def _due(self, deadline: Deadline) -> "Report":
        return replace(
            self, deadline=deadline, deadline_number=self.deadline_number + 1, escalation_step=0
        )


@contextmanager
def _refused_by_name() -> Iterator[None]:
    try:
        yield
    except TableYearMissing as missing:
        raise CalendarYearMissing(facts={"year": str(missing.year)}) from missing


def number_of(region: str, year: int, serial: int) -> str:
    """Return a report number such as KZ75-2026-4081937, for a region such as KZ-75."""
    return f"{region.replace('-', '')}-{year}-{serial:07d}"


def drawn_numbers(
    region: str, at: datetime, draw: Callable[[int], int] = secrets.randbelow
) -> Iterator[str]:
    """Yield random report numbers for a report that is registered at `at`.

    Another report may already have a yielded number. The caller checks this, and then takes the
    next. `draw` returns a random integer below its argument. Raises RuntimeError after DRAWS_MAX
    numbers.
    """
    year = almaty_day(at).year
    for _ in range(DRAWS_MAX):
        yield number_of(region, year, draw(SERIALS))
    raise RuntimeError(f"no free number was drawn for {region} in {year}")
