"""Queries for the conflict check of a new fine: frames used as evidence of other fines, and other
fines of the same vehicle."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from chassis.transaction import Tx
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from fines.model.fine import ISSUED_STATES, Fine
from fines.storage.fines import to_fine
from fines.storage.tables import evidence, fines


async def lock_vehicle(tx: Tx, plate_index: bytes) -> None:
    """Lock the plate until the transaction ends. Meanwhile no other transaction can decide about
    fines of this plate. `plate_index` is the plate's blind index (keyed hash)."""
    name = f"fines:plate:{plate_index.hex()}"
    await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


async def claim_evidence(tx: Tx, number: str, frames: Iterable[str]) -> None:
    """Record frames (SHA-256 in hex) as evidence of the fine `number`. A frame already recorded for
    another fine stays with that fine. A concurrent call with the same frames waits until this
    transaction ends."""
    # In one order, so that two that share several frames never wait for each other.
    rows = [{"sha256": sha256, "number": number} for sha256 in sorted(frames)]
    if rows:
        await tx.execute(insert(evidence).on_conflict_do_nothing(), rows)


async def fines_on_evidence(tx: Tx, number: str, frames: Iterable[str]) -> tuple[str, ...]:
    """Return the numbers of all other fines that have any of these frames (SHA-256 in hex) as
    evidence. Cancelled fines are included; the fine `number` itself is not."""
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
    """Return the vehicle's fines that were issued and are not cancelled, for offences at most
    `within` before or after `around`. The earliest issued comes first. `plate_index` is the plate's
    blind index (keyed hash)."""
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
