"""The use cases by which a reporter, through the app, replies to a question, disputes an answer, or
withdraws a report.

A call may be repeated if the app did not get the response. Row-level security limits each
transaction to the reports of the calling partner.
"""

from dataclasses import dataclass
from uuid import UUID, uuid5

from audit_log.decisions import Decision
from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import checks
from chassis.transaction import Tx

from citizen_reports.model.draft import TEXT_MAX
from citizen_reports.model.law import Law
from citizen_reports.model.refusals import AlreadyDisputed, NothingAsked, ReportNotFound
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Status
from citizen_reports.model.urgency import proposed, reasons_of
from citizen_reports.model.withdrawal import withdrawn
from citizen_reports.model.words import check_length, cleaned
from citizen_reports.storage import contents, reports, urgency
from citizen_reports.storage.app_views import AppView
from citizen_reports.usecases.intake import Intake
from citizen_reports.usecases.openings import Openings
from citizen_reports.usecases.recording import REPORTER, ReportRecorder, audit, bind_trace

REASON_MAX = 500


@dataclass(frozen=True)
class Said:
    """A reporter's message about a report.

    `request_id` is the id that the app made for it; None if the app made none. `content` is the
    serialised request, which is compared if the id is used again.
    """

    report_id: UUID
    text: str
    request_id: UUID | None = None
    content: bytes = b""


class Correspondence:
    def __init__(
        self,
        db: Database,
        clock: Clock,
        law: Law,
        recorder: ReportRecorder,
        openings: Openings,
        intake: Intake,
    ) -> None:
        self._db = db
        self._clock = clock
        self._law = law
        self._recorder = recorder
        self._openings = openings
        self._intake = intake

    async def reply(self, said: Said, caller: Caller) -> AppView:
        """Record the reporter's reply to a question. The suspended deadline then runs again.

        Recording the same reply again changes nothing. It is the same if its id is the same or,
        without an id, if its text is that of the last reply and no question is open. Raises
        BadRequest, ReportNotFound, IdReused, NothingAsked, StatusNotAllowed or CalendarYearMissing.
        """
        text, now = _required(said.text), self._clock()
        async with self._openings.begin(said.report_id, caller) as tx:
            report = await _lock(tx, said)
            if await _was_said(tx, said, caller):
                return await self._intake.view(tx, report)
            try:
                replied = await _judged(tx, report.reply(now, self._law.deadlines), text)
            except NothingAsked:
                if said.request_id is None and await _is_last(tx, report, Status.IN_WORK, text):
                    return await self._intake.view(tx, report)
                raise
            await contents.set_content(tx, report.report_id, question="")
            await self._recorder.record(
                tx, report, replied, Decision("reply"), at=now, actor=REPORTER, note=text
            )
            return await self._intake.view(tx, replied)

    async def dispute(self, said: Said, caller: Caller) -> AppView:
        """Dispute the answer, which is possible once. An oversight role then takes the report.

        Recording the same dispute again changes nothing. It is the same if its id or, without an
        id, its text is the same. Raises BadRequest, ReportNotFound, IdReused, AlreadyDisputed,
        ReportNotAnswered or CalendarYearMissing.
        """
        text, now = _required(said.text), self._clock()
        async with self._openings.begin(said.report_id, caller) as tx:
            report = await _lock(tx, said)
            if await _was_said(tx, said, caller):
                return await self._intake.view(tx, report)
            deadline = self._law.deadlines.of(report.category, report.region, now)
            try:
                disputed = report.dispute(now, deadline)
            except AlreadyDisputed:
                if said.request_id is None and await _is_last(tx, report, Status.DISPUTED, text):
                    return await self._intake.view(tx, report)
                raise
            disputed = await _judged(tx, disputed, text)
            await self._recorder.record(
                tx, report, disputed, Decision("dispute"), at=now, actor=REPORTER, note=text
            )
            return await self._intake.view(tx, disputed)

    async def withdraw(self, report_id: UUID, reason: str, caller: Caller) -> AppView | None:
        """Take a report back. Nothing changes if it was taken back before.

        A draft is deleted. The call returns None then, also if it is repeated. Raises BadRequest,
        ReportNotFound or WithdrawalNotAllowed.
        """
        reason = cleaned(reason, longest=REASON_MAX)
        with checks() as check:
            check_length(check, "reason", reason, longest=REASON_MAX, code="REASON_TOO_LONG")
        async with self._openings.begin(report_id, caller) as tx:
            report = await reports.find_for_update(tx, report_id)
            if report is None:
                await _require_withdrawn(tx, report_id, caller)
                return None
            bind_trace(report)
            if report.status is Status.WITHDRAWN:
                return await self._intake.view(tx, report)
            taken_back = withdrawn(report)
            if report.receipt is None:
                await _remember_withdrawal(tx, report_id, caller)
                await reports.withdraw_draft(tx, report.report_id)
                audit(tx, "withdraw_draft", report)
                return None
            await contents.set_content(tx, report.report_id, question="")
            decision = Decision("withdraw")
            await self._recorder.record(
                tx, report, taken_back, decision, at=self._clock(), actor=REPORTER, note=reason
            )
            return await self._intake.view(tx, taken_back)


async def _lock(tx: Tx, said: Said) -> Report:
    report = await reports.get_for_update(tx, said.report_id)
    bind_trace(report)
    return report


async def _judged(tx: Tx, report: Report, text: str) -> Report:
    """The report, proposed as urgent if this text contains words of danger."""
    reasons = reasons_of(report, text)
    if reasons:
        key = await contents.report_key(tx, report.report_id)
        urgency.add_reasons(tx, report, reasons, key)
    return proposed(report, reasons)


async def _was_said(tx: Tx, said: Said, caller: Caller) -> bool:
    """Whether the app's id was used before, for the same. Raises IdReused if for something else."""
    if said.request_id is None:
        return False
    return not await tx.once(caller.key, said.request_id, said.content)


async def _is_last(tx: Tx, report: Report, status: Status, text: str) -> bool:
    """Whether the reporter's last step that led to `status` has this text as its note."""
    key = await contents.report_key(tx, report.report_id)
    steps = await contents.steps_of(tx, report.report_id, key)
    notes = [step.note for step in steps if (step.actor, step.status) == (REPORTER, status)]
    return notes[-1:] == [text]


def _required(text: str) -> str:
    """The text as it is stored. Raises BadRequest if nothing of it is visible or it is too long."""
    kept = cleaned(text, longest=TEXT_MAX)
    with checks() as check:
        check.that(bool(kept), "text", "what you want to say", code="TEXT_REQUIRED")
        check_length(check, "text", kept, longest=TEXT_MAX, code="TEXT_TOO_LONG")
    return kept


async def _remember_withdrawal(tx: Tx, report_id: UUID, caller: Caller) -> bool:
    """Store, as a request id, that a draft is withdrawn; return False if it was stored before."""
    return await tx.once(caller.key, uuid5(report_id, Status.WITHDRAWN), b"")


async def _require_withdrawn(tx: Tx, report_id: UUID, caller: Caller) -> None:
    """Raise ReportNotFound where the caller withdrew no draft with this id."""
    if await _remember_withdrawal(tx, report_id, caller):  # not stored: the transaction ends here
        raise ReportNotFound
