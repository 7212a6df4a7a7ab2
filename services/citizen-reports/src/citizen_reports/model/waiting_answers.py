"""Answers that wait before they are sent, so that the operator who gave one can undo it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from citizen_reports.model.refusals import AnswerNotInBulk, AnswerWaiting
from citizen_reports.model.report import Report
from citizen_reports.model.routing import CLASSES, SecrecyClass
from citizen_reports.model.statuses import Actor

IN_BULK = frozenset({SecrecyClass.OPEN, SecrecyClass.PERSONAL})


class AnswerState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    UNDONE = "undone"
    # Not sent, because the report moved meanwhile, or may not be answered any more.
    SET_ASIDE = "set_aside"


@dataclass(frozen=True)
class WaitingAnswer:
    """An answer from a template, to be sent at `leaves_at`. `request_id` is that of the request by
    which it was given. `text` is "" if it was not read, or if the report's key was destroyed."""

    answer_id: UUID
    report_id: UUID
    request_id: UUID
    operator: str
    template: str
    template_version: int
    outcome: str
    given_at: datetime
    leaves_at: datetime
    state: AnswerState = AnswerState.WAITING
    text: str = ""

    def state_on(self, report: Report) -> AnswerState:
        """Return the state, given the present report. If a move has removed the answer from the
        report, this is SET_ASIDE, although WAITING is stored until the answer is due."""
        is_waiting = self.state is AnswerState.WAITING
        return AnswerState.SET_ASIDE if is_waiting and not self.waits_on(report) else self.state

    def waits_on(self, report: Report) -> bool:
        """Whether the answer is WAITING, and is still the waiting answer of the present report."""
        return self.state is AnswerState.WAITING and report.waiting_answer == self.answer_id


def with_waiting(
    report: Report, answer_id: UUID, actor: Actor, outcome: str, now: datetime
) -> Report:
    """Return the report with a waiting answer. Raises AnswerWaiting if the report has one already,
    or what `Report.answer` raises if the report cannot be answered now."""
    if report.waiting_answer is not None:
        raise AnswerWaiting
    report.answer(actor, outcome, now)
    return replace(report, waiting_answer=answer_id, version=report.version + 1)


def without_waiting(report: Report, answer_id: UUID) -> Report:
    """Return a new version of the report without this waiting answer, which will not be sent. A
    waiting answer with another id stays."""
    waiting = None if report.waiting_answer == answer_id else report.waiting_answer
    return replace(report, waiting_answer=waiting, version=report.version + 1)


def leaves_at(report: Report, now: datetime, undo: timedelta) -> datetime:
    """Return when an answer given at `now` is sent: after `undo`, in which it can be undone, or at
    the deadline of the report's answer, if this deadline is still to come and is earlier."""
    end, due = now + undo, report.answer_due_at
    return due if due is not None and now < due < end else end


def require_bulk(report: Report) -> None:
    """Raise AnswerNotInBulk for a report that must be answered by itself: of violence, of a child,
    or a complaint."""
    if CLASSES[report.category] not in IN_BULK:
        raise AnswerNotInBulk
