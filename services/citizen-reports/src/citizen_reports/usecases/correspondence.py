"""The use cases by which a reporter, through the app, replies to a question, disputes an answer, or
withdraws a report.

An app that did not get the response may repeat the call. Row-level security limits each transaction
to the reports of the calling partner.
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
    """A reporter's message about a report: a reply to a question, or a dispute of an answer.

    `request_id` is the id that the app gave to the request, None without one. `content` is the
    serialised request; if the id is used again, the contents are compared.
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
        """Record the reporter's reply to the open question. The deadline of the answer runs again,
        extended by the time waited. Returns the report as shown to its app.

        A repeated reply changes nothing: one with the same request id or, without an id, one with
        the text of the last reply while no question is open. Raises BadRequest for an empty or too
        long text, ReportNotFound, IdReused, NothingAsked or StatusNotAllowed.
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
        """Record that the reporter disputes the answer, which is possible once. The report gets a
        new deadline, and only another operator with a role in OVERSIGHT_ROLES can take it.

        A repeated dispute changes nothing: one with the same request id or, without an id, the same
        text. Raises BadRequest for an empty or too long text, ReportNotFound, IdReused,
        AlreadyDisputed or ReportNotAnswered.
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
        """Withdraw a report, and return the report as shown to its app; delete a draft, and return
        None. A repeated call changes nothing and returns the same.

        `reason` may be "". Raises BadRequest for a reason of more than REASON_MAX characters,
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
    """Return the report, proposed as urgent if `text` has words of danger, and store these."""
    reasons = reasons_of(report, text)
    if reasons:
        key = await contents.report_key(tx, report.report_id)
        urgency.add_reasons(tx, report, reasons, key)
    return proposed(report, reasons)


async def _was_said(tx: Tx, said: Said, caller: Caller) -> bool:
    """Whether the request is a repetition. Raises IdReused if its id had other content before."""
    if said.request_id is None:
        return False
    return not await tx.once(caller.key, said.request_id, said.content)


async def _is_last(tx: Tx, report: Report, status: Status, text: str) -> bool:
    """Whether `text` is the note of the reporter's last step that led to `status`."""
    key = await contents.report_key(tx, report.report_id)
    steps = await contents.steps_of(tx, report.report_id, key)
    notes = [step.note for step in steps if (step.actor, step.status) == (REPORTER, status)]
    return notes[-1:] == [text]


def _required(text: str) -> str:
    """Return the text as it is stored. Raises BadRequest for an invisible or too long text."""
    kept = cleaned(text, longest=TEXT_MAX)
    with checks() as check:
        check.that(bool(kept), "text", "what you want to say", code="TEXT_REQUIRED")
        check_length(check, "text", kept, longest=TEXT_MAX, code="TEXT_TOO_LONG")
    return kept


async def _remember_withdrawal(tx: Tx, report_id: UUID, caller: Caller) -> bool:
    """Store the withdrawal of a draft as a request id; return False if it was stored before."""
    return await tx.once(caller.key, uuid5(report_id, Status.WITHDRAWN), b"")


async def _require_withdrawn(tx: Tx, report_id: UUID, caller: Caller) -> None:
    """Raise ReportNotFound unless the caller has withdrawn a draft with this id."""
    if await _remember_withdrawal(tx, report_id, caller):  # rolled back by the error
        raise ReportNotFound
