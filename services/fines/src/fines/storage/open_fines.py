"""Queries for the fines whose legal dates may be recomputed (delivered, in force or overdue), in
order of number."""

from chassis.transaction import Tx
from sqlalchemy import ColumnElement, func, select

from fines.model.fine import Fine
from fines.model.redating import REDATED
from fines.storage.fines import to_fine
from fines.storage.tables import fines


async def count(tx: Tx, after: str) -> int:
    return int(await tx.scalar(select(func.count()).select_from(fines).where(_open(after))))


async def numbers(tx: Tx, after: str, limit: int) -> list[str]:
    rows = await tx.execute(
        select(fines.c.number).where(_open(after)).order_by(fines.c.number).limit(limit)
    )
    return list(rows.scalars())


async def get_for_update(tx: Tx, number: str) -> Fine | None:
    """Return the fine and lock its row. Returns None if the fine is no longer delivered, in force
    or overdue."""
    query = select(fines).where(fines.c.number == number, _open("")).with_for_update()
    row = (await tx.execute(query)).one_or_none()
    return to_fine(row) if row else None


def _open(after: str) -> ColumnElement[bool]:
    states = [state.value for state in REDATED]
    return fines.c.state.in_(states) & (fines.c.number > after)
