"""Records a decision on a report in one transaction.

The changed report, a step of its history, a change for the partner's app and an event are stored.
If the decision sets a new deadline, the first escalation after that deadline is scheduled.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from audit_log.decisions import Decision, EntryOfRecord
from chassis import telemetry
from chassis.event import Event
from chassis.transaction import Tx
from vault.keyring import DataKey

from citizen_reports import events
from citizen_reports.model.deadlines import Deadlines
from citizen_reports.model.numbers import drawn_numbers
from citizen_reports.model.report import Receipt, Report
from citizen_reports.storage import contents, reports

DEADLINE = "deadline"
CLOSE = "close"
REPORTER = "reporter"
SYSTEM_ACTOR = "system"


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
    """What a decision made of a report: the report, by whom, its event, a note for its step."""

    after: Report
    actor: str
    fact: Event
    note: str = ""


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
    ) -> EntryOfRecord:
        """Store and audit the decision that changed the report from `before` to `after`. Returns
        the audit entry of the decision.

        `actor`, `at` and `note` become part of the step in the report's history. The published
        event is `fact` if given, else `status_changed`.
        """
        key = await contents.report_key(tx, after.report_id) if note else None
        entry = await reports.save_report(tx, before, after, decision)
        outcome = _Outcome(after, actor, fact or events.status_changed(after, at), note)
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
        """Add what is written beside a report that is registered and then routed."""
        assert routed.receipt is not None
        at = routed.receipt.registered_at
        outcome = _Outcome(registered, REPORTER, events.report_received(registered))
        await self._add(tx, report, outcome, at=at, key=key)
        outcome = _Outcome(routed, SYSTEM_ACTOR, events.report_routed(routed, at), routed.unit)
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
        """Add what a decision writes beside the report. If the report's partner is to be told, this
        includes a change."""
        after = outcome.after
        contents.add_step(tx, after, actor=outcome.actor, at=at, note=outcome.note, key=key)
        if after.status != before.status or after.outcome != before.outcome:
            reports.add_change(tx, after, at)
        tx.emit(outcome.fact)
        if after.deadline_number != before.deadline_number:
            await self.start_clock(tx, after)

    async def start_clock(self, tx: Tx, report: Report, *, step_index: int = 0) -> None:
        """Schedule an escalation of the report, which takes effect if the report is overdue. The
        legal tables list the steps of escalation, each with its delay after the deadline.
        `step_index` counts these steps from 0. Does nothing if there is no such step or the report
        has no deadline."""
        ladder = self._deadlines.table.ladder(emergency=report.is_emergency)
        if report.deadline is None or step_index >= len(ladder):
            return
        step = ladder[step_index]
        key = f"{report.report_id}:{report.deadline_number}:{step.step}"
        due_at = report.deadline.due_at + timedelta(minutes=step.after_minutes)
        await tx.schedule(DEADLINE, key, due_at)
