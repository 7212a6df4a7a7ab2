"""Numbers the changes of reports, and reads them; `storage.reports` adds changes without numbers.

The changes of each partner are numbered from 1 without gaps. A change gets its number in a later
transaction than the one that added it, and only one transaction at a time assigns numbers. So
whoever can read a change can also read all changes of its partner with lower numbers, and
transactions that change reports need not wait for the numbering.
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
    """The statement that numbers all changes without a number, and updates `partner_sequences`."""
    counter = partner_sequences.c
    place = func.row_number().over(partition_by=changes.c.partner, order_by=changes.c.position)
    number = func.coalesce(counter.last, 0) + place
    new = (
        select(changes.c.position, number.label("number"))
        .select_from(changes.outerjoin(partner_sequences, counter.partner == changes.c.partner))
        .where(_TO_NUMBER)
        .subquery("new")
    )
    # A partner without a counter has no row to lock: its changes may have been numbered meanwhile.
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
    # The id that the app chose, from which the stored id may differ (see `own_ids`).
    report_id: UUID
    number: str
    status: Status
    outcome: str
    changed_at: datetime


async def number_new(db: Database) -> None:
    """Assign numbers to all changes, of all partners, that were committed without a number."""
    [row] = await db.read(SYSTEM, _IS_ANY_NEW)
    if row.is_any:
        async with db.begin(SYSTEM) as tx:
            await tx.execute(_LOCK_COUNTERS)
            # Not in one statement with the locks: it must see what their last holder has written.
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
    """Return the number of the last numbered change of each partner, by partner."""
    return {row.partner: row.last for row in await db.read(SYSTEM, _LAST)}
