"""Storage of degradations and of the reads that are held during degradations."""

from datetime import datetime
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from violations.model import Caution, Source, State
from violations.storage.tables import degradations, reads, violations


async def lock_shared(tx: Tx) -> None:
    """Take a shared lock until this transaction ends. While any transaction holds the lock, no
    other transaction can store the start or end of a degradation."""
    await tx.execute(text("SELECT pg_advisory_xact_lock_shared(hashtextextended('pauses', 2))"))


async def lock_exclusive(tx: Tx) -> None:
    """Take the exclusive lock that is needed to store the start or end of a degradation. Waits for
    all transactions that called `lock_shared`, and blocks new calls until this transaction ends."""
    await tx.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('pauses', 2))"))


async def add_degradation(tx: Tx, degradation_id: UUID, *, since: datetime, now: datetime) -> bool:
    """Store a degradation. Returns False if it is already stored."""
    new = insert(degradations).values(degradation_id=degradation_id, since=since, told_at=now)
    return bool((await tx.execute(new.on_conflict_do_nothing())).rowcount)


async def end_degradation(tx: Tx, degradation_id: UUID, recovered_at: datetime) -> None:
    await tx.execute(
        update(degradations)
        .where(degradations.c.degradation_id == degradation_id)
        .values(recovered_at=recovered_at)
    )


async def open_degradation(tx: Tx) -> UUID | None:
    query = select(degradations.c.degradation_id).where(degradations.c.recovered_at.is_(None))
    found: UUID | None = await tx.scalar(query.limit(1))
    return found


async def paused_since(tx: Tx) -> datetime | None:
    query = select(func.min(degradations.c.since)).where(degradations.c.recovered_at.is_(None))
    found: datetime | None = await tx.scalar(query)
    return found


async def was_degraded(tx: Tx, moment: datetime) -> bool:
    query = select(degradations.c.degradation_id).where(
        degradations.c.since <= moment, degradations.c.recovered_at > moment
    )
    return await tx.scalar(query.limit(1)) is not None


async def hold_read(tx: Tx, read_id: UUID, degradation_id: UUID) -> None:
    await tx.execute(update(reads).where(reads.c.read_id == read_id).values(held_by=degradation_id))


async def held_reads(tx: Tx, *, after: UUID | None, limit: int) -> list[UUID]:
    query = select(reads.c.read_id).where(_HELD).order_by(reads.c.read_id).limit(limit)
    if after is not None:
        query = query.where(reads.c.read_id > after)
    return list((await tx.execute(query)).scalars())


async def count_held(tx: Tx) -> int:
    return int(await tx.scalar(select(func.count()).select_from(reads).where(_HELD)))


_HELD = reads.c.held_by.is_not(None) & reads.c.outcome.is_(None)


async def caution_since(tx: Tx, since: datetime, caution: Caution) -> int:
    """Set a caution on the violations in review that devices detected at or after `since`.
    Violations that already have this caution are left unchanged. Return the number of violations
    changed.

    Each changed violation gets a new version. Decisions prepared for the earlier version are then
    refused.
    """
    changed = await tx.execute(
        update(violations)
        .where(
            violations.c.state == State.REVIEW.value,
            violations.c.caution != caution.value,
            violations.c.source == Source.DEVICE.value,
            violations.c.detected_at >= since,
        )
        .values(caution=caution.value, version=violations.c.version + 1)
    )
    return int(changed.rowcount)
