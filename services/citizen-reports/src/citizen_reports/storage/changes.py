"""Numbers and reads the changes of reports; `storage.reports` adds them without numbers.

The changes of each partner are numbered from 1 without gaps. A change gets its number after it was
committed, in a later transaction. Only one transaction at a time assigns numbers. So whoever can
read a change can also read the partner's changes with lower numbers. Transactions that change
reports need not wait for numbers.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Database
from chassis.transaction import SYSTEM, Tx
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from statements.reads import Read

from citizen_reports.model.own_ids import id_of_app
from citizen_reports.model.statuses import Status
from citizen_reports.storage.tables import changes, partner_sequences

_TO_NUMBER = changes.c.sequence.is_(None)
_IS_ANY_NEW = Read(select(select(changes.c.position).where(_TO_NUMBER).exists().label("is_any")))
_LAST = Read(select(partner_sequences))
_LOCK_COUNTERS = select(partner_sequences).order_by(partner_sequences.c.partner).with_for_update()


def _numbering() -> Any:
    """Number all changes that have no number, and store the last number of each partner."""
    counter = partner_sequences.c
    place = func.row_number().over(partition_by=changes.c.partner, order_by=changes.c.position)
    number = func.coalesce(counter.last, 0) + place
    new = (
        select(changes.c.position, number.label("number"))
        .select_from(changes.outerjoin(partner_sequences, counter.partner == changes.c.partner))
        .where(_TO_NUMBER)
        .subquery("new")
    )
    # What somebody else has numbered meanwhile, for a partner without a counter yet, stays.
    numbered = (
        update(changes)
        .where(changes.c.position == new.c.position, _TO_NUMBER)
        .values(sequence=new.c.number)
        .returning(changes.c.partner, changes.c.sequence)
        .cte("numbered")
    )
    last = select(numbered.c.partner, func.max(numbered.c.sequence)).group_by(numbered.c.partner)
    added = insert(partner_sequences).from_select(["partner", "last"], last)
    return added.on_conflict_do_update(
        index_elements=["partner"], set_={"last": added.excluded.last}
    )


_NUMBER = _numbering()


@dataclass(frozen=True)
class Change:
    sequence: int
    # As the app made it.
    report_id: UUID
    number: str
    status: Status
    outcome: str
    changed_at: datetime


async def number_new(db: Database) -> None:
    """Number all committed changes that have no number yet."""
    [row] = await db.read(SYSTEM, _IS_ANY_NEW)
    if row.is_any:
        async with db.begin(SYSTEM) as tx:
            await tx.execute(_LOCK_COUNTERS)
            # A statement of its own, so that it sees what the last holder of the locks has done.
            await tx.execute(_NUMBER)


async def changes_after(tx: Tx, partner: str, sequence: int, limit: int) -> list[Change]:
    rows = await tx.execute(
        select(changes)
        .where(changes.c.partner == partner, changes.c.sequence > sequence)
        .order_by(changes.c.sequence)
        .limit(limit)
    )
    return [
        Change(
            row.sequence,
            id_of_app(row.report_id, partner),
            row.number,
            Status(row.status),
            row.outcome,
            row.changed_at,
        )
        for row in rows
    ]


async def last_sequences(db: Database) -> dict[str, int]:
    """Return the number of each partner's last change; partners without changes are omitted."""
    return {row.partner: row.last for row in await db.read(SYSTEM, _LAST)}
