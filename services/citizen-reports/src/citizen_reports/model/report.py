"""A report and a method for each decision about it.

A report contains no personal data: text, reporter, officer and exact place are stored separately,
encrypted.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from audit_log.record_kinds import RecordKind
from law.report_deadlines import Deadline

from citizen_reports.model.categories import (
    CONFIDENTIAL,
    EMERGENCIES,
    TAKEN_FROM_ABROAD,
    Category,
)
from citizen_reports.model.deadlines import Deadlines
from citizen_reports.model.refusals import (
    AlreadyDisputed,
    NothingAsked,
    NotTraffic,
    ReportAlreadySubmitted,
    ReportNotAnswered,
    StatusNotAllowed,
    WithdrawalNotAllowed,
)
from citizen_reports.model.statuses import (
    BEFORE_WORK,
    CLOCK_RUNS,
    OVERSIGHT_ROLES,
    TRANSITIONS,
    Move,
    Status,
)

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
        "silent_alarm",
    ),
)
ANSWER = RecordKind("answer", ("report_id", "answer"))


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
    # A call for help by somebody who cannot speak or write: it has no text.
    silent_alarm: bool = False

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
        begun. Raises ReportAlreadySubmitted."""
        if self.status is not Status.OPEN:
            raise ReportAlreadySubmitted
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

    def withdraw(self) -> "Report":
        """Return the report with the status WITHDRAWN, because its reporter takes it back.

        The law does not say what a withdrawal ends. It is assumed that it ends a request (APPC 64),
        but not the duty to handle what may be a crime (CPC 179). Raises WithdrawalNotAllowed.
        """
        moved = TRANSITIONS.get((self.status, Move.WITHDRAW))
        reason = "answered" if moved is None else self._duty_to_handle()
        if reason:
            raise WithdrawalNotAllowed(facts={"reason": reason, "status": self.status.value})
        return replace(self._moved(Move.WITHDRAW), waits_since=None)

    def escalate(self, step: int) -> "Report":
        """Return the report with its escalation step set to `step`, which is counted from 1."""
        return replace(self, escalation_step=step, version=self.version + 1)

    def with_outcome(self, outcome: str) -> "Report":
        """Return the report with this outcome, such as "fine_issued". The report is unchanged if
        its present outcome belongs to the same stage or a later one (see `OUTCOMES`)."""
        if OUTCOMES[outcome] <= OUTCOMES.get(self.outcome, 0):
            return self
        return replace(self, outcome=outcome, version=self.version + 1)

    def _duty_to_handle(self) -> str:
        """Why the police must handle the report whatever its reporter wishes; "" if they need not.
        A draft was not made to the police yet."""
        if self.receipt is None:
            return ""
        if self.category in TAKEN_FROM_ABROAD:
            return "crime_or_danger"
        if self.is_complaint and self.status not in BEFORE_WORK:
            return "complaint_in_work"
        return "evidence_accepted" if self.offence_code else ""

    def _moved(self, move: Move) -> "Report":
        target = TRANSITIONS.get((self.status, move))
        if target is None:
            raise StatusNotAllowed(facts={"status": self.status.value, "action": move.value})
        return replace(self, status=target, version=self.version + 1)

    def _due(self, deadline: Deadline) -> "Report":
        return replace(
            self, deadline=deadline, deadline_number=self.deadline_number + 1, escalation_step=0
        )
