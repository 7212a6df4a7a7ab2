"""Stores which evidence belongs to which violation. Each picture or film, known by its SHA-256,
belongs permanently to at most one violation."""

from collections.abc import Collection
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from violations.storage.tables import evidence_uses


async def uses_of(tx: Tx, hashes: Collection[str]) -> dict[str, UUID]:
    """Return the id of the violation to which each piece of evidence is assigned, by SHA-256 (hex).
    Evidence that is not assigned is left out.

    Locks all the hashes, so that no concurrent transaction can assign any of them before this
    transaction ends.
    """
    for sha256 in sorted(set(hashes)):
        await tx.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:sha256, 3))"), {"sha256": sha256}
        )
    query = select(evidence_uses).where(evidence_uses.c.sha256.in_(hashes))
    return {row.sha256: row.violation_id for row in await tx.execute(query)}


async def use(tx: Tx, violation_id: UUID, hashes: Collection[str]) -> None:
    """Assign evidence, by its SHA-256 (hex), to a violation. None of the hashes may be assigned
    already: call `uses_of` first, which also locks them."""
    rows = [{"sha256": sha256, "violation_id": violation_id} for sha256 in sorted(set(hashes))]
    if rows:
        await tx.execute(insert(evidence_uses).values(rows))
