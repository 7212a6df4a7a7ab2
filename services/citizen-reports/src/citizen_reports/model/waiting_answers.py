"""Answers that wait before they leave, so that who gave them can undo them."""

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
    # The report moved meanwhile, or may not be answered any more.
    SET_ASIDE = "set_aside"


@dataclass(frozen=True)
class WaitingAnswer:
    """An answer made from a template. `request_id` is that of the request that gave it. `text` is
    "" where it is not shown, and where the report's key was destroyed."""

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
        """Return the state, given the report as it is now: an answer that a move of the report has
        set aside is not stored as such before it is due."""
        is_waiting = self.state is AnswerState.WAITING
        return AnswerState.SET_ASIDE if is_waiting and not self.waits_on(report) else self.state

    def waits_on(self, report: Report) -> bool:
        """Whether the answer will leave unless something happens to the report."""
        return self.state is AnswerState.WAITING and report.waiting_answer == self.answer_id


def with_waiting(
    report: Report, answer_id: UUID, actor: Actor, outcome: str, now: datetime
) -> Report:
    """Return the report with an answer that waits. Raises AnswerWaiting if another one does, and
    what `Report.answer` raises."""
    if report.waiting_answer is not None:
        raise AnswerWaiting
    report.answer(actor, outcome, now)
    return replace(report, waiting_answer=answer_id, version=report.version + 1)


def without_waiting(report: Report, answer_id: UUID) -> Report:
    """Return the report without this waiting answer, which will not be sent. Another answer that
    waits stays."""
    waiting = None if report.waiting_answer == answer_id else report.waiting_answer
    return replace(report, waiting_answer=waiting, version=report.version + 1)


def leaves_at(report: Report, now: datetime, undo: timedelta) -> datetime:
    """Return when an answer given `now` is sent: after the time `undo` in which it can be undone,
    but no later than the deadline of the answer, unless that has passed."""
    end, due = now + undo, report.answer_due_at
    return due if due is not None and now < due < end else end


def require_bulk(report: Report) -> None:
    """Raise AnswerNotInBulk for reports that are answered one by one: those of violence and of
    children, and complaints."""
    if CLASSES[report.category] not in IN_BULK:
        raise AnswerNotInBulk
