"""A report, and a method for each decision that changes it.

A report contains no personal data: text, reporter, officer and exact place are stored separately,
encrypted.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from law.report_deadlines import Deadline
from law.report_escalation import QuestionReason

from citizen_reports.model.categories import CONFIDENTIAL, EMERGENCIES, Category
from citizen_reports.model.deadlines import DeadlineKind, Deadlines
from citizen_reports.model.own_ids import id_of_app
from citizen_reports.model.receipt import Receipt
from citizen_reports.model.refusals import (
    AlreadyDisputed,
    AnotherOfficerRequired,
    ArrivalNotExpected,
    ArrivalRequired,
    NothingAsked,
    NotTraffic,
    ReportAlreadySubmitted,
    ReportNotAnswered,
    StatusNotAllowed,
    WaitingTimeUsed,
)
from citizen_reports.model.routing import Facts
from citizen_reports.model.statuses import (
    CLOCK_RUNS,
    OVERSIGHT_ROLES,
    QUEUE,
    TRANSITIONS,
    Actor,
    Move,
    Status,
    Urgency,
)
from citizen_reports.model.waiting import NOT_ASKED, Waiting

URGENT = (Urgency.PROPOSED, Urgency.CONFIRMED)
OUTCOMES = {
    "violation_detected": 1,
    "violation_confirmed": 2,
    "violation_rejected": 2,
    "fine_issued": 3,
    "violation_annulled": 4,
}


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
    # The coarse H3 cell of the place; "" if the place has no coordinates.
    cell: str = ""
    # Whether the place lies abroad. Then `region` is that of the app or KATO code, or the nearest.
    place_abroad: bool = False
    receipt: Receipt | None = None
    deadline: Deadline | None = None
    # Rises with every change of `deadline`: work scheduled with an older number does nothing.
    deadline_number: int = 0
    waiting: Waiting = NOT_ASKED
    escalation_step: int = 0
    # The `deadline_number` for which a warning was given; 0 if none was.
    warned_number: int = 0
    # When the clock of the response ended, and its last escalation: None, 0 after the warning.
    response_ended_at: datetime | None = None
    response_step: int | None = None
    # When somebody arrived at the place of an emergency.
    arrived_at: datetime | None = None
    # The position to which the last escalation gave the report; "" if there was none.
    position: str = ""
    unit: str = ""
    operator: str = ""
    # When an operator first took the report.
    taken_at: datetime | None = None
    answered_at: datetime | None = None
    # The operator of the last answer, and its outcome, such as "measures_taken".
    answered_by: str = ""
    closing_outcome: str = ""
    disputed_at: datetime | None = None
    extended_at: datetime | None = None
    # What became of the accepted traffic evidence, a key of OUTCOMES; "" if nothing yet.
    outcome: str = ""
    offence_code: str = ""
    duplicate_of: UUID | None = None
    # A call for help by somebody who cannot speak or write: it has no text.
    silent_alarm: bool = False
    # The category that the app gave, if an operator raised the report to another; else None.
    reported_category: Category | None = None
    # None if neither the reporter's words nor an operator said that the report is urgent.
    urgency: Urgency | None = None
    # The id of an answer that waits to be sent (see `waiting_answers`); any move removes it.
    waiting_answer: UUID | None = None
    # The id of the parent of a merged report; whether others are, or were, merged under this one.
    parent: UUID | None = None
    is_parent: bool = False

    @property
    def category_of_app(self) -> Category:
        """The category that the app gave, which the app is shown even if the report was raised."""
        return self.reported_category or self.category

    @property
    def id_of_app(self) -> UUID:
        """The id that the app chose; `report_id` differs if another partner has it (`own_ids`)."""
        return id_of_app(self.report_id, self.partner)

    @property
    def is_complaint(self) -> bool:
        """Whether the report is a complaint about an officer."""
        return self.category is Category.COMPLAINT_ABOUT_OFFICER

    @property
    def object_ref(self) -> str:
        """The report as the audit log names it, such as "report:KZ75-2026-4081937"."""
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
        """Whether somebody may be in danger: by the category, or because the urgency is proposed by
        the reporter's words or confirmed by an operator."""
        return self.category in EMERGENCIES or self.urgency in URGENT

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
    def response(self) -> Deadline | None:
        """The deadline of the response, even if it has ended; None for reports without one."""
        return self.receipt.response if self.receipt else None

    @property
    def response_due_at(self) -> datetime | None:
        """The time by which the police must respond; None if the clock for this does not run."""
        if self.response is None or self.response_ended_at or self.status not in QUEUE:
            return None
        return self.response.due_at

    @property
    def answer_due_at(self) -> datetime | None:
        """The time by which the answer is due; None while this clock is stopped or has no date."""
        if self.deadline is None or self.status not in CLOCK_RUNS:
            return None
        return self.deadline.due_at

    @property
    def due_at(self) -> datetime | None:
        """The earliest end of a running clock, even if the report is merged; None if none runs."""
        running = [due for due in (self.response_due_at, self.answer_due_at) if due is not None]
        return min(running, default=None)

    def due_of(self, kind: DeadlineKind) -> datetime | None:
        """The time at which this clock ends; None if it does not run, as in a merged report."""
        due_at = self.response_due_at if kind is DeadlineKind.RESPONSE else self.answer_due_at
        return due_at if self.parent is None else None

    @property
    def answer_started_at(self) -> datetime:
        """When the clock of the answer began: at registration or, if later, at the dispute."""
        assert self.receipt is not None
        return self.disputed_at or self.receipt.registered_at

    def is_overdue(self, now: datetime) -> bool:
        """Whether a clock that runs has reached its time by `now`; False for a merged report."""
        return self.parent is None and self.due_at is not None and now >= self.due_at

    def routing_facts(self, kato: str, at: datetime) -> Facts:
        """Return the facts by which routing chooses a unit if the report is routed at `at`. `kato`
        is the KATO code of its place, "" without one."""
        return Facts(self.category, self.region, kato, self.language, at, self.place_abroad)

    def with_another_file(self) -> "Report":
        """Return the draft with its version raised by one, because the upload of a file has begun
        or ended, or a file was deleted. Raises ReportAlreadySubmitted."""
        if self.status is not Status.OPEN:
            raise ReportAlreadySubmitted
        return replace(self, version=self.version + 1)

    def submit(self, receipt: Receipt) -> "Report":
        """Return the report with the status REGISTERED, this receipt and the receipt's deadline.
        Raises StatusNotAllowed."""
        return replace(
            self.moved(Move.SUBMIT),
            receipt=receipt,
            deadline=receipt.deadline,
            deadline_number=self.deadline_number + 1,
        )

    def route(self, unit: str) -> "Report":
        """Return the report with the status ROUTED, this unit and no operator. Raises
        StatusNotAllowed."""
        return replace(self.moved(Move.ROUTE), unit=unit, operator="")

    def move(self, region: str) -> "Report":
        """Return the report with this region, an ISO 3166-2 code."""
        return replace(self, region=region, version=self.version + 1)

    def take(self, actor: Actor, now: datetime, deadlines: Deadlines) -> "Report":
        """Return the report with the status IN_WORK and this operator.

        Taking ends the response to a reported crime. The response to an emergency runs on until an
        arrival. A report whose answer was disputed can be taken only by another operator than the
        one who gave this answer, with a role in OVERSIGHT_ROLES.

        Raises StatusNotAllowed, AnotherOfficerRequired or CalendarYearMissing.
        """
        self._require_oversight(actor)
        taken = replace(
            self.moved(Move.TAKE), operator=actor.operator_id, taken_at=self.taken_at or now
        )
        assert self.deadline is not None and self.receipt is not None
        if self.response is not None:
            runs_on = self.receipt.arrival_due_at or self.response_ended_at
            return taken if runs_on else replace(taken, response_ended_at=now)
        due = deadlines.after_taking(self.deadline, self.receipt.registered_at)
        return taken if due == self.deadline else taken.with_deadline(due)

    def arrive(self, arrived_at: datetime) -> "Report":
        """Return the report with its arrival at `arrived_at`, which ends the clock of its response.
        Unchanged if an arrival is recorded already.

        Raises ArrivalNotExpected if the report is no emergency or is not open any more.
        """
        if self.arrived_at is not None:
            return self
        if self.receipt is None or self.receipt.arrival_due_at is None:
            raise ArrivalNotExpected
        if self.status not in QUEUE:
            raise ArrivalNotExpected
        return replace(
            self,
            arrived_at=arrived_at,
            response_ended_at=arrived_at,
            version=self.version + 1,
        )

    def ask(self, reason: QuestionReason, now: datetime, deadlines: Deadlines) -> "Report":
        """Return the report with the status WAITS_FOR_REPORTER since `now`, for as long as the
        reason allows; the clock of its answer is stopped. Raises StatusNotAllowed, or
        WaitingTimeUsed if earlier questions have used up the time."""
        until = deadlines.waits_until(reason, now, self.waiting.waited)
        asked = self.moved(Move.ASK)
        if until <= now:
            raise WaitingTimeUsed
        questions = self.waiting.questions + 1
        return replace(asked, waiting=Waiting(now, until, questions, 0, self.waiting.waited))

    def remind(self, number: int) -> "Report":
        """Return the report with the reminder `number`, counted from 1, of its open question."""
        waiting = replace(self.waiting, reminders=number)
        return replace(self, waiting=waiting, version=self.version + 1)

    def reply(self, now: datetime, deadlines: Deadlines) -> "Report":
        """Return the report with the status IN_WORK. The deadline of its answer is postponed by the
        time from the question until the reply at `now`, or until the end of the wait if that is
        earlier. Raises NothingAsked or StatusNotAllowed."""
        return self._after_question(Move.REPLY, now, deadlines)

    def go_on(self, now: datetime, deadlines: Deadlines) -> "Report":
        """Return the report with the status IN_WORK, because no reply came before the end of the
        wait, which is at or before `now`. The deadline of its answer is postponed by the whole
        wait. Raises NothingAsked or StatusNotAllowed."""
        return self._after_question(Move.GO_ON, now, deadlines)

    def accept_traffic(self, offence_code: str) -> "Report":
        """Return the report marked as evidence of this offence. Raises NotTraffic if its category
        is not TRAFFIC_VIOLATION, or StatusNotAllowed if it is not in work or was accepted before.
        """
        if self.category is not Category.TRAFFIC_VIOLATION:
            raise NotTraffic
        if self.offence_code:  # accepted before: a candidate of a violation exists
            raise StatusNotAllowed(facts={"status": self.status.value})
        return replace(self.moved(Move.ACCEPT), offence_code=offence_code)

    def answer(self, actor: Actor, outcome: str, now: datetime) -> "Report":
        """Return the report with the status ANSWERED, answered by this operator at `now` with this
        outcome, such as "measures_taken".

        Raises StatusNotAllowed, AnotherOfficerRequired, or ArrivalRequired for an emergency at
        which nobody has arrived yet.
        """
        self._require_oversight(actor)
        answered = self.moved(Move.ANSWER)
        if self.response_due_at is not None:
            raise ArrivalRequired
        return replace(
            answered,
            operator=actor.operator_id,
            answered_at=now,
            answered_by=actor.operator_id,
            closing_outcome=outcome,
            waiting=replace(self.waiting, since=None, until=None),
        )

    def dispute(self, now: datetime, unit_deadline: Deadline) -> "Report":
        """Return the report with the status DISPUTED, no operator, no parent and `unit_deadline` as
        its deadline. Raises AlreadyDisputed if it was disputed before, or ReportNotAnswered."""
        if self.disputed_at is not None:
            raise AlreadyDisputed
        if self.status is not Status.ANSWERED:
            raise ReportNotAnswered
        disputed = replace(
            self.moved(Move.DISPUTE),
            disputed_at=now,
            parent=None,
            operator="",
            waiting=replace(self.waiting, waited=timedelta()),
        )
        return disputed.with_deadline(unit_deadline)

    def close(self) -> "Report":
        """Return the report with the status CLOSED. Raises StatusNotAllowed."""
        return self.moved(Move.CLOSE)

    def warn(self, kind: DeadlineKind) -> "Report":
        """Return the report with the record of a warning that this clock ends soon."""
        warned = replace(self, version=self.version + 1)
        if kind is DeadlineKind.RESPONSE:
            return replace(warned, response_step=0)
        return replace(warned, warned_number=self.deadline_number)

    def escalate(self, kind: DeadlineKind, step: int, position: str) -> "Report":
        """Return the report as escalated to `position` because this clock has ended. `step` is the
        number of the step of escalation, counted from 1."""
        escalated = replace(self, position=position, version=self.version + 1)
        if kind is DeadlineKind.RESPONSE:
            return replace(escalated, response_step=step)
        return replace(escalated, escalation_step=step)

    def with_outcome(self, outcome: str) -> "Report":
        """Return the report with this outcome, such as "fine_issued". The report is unchanged if
        its present outcome belongs to the same stage or a later one (see `OUTCOMES`)."""
        if OUTCOMES[outcome] <= OUTCOMES.get(self.outcome, 0):
            return self
        return replace(self, outcome=outcome, version=self.version + 1)

    def _require_oversight(self, actor: Actor) -> None:
        """Raise a refusal if the report was disputed and this operator may not act on it."""
        if self.disputed_at is None:
            return
        if not actor.roles & OVERSIGHT_ROLES:
            raise StatusNotAllowed(facts={"status": self.status.value})
        if actor.operator_id == self.answered_by:
            raise AnotherOfficerRequired

    def _after_question(self, move: Move, now: datetime, deadlines: Deadlines) -> "Report":
        waiting = self.waiting
        if waiting.since is None or self.deadline is None:
            raise NothingAsked
        ended_at = now if waiting.until is None else min(now, waiting.until)
        waited = ended_at - waiting.since
        moved = replace(
            self.moved(move),
            waiting=replace(waiting, since=None, until=None, waited=waiting.waited + waited),
        )
        return moved.with_deadline(deadlines.after_waiting(self.deadline, waited))

    def moved(self, move: Move) -> "Report":
        """Return the report after this move, without waiting answer. Raises StatusNotAllowed."""
        target = TRANSITIONS.get((self.status, move))
        if target is None:
            raise StatusNotAllowed(facts={"status": self.status.value, "action": move.value})
        return replace(self, status=target, version=self.version + 1, waiting_answer=None)

    def with_deadline(self, deadline: Deadline) -> "Report":
        """Return the report with this deadline of its answer, and with its escalation reset."""
        return replace(
            self, deadline=deadline, deadline_number=self.deadline_number + 1, escalation_step=0
        )
