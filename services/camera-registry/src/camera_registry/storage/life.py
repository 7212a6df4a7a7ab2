"""Stores heartbeats, and sets the status of cameras that send none, in batches."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import ColumnElement, Select, bindparam, case, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from statements.reads import Read

from camera_registry.model.camera import ALIVE, Camera, CameraStatus
from camera_registry.storage.tables import camera_of, cameras, heartbeat_watch, life, moment

# How far in the future a heartbeat may seem to lie because two copies' clocks differ.
CLOCKS_APART = timedelta(seconds=5)
Beats = Mapping[UUID, tuple[str, datetime]]


def is_watched() -> ColumnElement[bool]:
    """The condition that heartbeats were last processed between `looked_since` and `now`.

    If it was earlier, a camera stored as online may have fallen silent unnoticed. A time after
    `now` dates from before the clock was set back.
    """
    since, now = (bindparam(name, type_=moment) for name in ("looked_since", "now"))
    looked_at = heartbeat_watch.c.looked_at
    return exists(heartbeat_watch.c.is_single).where(looked_at.between(since, now))


async def look(tx: Tx, now: datetime) -> None:
    """Store `now` as the time at which heartbeats were last processed."""
    row = insert(heartbeat_watch).values(is_single=True, looked_at=now)
    await tx.execute(
        row.on_conflict_do_update(index_elements=["is_single"], set_={"looked_at": now})
    )


async def heard(tx: Tx, beats: Beats, *, now: datetime) -> list[Camera]:
    """Store the latest heartbeats and return the cameras that came online.

    `beats` maps a camera's id to the region and time of its heartbeat. Heartbeats of unknown or
    retired cameras, and those from a region that is not the camera's, are ignored.
    """
    known = [
        row
        for row in await tx.read(_REGISTERED, ids=list(beats))
        if beats[row.camera_id][0] == row.region
    ]
    if not known:
        return []
    ids = sorted(row.camera_id for row in known)
    await tx.execute(_HEARD, {"ids": ids, "moments": [beats[each][1] for each in ids], "now": now})
    woken = [row.camera_id for row in known if row.status not in ALIVE]
    return await _wake(tx, {each: beats[each][1] for each in woken})


async def chunk_end(tx: Tx, *, after: UUID | None, size: int) -> UUID | None:
    """Return the last id of the next chunk of `size` cameras that were ever heard, ordered by id
    and starting after `after` (None: from the first). Returns None if fewer are left."""
    query = select(life.c.camera_id).order_by(life.c.camera_id).offset(size - 1).limit(1)
    if after is not None:
        query = query.where(life.c.camera_id > after)
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
        silent = silent.where(life.c.camera_id > after)
    if until is not None:
        silent = silent.where(life.c.camera_id <= until)
    known_until = {
        row.camera_id: row.heard_at if row.status in ALIVE else row.status_as_of
        for row in await tx.execute(silent)
    }
    if status is not CameraStatus.UNKNOWN:
        return await _set_status(tx, dict.fromkeys(known_until, now), status)
    return await _set_status(tx, {one: min(at, now) for one, at in known_until.items()}, status)


async def _wake(tx: Tx, woken: Mapping[UUID, datetime]) -> list[Camera]:
    """Set ONLINE the cameras that are still neither retired nor online, as of their heartbeats."""
    if not woken:
        return []
    locked = select(cameras.c.camera_id).where(
        cameras.c.camera_id.in_(sorted(woken)), cameras.c.status.not_in((*ALIVE, _RETIRED))
    )
    rows = await tx.execute(locked.order_by(cameras.c.camera_id).with_for_update())
    asleep = {row.camera_id: woken[row.camera_id] for row in rows}
    return await _set_status(tx, asleep, CameraStatus.ONLINE)


async def _set_status(tx: Tx, as_of: Mapping[UUID, datetime], status: CameraStatus) -> list[Camera]:
    """Set the status of cameras whose rows are locked, each as of its own moment."""
    if not as_of:
        return []
    values = {"ids": list(as_of), "moments": list(as_of.values()), "new_status": status.value}
    return [camera_of(row) for row in await tx.execute(_SET_STATUS, values)]


def _silent(before: datetime, now: datetime) -> Select[Any]:
    # A last heartbeat in the future dates from before the clock was set back.
    unheard = or_(life.c.heard_at < before, life.c.heard_at > now + CLOCKS_APART)
    return (
        select(cameras.c.camera_id, cameras.c.status, cameras.c.status_as_of, life.c.heard_at)
        .join_from(life, cameras, cameras.c.camera_id == life.c.camera_id)
        .where(cameras.c.retired_at.is_(None), unheard)
        .order_by(life.c.camera_id)
        .with_for_update(skip_locked=True, of=cameras)
    )


_RETIRED = CameraStatus.RETIRED.value
_ids = bindparam("ids", type_=ARRAY(cameras.c.camera_id.type))
_moments = bindparam("moments", type_=ARRAY(moment))
_given = (
    func.unnest(_ids, _moments).table_valued("camera_id", "moment", name="given").render_derived()
)
_REGISTERED = Read(
    select(cameras.c.camera_id, cameras.c.region, cameras.c.status).where(
        cameras.c.camera_id == func.any(_ids), cameras.c.retired_at.is_(None)
    )
)


def _heard() -> Any:
    """Store heartbeats; the latest counts, but none that dates from before the clock was set back,
    which lies after `now`."""
    rows = insert(life).from_select(
        ["camera_id", "heard_at"], select(_given.c.camera_id, _given.c.moment)
    )
    latest = case(
        (life.c.heard_at > bindparam("now", type_=moment), rows.excluded.heard_at),
        else_=func.greatest(life.c.heard_at, rows.excluded.heard_at),
    )
    return rows.on_conflict_do_update(index_elements=["camera_id"], set_={"heard_at": latest})


_HEARD = _heard()
_SET_STATUS = (
    update(cameras)
    .where(cameras.c.camera_id == _given.c.camera_id)
    .values(status=bindparam("new_status"), status_as_of=_given.c.moment)
    .returning(cameras)
)
