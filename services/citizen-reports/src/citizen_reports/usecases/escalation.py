"""Scheduled work on the clocks of reports: warnings, escalation, and the end of a wait.

A handler may run more than once for one piece of work, and long after the work was due. So each
handler first checks the report's present state; a step is taken only once, and in order.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

from audit_log.decisions import Decision
from chassis.clock import Clock
from chassis.db import Database
from chassis.transaction import SYSTEM, Tx
from host.scheduler import WaitUntilDue

from citizen_reports import events
from citizen_reports.model.answer_dates import dated
from citizen_reports.model.deadlines import DeadlineKind, Deadlines
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Status
from citizen_reports.model.urgency import ladder_category
from citizen_reports.storage import contents, reports
from citizen_reports.usecases.recording import (
    CALENDAR_LOOK,
    SYSTEM_ACTOR,
    ReportRecorder,
    bind_trace,
)

WAITING = "waiting"


class Escalation:
    def __init__(
        self, db: Database, clock: Clock, deadlines: Deadlines, recorder: ReportRecorder
    ) -> None:
        self._db = db
        self._clock = clock
        self._deadlines = deadlines
        self._recorder = recorder

    async def check_deadline(self, key: str) -> None:
        """Escalate a report whose answer is overdue; `key` is "report id:deadline number:step".

        Does nothing if the clock of the answer does not run, the deadline was moved, the step was
        taken, or the report's category has no such step. Raises WaitUntilDue if the step is not due
        yet: the process's clock was set back, or the category has changed.
        """
        report_id, deadline_number, step = key.split(":")
        async with self._locked(report_id) as (tx, report):
            is_moved = report.deadline_number != int(deadline_number)
            if not is_moved and report.escalation_step < int(step):
                await self._escalate(tx, report, DeadlineKind.ANSWER, int(step))

    async def check_response(self, key: str) -> None:
        """Escalate a report whose response is overdue; `key` is "report id:step".

        Does nothing if the clock of the response does not run, the step was taken, or the report's
        category has no such step. Raises WaitUntilDue if the step is not due yet: the process's
        clock was set back, or the category has changed.
        """
        report_id, step = key.split(":")
        async with self._locked(report_id) as (tx, report):
            if (report.response_step or 0) < int(step):
                await self._escalate(tx, report, DeadlineKind.RESPONSE, int(step))

    async def warn(self, key: str) -> None:
        """Publish a warning that a clock of a report ends soon. `key` is
        "report id:clock:deadline number", with the clock "response" or "answer".

        Does nothing if the clock does not run or is overdue, if a warning was given, or if the
        deadline of the answer was moved.
        """
        report_id, clock, deadline_number = key.split(":")
        kind = DeadlineKind(clock)
        async with self._locked(report_id) as (tx, report):
            due_at = report.due_of(kind)
            if kind is DeadlineKind.RESPONSE:
                is_warned = report.response_step is not None
            else:
                is_moved = report.deadline_number != int(deadline_number)
                is_warned = is_moved or report.warned_number == report.deadline_number
            if due_at is None or is_warned or self._clock() >= due_at:
                return
            warned = report.warn(kind)
            await self._recorder.record(
                tx,
                report,
                warned,
                Decision("warn", {"clock": kind.value}),
                at=self._clock(),
                actor=SYSTEM_ACTOR,
                note=f"due soon, {kind}",
                fact=events.report_due_soon(warned, kind, due_at),
            )

    async def end_waiting(self, key: str) -> None:
        """Remind the reporter of a question or, at the end of the wait, put the report in work.

        `key` is "report id:question number:number", where `number` counts the reminders from 1; 0
        is the end of the wait. Does nothing if the question is not open any more, or the reminder
        was given. Raises WaitUntilDue if the `number` 0 comes before the end of the wait.
        """
        report_id, question, number = key.split(":")
        now = self._clock()
        async with self._locked(report_id) as (tx, report):
            waiting = report.waiting
            is_open = report.status is Status.WAITS_FOR_REPORTER
            if not is_open or waiting.questions != int(question) or waiting.until is None:
                return
            if int(number):
                if waiting.reminders < int(number) and now < waiting.until:
                    await self._remind(tx, report, int(number), now)
                return
            if now < waiting.until:
                raise WaitUntilDue(waiting.until - now)
            await contents.set_content(tx, report.report_id, question="")
            await self._recorder.record(
                tx,
                report,
                report.go_on(now, self._deadlines),
                Decision("go_on"),
                at=now,
                actor=SYSTEM_ACTOR,
                note="no reply",
            )

    async def date_answer(self, key: str) -> None:
        """Set the date of an answer's deadline that has none, because the calendar of a year was
        missing; `key` is "report id:deadline number". Raises WaitUntilDue while it is missing."""
        report_id, deadline_number = key.split(":")
        async with self._locked(report_id) as (tx, report):
            is_moved = report.deadline_number != int(deadline_number)
            if is_moved or report.deadline is None or report.deadline.due_at is not None:
                return
            known = dated(report, self._deadlines)
            if known is report:
                raise WaitUntilDue(CALENDAR_LOOK)
            await self._recorder.record(
                tx,
                report,
                known,
                Decision("date_answer"),
                at=self._clock(),
                actor=SYSTEM_ACTOR,
                note="date set",
                tells_app=True,
            )

    @asynccontextmanager
    async def _locked(self, report_id: str) -> AsyncIterator[tuple[Tx, Report]]:
        """Begin a transaction, and lock the report with this id in the transaction."""
        async with self._db.begin(SYSTEM) as tx:
            report = await reports.get_for_update(tx, UUID(report_id))
            bind_trace(report)
            yield tx, report

    async def _remind(self, tx: Tx, report: Report, number: int, now: datetime) -> None:
        await self._recorder.record(
            tx,
            report,
            report.remind(number),
            Decision("remind", {"reminder": str(number)}),
            at=now,
            actor=SYSTEM_ACTOR,
            note=f"reminder {number}",
            tells_app=True,
        )

    async def _escalate(self, tx: Tx, report: Report, kind: DeadlineKind, step: int) -> None:
        """Take a step of the clock's ladder, counted from 1, and schedule the next step. Does
        nothing if the clock does not run, or the report was raised to a category without this
        step. Raises WaitUntilDue before the step is due."""
        now, due_at = self._clock(), report.due_of(kind)
        ladder = self._deadlines.ladder(kind, ladder_category(report, kind))
        if due_at is None or step > len(ladder):
            return
        rung = ladder[step - 1]
        moment = due_at + timedelta(minutes=rung.after_minutes)
        if now < moment:
            raise WaitUntilDue(moment - now)
        escalated = report.escalate(kind, step, rung.position)
        await self._recorder.record(
            tx,
            report,
            escalated,
            Decision("escalate", {"step": str(step), "position": rung.position}),
            at=now,
            actor=SYSTEM_ACTOR,
            note=f"overdue, {kind}, step {step}: {rung.position}",
            fact=events.report_overdue(escalated, kind, due_at, step),
        )
        await self._recorder.schedule_step(tx, escalated, kind, due_at, index=step)


def question_schedule(report: Report, days: tuple[int, ...]) -> list[tuple[str, datetime]]:
    """Return the keys of the work WAITING for the open question of a report, each with its due
    time: reminders, `days` (calendar days) after the question, and the end of the wait. Reminders
    at or after the end are left out."""
    waiting = report.waiting
    assert waiting.since is not None and waiting.until is not None
    name = f"{report.report_id}:{waiting.questions}"
    reminders = [
        (f"{name}:{number}", waiting.since + timedelta(days=day))
        for number, day in enumerate(days, 1)
        if waiting.since + timedelta(days=day) < waiting.until
    ]
    return [*reminders, (f"{name}:0", waiting.until)]
