"""The use cases that give answers from templates, to one or many reports, undo them and send them.

A given answer waits in its own row, to which the report refers. One transaction writes the row, the
report and the scheduled work that sends the answer. A move of the report removes the reference:
such an answer is set aside, and not sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from audit_log.decisions import Decision
from chassis.clock import Clock, new_id
from chassis.db import Database
from chassis.identity import Caller
from chassis.refusals import Refusal
from chassis.transaction import SYSTEM, Tx
from host.scheduler import WaitUntilDue

from citizen_reports.model.law import Law
from citizen_reports.model.refusals import (
    AnswerNotFound,
    TemplateChangedMeanwhile,
    TemplateNotFound,
)
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import OVERSIGHT_ROLES, Actor
from citizen_reports.model.templates import Template
from citizen_reports.model.waiting_answers import (
    AnswerState,
    WaitingAnswer,
    leaves_at,
    require_bulk,
    with_waiting,
    without_waiting,
)
from citizen_reports.storage import answer_templates, reports, waiting_answers
from citizen_reports.usecases.answering import record_answer
from citizen_reports.usecases.desk import Desk, DeskView, Shown, actor_of
from citizen_reports.usecases.openings import Openings
from citizen_reports.usecases.personnel import Asked
from citizen_reports.usecases.recording import SYSTEM_ACTOR, ReportRecorder, bind_trace

SEND_ANSWER = "send_answer"


@dataclass(frozen=True)
class ShownTemplate:
    """The name of a template, and the version that the operator saw; 0 allows any version."""

    name: str
    version: int = 0


@dataclass(frozen=True)
class Preview:
    """The answer that a template gives for a report, in the language of the report's reporter."""

    text: str
    language: str
    template: Template


@dataclass(frozen=True)
class Result:
    """The result of a request for one report: the answer and its state, or else the refusal."""

    report_id: UUID
    answer: WaitingAnswer | None = None
    state: AnswerState | None = None
    refusal: Refusal | None = None


class Answers:
    """Gives, undoes and sends answers from templates. A request may be repeated with its id: the
    answers that it gave stay, and reports that it could not answer are tried again. An id with
    other content raises IdReused."""

    def __init__(
        self,
        desk: Desk,
        db: Database,
        clock: Clock,
        law: Law,
        recorder: ReportRecorder,
        undo: timedelta,
    ) -> None:
        """`undo` is the time in which an answer can be undone, before it is sent."""
        self._desk = desk
        self._db = db
        self._clock = clock
        self._law = law
        self._recorder = recorder
        self._undo = undo
        self._openings = Openings(db, clock)

    async def preview(self, report_id: UUID, name: str, caller: Caller) -> Preview:
        """Return the answer that the template `name` gives for a report; nothing is stored. Raises
        ReportNotFound, TemplateNotFound or TemplateNotForReport."""
        async with self._openings.begin(report_id, caller) as tx:
            report = await reports.get(tx, report_id)
            bind_trace(report)
            template = await _template(tx, ShownTemplate(name))
            text = template.written_for(report, self._law.outcomes)
            return Preview(text, report.language, template)

    async def answer(self, shown: Shown, wanted: ShownTemplate, asked: Asked) -> DeskView:
        """Answer the report named by `shown` from a template. The answer is sent after a wait,
        unless it is undone. Raises ReportNotFound, ReportMerged, ReportChangedMeanwhile,
        TemplateNotFound, TemplateChangedMeanwhile, TemplateNotForReport, AnswerWaiting, IdReused,
        or what `Report.answer` raises."""
        async with self._openings.begin(shown.report_id, asked.caller) as tx:
            await tx.once(asked.caller.key, asked.request_id, asked.content)
            report = await self._desk.lock(tx, shown.report_id, asked.caller)
            given = await self._given(tx, report, asked)
            if given is None:
                shown.require_unchanged(report)
                report, _ = await self._give(tx, report, wanted, asked)
            return await self._desk.view(tx, report, asked.caller)

    async def answer_many(
        self, shown: Sequence[Shown], wanted: ShownTemplate, asked: Asked
    ) -> list[Result]:
        """Answer reports from one template, each in its own transaction, as `answer` does. The
        result of each report has the answer or the refusal. Raises IdReused."""
        async with self._db.begin(asked.caller.scope) as tx:
            await tx.once(asked.caller.key, asked.request_id, asked.content)
        return [await self._answer_one(one, wanted, asked) for one in shown]

    async def undo(self, request_id: UUID, caller: Caller) -> list[Result]:
        """Undo those answers of the caller's request that still wait. Returns all answers of the
        request with their states; reports that the caller may not see any more are left out.
        Raises AnswerNotFound if the request gave no answer."""
        async with self._db.begin(caller.scope) as tx:
            given = await waiting_answers.given_by(tx, caller.scope.name, request_id)
        if not given:
            raise AnswerNotFound
        found = [await self._undo_one(answer, caller) for answer in given]
        return [result for result in found if result is not None]

    async def send(self, key: str) -> None:
        """Scheduled work SEND_ANSWER: send a waiting answer; `key` is the answer's id. If the
        report has moved, or cannot be answered now, the answer is set aside, and a step of the
        report says why. Raises WaitUntilDue while the answer can be undone."""
        now = self._clock()
        async with self._db.begin(SYSTEM) as tx:
            waiting = await waiting_answers.find(tx, UUID(key))
            if waiting is None or waiting.state is not AnswerState.WAITING:
                return
            if now < waiting.leaves_at:
                raise WaitUntilDue(waiting.leaves_at - now)
            report = await reports.get_for_update(tx, waiting.report_id)
            bind_trace(report)
            answer = await waiting_answers.with_text(tx, waiting.answer_id)
            if answer is None or answer.state is not AnswerState.WAITING:
                return
            reason = "the report was acted on"
            if answer.waits_on(report):
                # For a disputed report, such a role was required when the answer was given.
                actor = Actor(answer.operator, OVERSIGHT_ROLES)
                try:
                    answered = report.answer(actor, answer.outcome, now)
                except Refusal as refusal:
                    reason = refusal.reason
                else:
                    await record_answer(
                        tx, self._recorder, self._law.deadlines, report, answered, answer.text
                    )
                    await waiting_answers.end(tx, answer, AnswerState.SENT)
                    return
            note = f"answer not sent: {reason}"
            await self._take_back(tx, report, answer, AnswerState.SET_ASIDE, note)

    async def _answer_one(self, shown: Shown, wanted: ShownTemplate, asked: Asked) -> Result:
        try:
            async with self._openings.begin(shown.report_id, asked.caller) as tx:
                report = await self._desk.lock(tx, shown.report_id, asked.caller)
                given = await self._given(tx, report, asked)
                if given is None:
                    require_bulk(report)
                    shown.require_unchanged(report)
                    report, given = await self._give(tx, report, wanted, asked)
                return Result(report.report_id, given, given.state_on(report))
        except Refusal as refusal:
            return Result(shown.report_id, refusal=refusal)

    async def _given(self, tx: Tx, report: Report, asked: Asked) -> WaitingAnswer | None:
        """The answer that this request has already given to the report; None if there is none."""
        operator = asked.caller.scope.name
        return await waiting_answers.find_given(tx, operator, asked.request_id, report.report_id)

    async def _give(
        self, tx: Tx, report: Report, wanted: ShownTemplate, asked: Asked
    ) -> tuple[Report, WaitingAnswer]:
        """Store a waiting answer; return the report that refers to it, and the answer."""
        now, actor = self._clock(), actor_of(asked.caller)
        template = await _template(tx, wanted)
        text = template.written_for(report, self._law.outcomes)
        answer = WaitingAnswer(
            answer_id=new_id(),
            report_id=report.report_id,
            request_id=asked.request_id,
            operator=actor.operator_id,
            template=template.name,
            template_version=template.version,
            outcome=template.outcome,
            given_at=now,
            leaves_at=leaves_at(report, now, self._undo),
            text=text,
        )
        waiting = with_waiting(report, answer.answer_id, actor, answer.outcome, now)
        facts = {"outcome": answer.outcome, "template": f"{template.name}/{template.version}"}
        await self._recorder.record(
            tx,
            report,
            waiting,
            Decision("give_answer", facts),
            at=now,
            actor=actor.operator_id,
            note=f"answer waits, {answer.outcome}",
        )
        await waiting_answers.add(tx, answer)
        await tx.schedule(SEND_ANSWER, str(answer.answer_id), answer.leaves_at)
        return waiting, answer

    async def _undo_one(self, given: WaitingAnswer, caller: Caller) -> Result | None:
        """Undo an answer if it still waits; None if the caller may not see the report any more."""
        async with self._db.begin(caller.scope) as tx:
            report = await reports.find_for_update(tx, given.report_id)
            answer = await waiting_answers.find(tx, given.answer_id)
            if report is None or answer is None:
                return None
            bind_trace(report)
            state = answer.state_on(report)
            if state is AnswerState.WAITING:
                state = AnswerState.UNDONE
                await self._take_back(tx, report, answer, state, "answer undone")
            return Result(report.report_id, answer, state)

    async def _take_back(
        self,
        tx: Tx,
        report: Report,
        answer: WaitingAnswer,
        state: AnswerState,
        note: str,
    ) -> None:
        """End an answer with `state`, UNDONE or SET_ASIDE, and add a step to the report."""
        is_undone = state is AnswerState.UNDONE
        facts = {"outcome": answer.outcome, "state": state.value}
        await self._recorder.record(
            tx,
            report,
            without_waiting(report, answer.answer_id),
            Decision("take_answer_back", facts),
            at=self._clock(),
            actor=answer.operator if is_undone else SYSTEM_ACTOR,
            note=note,
        )
        await waiting_answers.end(tx, answer, state)


async def _template(tx: Tx, wanted: ShownTemplate) -> Template:
    found = await answer_templates.newest(tx, wanted.name)
    if found is None or found.is_withdrawn:
        raise TemplateNotFound
    if wanted.version not in (0, found.version):
        raise TemplateChangedMeanwhile(facts={"version": str(found.version)})
    return found
