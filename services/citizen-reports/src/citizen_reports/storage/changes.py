"""What partners watch: their reports' changes in one sequence each, without gaps.

The counter row of a partner is taken by whoever writes a change and held until that transaction
ends. So a lower sequence is never committed after a higher one was seen.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

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


async def add_change(tx: Tx, report: Report, at: datetime) -> None:
    sequence = await tx.scalar(
        insert(partner_sequences)
        .values(partner=report.partner, last=1)
        .on_conflict_do_update(
            index_elements=["partner"], set_={"last": partner_sequences.c.last + 1}
        )
        .returning(partner_sequences.c.last)
    )
    await tx.execute(
        insert(changes).values(
            partner=report.partner,
            sequence=sequence,
            report_id=report.report_id,
            number=report.number,
            status=report.status.value,
            outcome=report.outcome,
            changed_at=at,
        )
    )


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
