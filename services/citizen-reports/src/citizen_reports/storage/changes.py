"""The changes of each partner's reports, which form a sequence without gaps.

Drawing a sequence number locks the partner's counter row until the transaction ends, so no lower
sequence number is committed after a higher number was read. All reports of a partner wait in line
for that row: it is locked as late as possible.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.sql.dml import ReturningInsert

from citizen_reports.model.report import Report, Status
from citizen_reports.storage.tables import changes, partner_sequences


@dataclass(frozen=True)
class Change:
    sequence: int
    report_id: UUID
    number: str
    status: Status
    outcome: str
    changed_at: datetime


def counting(added: Insert) -> ReturningInsert[Any]:
    """Add to the partner's counter the `last` of an added row; return the last number drawn."""
    last = partner_sequences.c.last + added.excluded.last
    return added.on_conflict_do_update(index_elements=["partner"], set_={"last": last}).returning(
        partner_sequences.c.last
    )


_DRAW = counting(insert(partner_sequences))


async def next_sequence(tx: Tx, partner: str) -> int:
    """Draw the sequence number of one change, which locks the partner's counter."""
    drawn = await tx.execute(_DRAW, {"partner": partner, "last": 1})
    return int(drawn.scalar_one())


def add_change(tx: Tx, report: Report, at: datetime, sequence: int) -> None:
    row = {
        "partner": report.partner,
        "sequence": sequence,
        "report_id": report.report_id,
        "number": report.number,
        "status": report.status.value,
        "outcome": report.outcome,
        "changed_at": at,
    }
    tx.add(changes, row)


async def changes_after(tx: Tx, partner: str, sequence: int, limit: int) -> list[Change]:
    rows = await tx.execute(
        select(changes)
        .where(changes.c.partner == partner, changes.c.sequence > sequence)
        .order_by(changes.c.sequence)
        .limit(limit)
    )
    return [
        Change(
            row.sequence, row.report_id, row.number, Status(row.status), row.outcome, row.changed_at
        )
        for row in rows
    ]


async def last_sequence(tx: Tx, partner: str) -> int:
    query = select(partner_sequences.c.last).where(partner_sequences.c.partner == partner)
    return await tx.scalar(query) or 0


async def all_last_sequences(tx: Tx) -> dict[str, int]:
    rows = await tx.execute(select(partner_sequences))
    return {row.partner: row.last for row in rows}
