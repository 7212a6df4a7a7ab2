"""Reads the changes of each partner's reports, a sequence without gaps (`reports` writes them)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import select

from citizen_reports.model.report import Status
from citizen_reports.storage.tables import changes, partner_sequences


@dataclass(frozen=True)
class Change:
    sequence: int
    report_id: UUID
    number: str
    status: Status
    outcome: str
    changed_at: datetime


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
