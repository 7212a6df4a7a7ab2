"""Stores and audits an answer to a report, and schedules the closing of the report."""

from datetime import datetime, timedelta

from audit_log.decisions import Decision
from chassis.transaction import Tx

from citizen_reports.model.deadlines import Deadlines
from citizen_reports.model.decided import ANSWER
from citizen_reports.model.report import Report
from citizen_reports.storage import contents
from citizen_reports.usecases.recording import CLOSE, ReportRecorder


async def record_answer(
    tx: Tx,
    recorder: ReportRecorder,
    deadlines: Deadlines,
    report: Report,
    answered: Report,
    answer: str,
) -> None:
    """Store and audit the text `answer`; `report` and `answered` are the report before and after.

    The partner's app gets a change. The reporter may dispute the answer for the `dispute_days` of
    the legal table, after which scheduled work closes the report.
    """
    assert answered.answered_at is not None
    now: datetime = answered.answered_at
    sealed = await contents.seal_answer(tx, report.report_id, answer)
    facts = {"outcome": answered.closing_outcome}
    decision = Decision("answer", facts, beside={ANSWER: sealed})
    actor = answered.answered_by
    entry = await recorder.record(tx, report, answered, decision, at=now, actor=actor, note=answer)
    await contents.save_answer(tx, sealed, entry)
    close_at = now + timedelta(days=deadlines.table.dispute_days)
    await tx.schedule(CLOSE, f"{report.report_id}:{answered.version}", close_at)
