"""Records a decision on a report in one transaction.

The transaction stores the changed report, a step of the report's history, an event and, if the app
is to be told, a change. If the decision sets a new deadline, the warning before the deadline and
the first escalation after it are scheduled.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from audit_log.decisions import Decision, EntryOfRecord
from chassis import telemetry
from chassis.event import Event
from chassis.transaction import Tx
from law.report_deadlines import Deadline
from vault.keyring import DataKey

from citizen_reports import events
from citizen_reports.model.deadlines import DeadlineKind, Deadlines
from citizen_reports.model.numbers import drawn_numbers
from citizen_reports.model.receipt import Receipt
from citizen_reports.model.report import Report
from citizen_reports.model.urgency import ladder_category
from citizen_reports.storage import contents, reports, text_index

DEADLINE = "deadline"
RESPONSE = "response"
DUE_SOON = "due_soon"
DATE_ANSWER = "date_answer"
CLOSE = "close"
FOLLOW_PARENT = "follow_parent"
REPORTER = "reporter"
SYSTEM_ACTOR = "system"
# The time between two attempts to date an answer whose calendar is missing.
CALENDAR_LOOK = timedelta(hours=6)  # tidy: our own promise, not a term


def bind_trace(report: Report) -> None:
    """Annotate the current trace span with the report's number (before submission, its id), and
    link the call's further spans to the report's story (the trace id with which the case began)."""
    telemetry.annotate(report=report.name)
    telemetry.bind_story(report.story)


def audit(tx: Tx, action: str, report: Report, **facts: str) -> None:
    """Record an action on a report, such as reading it, in the audit log with `facts`. For a
    decision on a report, use `ReportRecorder.record`."""
    tx.audit(
        action,
        report.object_ref,
        region=report.region,
        facts=facts,
        confidential=report.is_confidential,
    )


@dataclass(frozen=True)
class _Outcome:
    """What a decision writes: the changed report, who decided, the event, the note of the step, and
    whether the app gets a change even if status and outcome stay."""

    after: Report
    actor: str
    fact: Event
    note: str = ""
    tells_app: bool = False


class ReportRecorder:
    """Records decisions for every use case that changes a registered report."""

    def __init__(
        self, deadlines: Deadlines, *, draw: Callable[[int], int] = secrets.randbelow
    ) -> None:
        """`draw` returns a random serial number below its argument, for a report's number."""
        self._deadlines = deadlines
        self._draw = draw

    async def record(
        self,
        tx: Tx,
        before: Report,
        after: Report,
        decision: Decision,
        *,
        at: datetime,
        actor: str,
        note: str = "",
        fact: Event | None = None,
        tells_app: bool = False,
    ) -> EntryOfRecord:
        """Store and audit the decision that changed the report from `before` to `after`. Returns
        the audit entry of the decision. `tx` must have locked the report.

        `actor`, `at` and `note` go into the step of the report's history. The published event is
        `fact`, or `status_changed` for None. The app gets a change if status or outcome differ, or
        with `tells_app`. Raises KeyError for a note if the report's key was destroyed.
        """
        key = await contents.report_key(tx, after.report_id) if note else None
        entry = await reports.save_report(tx, before, after, decision)
        await text_index.follow(tx, before, after)
        event = fact or events.status_changed(after, at)
        outcome = _Outcome(after, actor, event, note, tells_app)
        await self._add(tx, before, outcome, at=at, key=key)
        return entry

    def numbers(self, report: Report, at: datetime) -> Iterator[str]:
        """Yield random numbers for a report registered at `at`. If another report has a yielded
        number already, take the next. Raises RuntimeError after DRAWS_MAX numbers."""
        return drawn_numbers(report.region, at, self._draw)

    async def register(
        self, tx: Tx, report: Report, receipt: Receipt, key: DataKey | None, *, waits: bool
    ) -> Report:
        """Store the report as registered and routed, and return it in that state. `key` is the
        report's data key.

        If the report has changed meanwhile, nothing is stored and `tx.was_current` is False. With
        `waits`, the end of `tx` waits for a transaction that has locked the report; otherwise a
        locked report counts as changed. If another report has the receipt's number, the end of `tx`
        raises RowExists with a key in `reports.NUMBER_KEYS`.
        """
        registered = report.submit(receipt)
        routed = registered.route(receipt.unit)
        reports.register(tx, report, routed, waits=waits)
        await self._add_registration(tx, report, registered, routed, key)
        return routed

    async def register_new(
        self, tx: Tx, report: Report, receipt: Receipt, key: DataKey | None
    ) -> Report:
        """Store a report that was not stored as a draft before, as registered and routed, and
        return it in that state. `key` is the report's data key.

        If any partner already has a report with this id, the end of `tx` raises RowExists with the
        key `reports.KEY`; if another report has the receipt's number, one in `reports.NUMBER_KEYS`.
        """
        registered = report.submit(receipt)
        routed = registered.route(receipt.unit)
        reports.add_registered(tx, routed)
        await self._add_registration(tx, report, registered, routed, key)
        return routed

    async def _add_registration(
        self, tx: Tx, report: Report, registered: Report, routed: Report, key: DataKey | None
    ) -> None:
        """Write the steps, changes and events of a report that is registered and then routed."""
        assert routed.receipt is not None
        at = routed.receipt.registered_at
        outcome = _Outcome(registered, REPORTER, events.report_received(registered))
        await self._add(tx, report, outcome, at=at, key=key)
        note = routed.receipt.routed_by or routed.unit
        outcome = _Outcome(routed, SYSTEM_ACTOR, events.report_routed(routed, at), note)
        await self._add(tx, registered, outcome, at=at, key=key)

    async def _add(
        self,
        tx: Tx,
        before: Report,
        outcome: _Outcome,
        *,
        at: datetime,
        key: DataKey | None,
    ) -> None:
        """Write the step and the event of a decision, and a change if the app is to be told; then
        schedule the work on a parent's followers and on a new deadline."""
        after = outcome.after
        contents.add_step(tx, after, actor=outcome.actor, at=at, note=outcome.note, key=key)
        is_changed = after.status != before.status or after.outcome != before.outcome
        if is_changed or outcome.tells_app:
            reports.add_change(tx, after, at)
        tx.emit(outcome.fact)
        if after.is_parent:
            await tx.schedule(FOLLOW_PARENT, f"{after.report_id}:{after.version}", at)
        if after.parent is not None:  # only the parent's clocks run
            return
        is_left = before.parent is not None and after.response_due_at is not None
        if after.response is not None and (after.response != before.response or is_left):
            if before.response is not None:  # warning and escalation were scheduled before
                await self._move_response(tx, after, after.response, at)
            else:
                await self._start(tx, after, DeadlineKind.RESPONSE, after.response, at)
        if after.deadline is not None and after.deadline_number != before.deadline_number:
            await self._start(tx, after, DeadlineKind.ANSWER, after.deadline, at)

    async def schedule_step(
        self, tx: Tx, report: Report, kind: DeadlineKind, due_at: datetime, *, index: int = 0
    ) -> None:
        """Schedule a step of the report's escalation after the clock `kind` ends at `due_at`.

        The legal tables list the steps, each with its delay after the deadline. `index` counts the
        steps from 0. Does nothing if there is no such step.
        """
        ladder = self._deadlines.ladder(kind, ladder_category(report, kind))
        if index >= len(ladder):
            return
        step = ladder[index]
        at = due_at + timedelta(minutes=step.after_minutes)
        if kind is DeadlineKind.RESPONSE:
            await tx.schedule(RESPONSE, f"{report.report_id}:{step.step}", at)
        else:
            key = f"{report.report_id}:{report.deadline_number}:{step.step}"
            await tx.schedule(DEADLINE, key, at)

    async def _move_response(
        self, tx: Tx, report: Report, response: Deadline, at: datetime
    ) -> None:
        """Move the warning and the first escalation, since the response's clock starts at `at`."""
        assert response.due_at is not None
        category = ladder_category(report, DeadlineKind.RESPONSE)
        step = self._deadlines.ladder(DeadlineKind.RESPONSE, category)[0]
        due_at = response.due_at + timedelta(minutes=step.after_minutes)
        await tx.reschedule(RESPONSE, f"{report.report_id}:{step.step}", due_at)
        key = f"{report.report_id}:{DeadlineKind.RESPONSE}:{report.deadline_number}"
        warn_at = self._deadlines.table.warn_at(at, response.due_at)
        await tx.reschedule(DUE_SOON, key, warn_at)

    async def _start(
        self, tx: Tx, report: Report, kind: DeadlineKind, deadline: Deadline, at: datetime
    ) -> None:
        """Schedule the warning and the first escalation of a clock that starts at `at`. If the
        deadline has no date, schedule the work that dates the answer once the calendar is known."""
        if deadline.due_at is None:
            key = f"{report.report_id}:{report.deadline_number}"
            await tx.schedule(DATE_ANSWER, key, at + CALENDAR_LOOK)
            return
        key = f"{report.report_id}:{kind}:{report.deadline_number}"
        await tx.schedule(DUE_SOON, key, self._deadlines.table.warn_at(at, deadline.due_at))
        await self.schedule_step(tx, report, kind, deadline.due_at)
