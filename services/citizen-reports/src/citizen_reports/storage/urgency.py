"""Stores urgency reasons (dangers and the reporter's words), encrypted with the report's key."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from chassis.tables import data_keys
from chassis.transaction import Tx
from sqlalchemy import select
from vault.keyring import DataKey

from citizen_reports.model.danger_words import Reason
from citizen_reports.model.report import Report
from citizen_reports.model.statuses import Urgency
from citizen_reports.storage.contents import REPORT
from citizen_reports.storage.tables import contents, urgency_reasons


def add_reasons(tx: Tx, report: Report, reasons: Sequence[Reason], key: DataKey | None) -> None:
    """Add urgency reasons of a report. `key` is the report's data key; if it was destroyed, pass
    None, and nothing is stored."""
    if not reasons or key is None:
        return
    content = json.dumps([[reason.danger, reason.words] for reason in reasons])
    row = {
        "report_id": report.report_id,
        "partner": report.partner,
        "sealed": key.seal(content, _place_of(report.report_id)),
    }
    tx.add(urgency_reasons, row)


async def reasons_of(tx: Tx, report_id: UUID, key: DataKey | None) -> tuple[Reason, ...]:
    """Return all urgency reasons of a report, in the order in which they were added. `key` is the
    report's data key; if it was destroyed, pass None, and () is returned."""
    query = select(urgency_reasons.c.sealed).where(urgency_reasons.c.report_id == report_id)
    rows = (await tx.execute(query.order_by(urgency_reasons.c.position))).scalars()
    return _opened(report_id, rows, key)


async def reasons_to_judge(tx: Tx, listed: Iterable[Report]) -> dict[UUID, tuple[Reason, ...]]:
    """Return, by report id, the urgency reasons of the `listed` reports with urgency PROPOSED."""
    wanted = [report.report_id for report in listed if report.urgency is Urgency.PROPOSED]
    if not wanted:
        return {}
    query = (
        select(
            urgency_reasons.c.report_id,
            urgency_reasons.c.sealed,
            contents.c.key_id,
            data_keys.c.wrapped,
        )
        .join(contents, contents.c.report_id == urgency_reasons.c.report_id)
        .join(data_keys, data_keys.c.key_id == contents.c.key_id)
        .where(urgency_reasons.c.report_id.in_(wanted))
        .order_by(urgency_reasons.c.position)
    )
    found = defaultdict[UUID, tuple[Reason, ...]](tuple)
    for row in await tx.execute(query):
        key = tx.keys.unwrapped(REPORT, row.key_id, row.wrapped)
        found[row.report_id] += _opened(row.report_id, [row.sealed], key)
    return found


def _opened(report_id: UUID, sealed: Iterable[bytes], key: DataKey | None) -> tuple[Reason, ...]:
    if key is None:
        return ()
    texts = (key.open_text(each, _place_of(report_id)) for each in sealed)
    return tuple(Reason(danger, words) for text in texts for danger, words in json.loads(text))


def _place_of(report_id: UUID) -> str:
    return f"urgency_reasons.sealed:{report_id}"
