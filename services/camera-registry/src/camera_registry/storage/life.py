"""Stores heartbeats, and sets the status of cameras that send none, in batches."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import Select, bindparam, case, func, or_, select, update

from camera_registry.model.camera import ALIVE, Camera, CameraStatus
from camera_registry.storage.tables import camera_of, cameras, moment

# How far in the future a heartbeat may seem to lie because two copies' clocks differ.
CLOCKS_APART = timedelta(seconds=5)
Beats = Mapping[UUID, tuple[str, datetime]]


async def heard(tx: Tx, beats: Beats, *, now: datetime) -> list[Camera]:
    """Store the latest heartbeats and return the cameras that came online.

    `beats` maps a camera's id to the region and time of its heartbeat. Heartbeats of unknown or
    retired cameras, and those from a region that is not the camera's, are ignored.
    """
    locked = await tx.execute(_locked(list(beats)))
    known = [row for row in locked if beats[row.camera_id][0] == row.region]
    if not known:
        return []
    latest = [{"beat_id": row.camera_id, "beat_at": beats[row.camera_id][1]} for row in known]
    await tx.execute(_last_seen(now), latest)
    woken = [row.camera_id for row in known if row.status not in ALIVE]
    return await _set_status(tx, woken, CameraStatus.ONLINE, as_of=cameras.c.last_seen)


async def chunk_end(tx: Tx, *, after: UUID | None, size: int) -> UUID | None:
    """Return the last id of the next chunk of `size` cameras, ordered by id and starting after
    `after` (None: from the first). Returns None if fewer than `size` cameras are left."""
    query = select(cameras.c.camera_id).order_by(cameras.c.camera_id).offset(size - 1).limit(1)
    if after is not None:
        query = query.where(cameras.c.camera_id > after)
    found: UUID | None = await tx.scalar(query)
    return found


async def fall_silent(
    tx: Tx,
    *,
    after: UUID | None,
    until: UUID | None,
    before: datetime,
    now: datetime,
    status: CameraStatus,
) -> list[Camera]:
    """Set `status` for cameras whose last heartbeat was before `before`; returns those changed.

    Only cameras with an id after `after` and up to `until` are considered; None sets no bound. A
    camera that becomes UNKNOWN keeps the time at which its status was last known.
    """
    silent = _silent(before, now).where(cameras.c.status != status.value)
    if after is not None:
        silent = silent.where(cameras.c.camera_id > after)
    if until is not None:
        silent = silent.where(cameras.c.camera_id <= until)
    ids = [row.camera_id for row in await tx.execute(silent)]
    last_known = func.least(cameras.c.status_as_of, now)
    as_of: Any = last_known if status is CameraStatus.UNKNOWN else now
    return await _set_status(tx, ids, status, as_of=as_of)


async def _set_status(tx: Tx, ids: list[UUID], status: CameraStatus, *, as_of: Any) -> list[Camera]:
    if not ids:
        return []
    changed = await tx.execute(
        update(cameras)
        .where(cameras.c.camera_id.in_(ids))
        .values(status=status.value, status_as_of=as_of)
        .returning(cameras)
    )
    return [camera_of(row) for row in changed]


def _locked(ids: list[UUID]) -> Select[Any]:
    """Lock the cameras in the order of their ids, so that transactions cannot deadlock."""
    return (
        select(cameras.c.camera_id, cameras.c.region, cameras.c.status)
        .where(cameras.c.camera_id.in_(sorted(ids)), cameras.c.retired_at.is_(None))
        .order_by(cameras.c.camera_id)
        .with_for_update()
    )


def _silent(before: datetime, now: datetime) -> Select[Any]:
    # A last heartbeat in the future dates from before the clock was set back.
    unheard = or_(cameras.c.last_seen < before, cameras.c.last_seen > now + CLOCKS_APART)
    return (
        select(cameras.c.camera_id)
        .where(cameras.c.retired_at.is_(None), unheard)
        .order_by(cameras.c.camera_id)
        .with_for_update(skip_locked=True)
    )


def _last_seen(now: datetime) -> Any:
    beat_at = bindparam("beat_at", type_=moment)
    latest = case(
        # Left from before the clock was set back: it must not win.
        (cameras.c.last_seen > now, beat_at),
        else_=func.greatest(cameras.c.last_seen, beat_at),
    )
    return (
        update(cameras)
        .where(cameras.c.camera_id == bindparam("beat_id"))
        .values(last_seen=latest, status_as_of=latest)
    )
