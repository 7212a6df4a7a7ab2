"""The database tables of quarantined frames, and their SQL statements."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    delete,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert

from inference_gateway.quarantine.model import Quarantined

_metadata = MetaData()
_moment = DateTime(timezone=True)

quarantine = Table(
    "quarantine",
    _metadata,
    Column("quarantine_id", Uuid, primary_key=True),
    Column("camera_id", Uuid),
    Column("region", Text),
    Column("sender", Text),
    Column("reason", Text),
    Column("frame_id", Uuid),
    Column("captured_at", _moment),
    Column("picture_sha256", LargeBinary),
    Column("signed_sha256", LargeBinary),
    Column("counter", BigInteger),
    Column("counter_before", BigInteger),
    Column("device_time", _moment),
    Column("story", Text),
    Column("arrived_at", _moment),
)
quarantine_days = Table(
    "quarantine_days",
    _metadata,
    Column("sender", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("arrived", BigInteger),
)


async def count(tx: Tx, one: Quarantined) -> int:
    """Count a suspicious frame. Return the number of suspicious frames from this sender on this day
    (UTC), including the frame itself."""
    new = insert(quarantine_days).values(sender=one.sender, day=one.day, arrived=1)
    counted = await tx.execute(
        new.on_conflict_do_update(
            index_elements=["sender", "day"], set_={"arrived": quarantine_days.c.arrived + 1}
        ).returning(quarantine_days.c.arrived)
    )
    return int(counted.scalar_one())


async def keep(tx: Tx, one: Quarantined) -> None:
    await tx.execute(insert(quarantine).values(**asdict(one)))


async def page(
    tx: Tx, *, camera_id: UUID | None, after: tuple[datetime, UUID] | None, size: int
) -> list[Quarantined]:
    """Return at most `size` quarantined frames of a camera, or of all cameras in the transaction's
    scope if `camera_id` is None, newest first. `after` is the arrival time and `quarantine_id` of
    the previous page's last frame."""
    order = tuple_(quarantine.c.arrived_at, quarantine.c.quarantine_id)
    query = select(quarantine).order_by(
        quarantine.c.arrived_at.desc(), quarantine.c.quarantine_id.desc()
    )
    if camera_id is not None:
        query = query.where(quarantine.c.camera_id == camera_id)
    if after is not None:
        query = query.where(order < tuple_(*after))
    return [_quarantined(row) for row in await tx.execute(query.limit(size))]


async def forget(tx: Tx, before: datetime) -> int:
    """Delete the quarantined frames that arrived before the time `before`, and the counts of the
    days before that day. Return the number of frames deleted."""
    await tx.execute(delete(quarantine_days).where(quarantine_days.c.day < before.date()))
    gone = await tx.execute(delete(quarantine).where(quarantine.c.arrived_at < before))
    return int(gone.rowcount)


def _quarantined(row: Any) -> Quarantined:
    signed = row.signed_sha256
    return Quarantined(
        row.quarantine_id,
        row.camera_id,
        row.region,
        row.sender,
        row.reason,
        row.frame_id,
        row.captured_at,
        bytes(row.picture_sha256),
        None if signed is None else bytes(signed),
        row.counter,
        row.counter_before,
        row.device_time,
        row.story,
        row.arrived_at,
    )
