"""Which violation a piece of evidence belongs to: exactly one, for ever."""

from collections.abc import Collection
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from violations.storage.tables import evidence_uses


async def uses_of(tx: Tx, hashes: Collection[str]) -> dict[str, UUID]:
    """SHA-256 → violation, of those that stand in one. Until this transaction ends nobody else puts
    any of them into one."""
    for sha256 in sorted(set(hashes)):
        await tx.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:sha256, 3))"), {"sha256": sha256}
        )
    query = select(evidence_uses).where(evidence_uses.c.sha256.in_(hashes))
    return {row.sha256: row.violation_id for row in await tx.execute(query)}


async def use(tx: Tx, violation_id: UUID, hashes: Collection[str]) -> None:
    """Requires that none of them is used: see uses_of."""
    rows = [{"sha256": sha256, "violation_id": violation_id} for sha256 in sorted(set(hashes))]
    if rows:
        await tx.execute(insert(evidence_uses).values(rows))
