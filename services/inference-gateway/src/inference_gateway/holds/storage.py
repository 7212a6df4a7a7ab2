"""The database table of holds, and its SQL statements. All need the scope SYSTEM."""

from datetime import datetime
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import Column, DateTime, MetaData, Table, Uuid, func, select, update
from sqlalchemy.dialects.postgresql import insert

from inference_gateway.frames.storage import frames
from inference_gateway.holds.model import EvidenceHold

_metadata = MetaData()
_moment = DateTime(timezone=True)

evidence_holds = Table(
    "evidence_holds",
    _metadata,
    Column("hold_id", Uuid, primary_key=True),
    Column("camera_id", Uuid),
    Column("held_from", _moment),
    Column("held_until", _moment),
    Column("placed_at", _moment),
    # NULL while it holds.
    Column("released_at", _moment),
)


async def add_hold(tx: Tx, hold: EvidenceHold, at: datetime) -> bool:
    """Store a hold that is placed at `at`; return False if there is one with its id."""
    row = {
        "hold_id": hold.hold_id,
        "camera_id": hold.camera_id,
        "held_from": hold.held_from,
        "held_until": hold.held_until,
        "placed_at": at,
    }
    added = await tx.execute(insert(evidence_holds).values(row).on_conflict_do_nothing())
    return bool(added.rowcount)


async def hold_with_id(tx: Tx, hold_id: UUID) -> EvidenceHold:
    """Return a stored hold, whether it still holds or not."""
    query = select(evidence_holds).where(evidence_holds.c.hold_id == hold_id)
    row = (await tx.execute(query)).one()
    return EvidenceHold(row.hold_id, row.camera_id, row.held_from, row.held_until)


async def release_hold(tx: Tx, hold_id: UUID, at: datetime) -> bool:
    """Record that a hold was released at `at`; return False if there is none that holds."""
    ended = await tx.execute(
        update(evidence_holds)
        .where(evidence_holds.c.hold_id == hold_id, evidence_holds.c.released_at.is_(None))
        .values(released_at=at)
    )
    return bool(ended.rowcount)


async def count_frames(tx: Tx, hold: EvidenceHold) -> int:
    """Return how many frames of the hold's camera and window have evidence now."""
    query = select(func.count()).where(
        frames.c.camera_id == hold.camera_id,
        frames.c.captured_at.between(hold.held_from, hold.held_until),
        frames.c.evidence_sha256.is_not(None),
    )
    return int(await tx.scalar(query))
