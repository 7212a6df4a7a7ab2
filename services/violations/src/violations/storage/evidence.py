"""Which violation a piece of evidence belongs to: exactly one, for ever."""

from collections.abc import Collection
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from violations.storage.tables import evidence_uses


async def uses_of(tx: Tx, hashes: Collection[str]) -> dict[str, UUID]:
    """Which of these SHA-256 (hex) belong to a violation, and to which.

    Locks them all: until this transaction ends no other assigns any of them.
    """
    for sha256 in sorted(set(hashes)):
        await tx.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:sha256, 3))"), {"sha256": sha256}
        )
    query = select(evidence_uses).where(evidence_uses.c.sha256.in_(hashes))
    return {row.sha256: row.violation_id for row in await tx.execute(query)}


async def use(tx: Tx, violation_id: UUID, hashes: Collection[str]) -> None:
    """Assigns evidence to the violation. None of it may be assigned yet: call `uses_of` first."""
    rows = [{"sha256": sha256, "violation_id": violation_id} for sha256 in sorted(set(hashes))]
    if rows:
        await tx.execute(insert(evidence_uses).values(rows))
