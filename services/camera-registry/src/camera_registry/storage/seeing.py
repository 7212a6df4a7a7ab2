"""Finds the cameras that were near a place at some time, as they were described at that time."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import BigInteger, Double, Select, bindparam, func, or_, select, true, union_all
from sqlalchemy.dialects.postgresql import ARRAY
from statements.reads import Read

from camera_registry.model.area import Circle
from camera_registry.model.camera import Camera
from camera_registry.model.cover import cover
from camera_registry.model.description import Description
from camera_registry.model.seeing import Spot
from camera_registry.storage import life
from camera_registry.storage.cameras import Known, described, known_camera
from camera_registry.storage.tables import (
    CELL_RESOLUTION,
    cameras,
    description_of,
    hub_life,
    moment,
    versions,
)


async def cameras_near(tx: Tx, spot: Spot, at: datetime, known: Known) -> list[Camera]:
    """Return the cameras that may have been near `spot` at the time `at`, and were in service then.

    These are the cameras that are near the spot now, or were near it at any time until `at`. Each
    is returned with its description valid at `at`. That description may give a place farther away,
    so the caller must check the distance.

    `known` is the time range within which hubs' reports must have been processed last. Pass
    `Known.at(now, interval)`, with the interval at which hubs report. If reports were last
    processed outside of the range, the statuses that hubs report are returned as UNKNOWN.
    """
    is_watched = (await tx.read(_BEGIN, **known.parameters))[0].is_watched
    ids = await _ids_near(tx, spot, at)
    described = await _described_at(tx, ids, at)
    rows = await tx.read(_IN_SERVICE, ids=sorted(described), at=at)
    return [
        replace(known_camera(row, is_watched=is_watched), description=described[row.camera_id])
        for row in rows
    ]


async def _ids_near(tx: Tx, spot: Spot, at: datetime) -> set[UUID]:
    """The ids of the cameras that are near `spot` now, or were near it at or before the time
    `at`."""
    circle = Circle(spot.latitude, spot.longitude, spot.within_metres)
    ranges = cover(circle, CELL_RESOLUTION)
    near = await tx.read(
        _NEAR_NOW, lows=[each.first for each in ranges], highs=[each.last for each in ranges]
    )
    box = dict(zip(("south", "west", "north", "east"), spot.box, strict=True))
    before = await tx.read(_NEAR_BEFORE, **box, at=at)
    return {row.camera_id for row in (*near, *before)}


async def _described_at(tx: Tx, ids: Iterable[UUID], at: datetime) -> dict[UUID, Description]:
    """The descriptions that were valid at a moment; none of a camera that was registered later."""
    rows = await tx.read(_DESCRIBED_AT, ids=sorted(ids), at=at)
    return {row.camera_id: description_of(row) for row in rows}


def _near_now() -> Select[Any]:
    low, high = (bindparam(name, type_=ARRAY(BigInteger)) for name in ("lows", "highs"))
    ranges = func.unnest(low, high).table_valued("low", "high", name="ranges").render_derived()
    in_range = cameras.c.cell.between(ranges.c.low, ranges.c.high)
    # OFFSET keeps PostgreSQL from joining all ranges with the table at once.
    near = select(cameras.c.camera_id).where(in_range).offset(0).correlate(ranges).lateral("near")
    return select(near.c.camera_id).select_from(ranges.join(near, true()))


def _near_before() -> Select[Any]:
    south, west, north, east = (
        bindparam(name, type_=Double) for name in ("south", "west", "north", "east")
    )
    return select(versions.c.camera_id).where(
        versions.c.latitude.between(south, north),
        versions.c.longitude.between(west, east),
        versions.c.held_from <= _at,
    )


def _described() -> Select[Any]:
    """The present description of each camera, or the superseded one, that held at the moment."""
    each = func.unnest(_ids).table_valued("camera_id", name="each").render_derived()
    parts = [
        described(table)
        .where(table.c.camera_id == each.c.camera_id, table.c.held_from <= _at)
        .correlate(each)
        for table in (cameras, versions)
    ]
    found = union_all(*parts).subquery()
    latest = select(found).order_by(found.c.version.desc()).limit(1).lateral("valid")
    return select(latest).select_from(each.join(latest, true()))


_ids = bindparam("ids", type_=ARRAY(cameras.c.camera_id.type))
_at = bindparam("at", type_=moment)
_NEAR_NOW, _NEAR_BEFORE, _DESCRIBED_AT = Read(_near_now()), Read(_near_before()), Read(_described())
_IN_SERVICE = Read(
    select(cameras, hub_life.c.heard_at)
    .outerjoin_from(cameras, hub_life, hub_life.c.hub_id == cameras.c.hub_id)
    .where(
        cameras.c.camera_id == func.any(_ids),
        cameras.c.registered_at <= _at,
        or_(cameras.c.retired_at.is_(None), cameras.c.retired_at > _at),
    )
)
# A plan for any values of the parameters may scan a whole table.
_BEGIN = Read(
    select(
        life.is_watched().label("is_watched"),
        func.set_config("plan_cache_mode", "force_custom_plan", True).label("plan_cache_mode"),
    )
)
