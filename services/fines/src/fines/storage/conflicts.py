"""Storage of what a new fine is compared with: used frames and other fines of the vehicle."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from chassis.transaction import Tx
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from fines.model.fine import ISSUED_STATES, Fine
from fines.storage.fines import to_fine
from fines.storage.tables import evidence, fines


async def lock_vehicle(tx: Tx, plate_index: bytes) -> None:
    """Lock the plate until the transaction ends, against concurrent decisions about its fines."""
    name = f"fines:plate:{plate_index.hex()}"
    await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


async def claim_evidence(tx: Tx, number: str, frames: Iterable[str]) -> None:
    """Record frames (SHA-256, hex) under a fine; a frame that another fine has claimed is left
    unchanged. A concurrent claim of the same frames waits until this transaction ends."""
    # In one order, so that two that share several frames never wait for each other.
    rows = [{"sha256": sha256, "number": number} for sha256 in sorted(frames)]
    if rows:
        await tx.execute(insert(evidence).on_conflict_do_nothing(), rows)


async def fines_on_evidence(tx: Tx, number: str, frames: Iterable[str]) -> tuple[str, ...]:
    """Numbers of other fines, including cancelled fines, that have claimed any of these frames."""
    found = await tx.execute(
        select(evidence.c.number)
        .where(evidence.c.sha256.in_(list(frames)), evidence.c.number != number)
        .distinct()
        .order_by(evidence.c.number)
    )
    return tuple(found.scalars())


async def fines_of_vehicle(
    tx: Tx, plate_index: bytes, *, around: datetime, within: timedelta
) -> list[Fine]:
    """Issued, not cancelled fines of the vehicle whose offence is at most `within` before or
    after `around`; the earliest issued first."""
    rows = await tx.execute(
        select(fines)
        .where(
            fines.c.plate_index == plate_index,
            fines.c.occurred_at.between(around - within, around + within),
            fines.c.state.in_([state.value for state in ISSUED_STATES]),
        )
        .order_by(fines.c.issued_at, fines.c.number)
    )
    return [to_fine(row) for row in rows]
