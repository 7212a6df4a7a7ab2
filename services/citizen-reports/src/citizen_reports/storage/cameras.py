"""Stores the cameras that may have seen what is reported, and the state of the holds on their
evidence. The identity of a camera reveals the place, so it is encrypted with the report's key."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import exists, select, update
from vault.keyring import DataKey

from citizen_reports.model.cameras import ReportCamera, Sighting
from citizen_reports.model.report import Report
from citizen_reports.storage.tables import report_cameras


def add_cameras(tx: Tx, report: Report, cameras: Sequence[ReportCamera], key: DataKey) -> None:
    """Add the cameras of a report, nearest first. Each must have a sighting, which is encrypted."""
    for position, camera in enumerate(cameras, start=1):
        assert camera.sighting is not None
        content = json.dumps(asdict(camera.sighting), default=str)
        row = {
            "hold_id": camera.hold_id,
            "report_id": report.report_id,
            "position": position,
            "sealed": key.seal(content, _place_of(camera.hold_id)),
        }
        tx.add(report_cameras, row)


async def cameras_of(tx: Tx, report_id: UUID, key: DataKey | None) -> tuple[ReportCamera, ...]:
    """Return the cameras of a report, nearest first. `key` is the report's data key; if the key was
    destroyed, pass None, and the cameras have no sightings."""
    query = select(report_cameras).where(report_cameras.c.report_id == report_id)
    rows = await tx.execute(query.order_by(report_cameras.c.position))
    return tuple(_camera(row, key) for row in rows)


async def has_cameras(tx: Tx, report_id: UUID) -> bool:
    """Return whether any camera is stored for a report."""
    return bool(await tx.scalar(select(exists().where(report_cameras.c.report_id == report_id))))


async def save_held(tx: Tx, hold_id: UUID, at: datetime, frames: int) -> None:
    """Store that a hold on a camera's evidence is in place, and the number of `frames` it covers.
    `at` is when it was placed; a later call for the same hold changes only `frames`."""
    await _update(tx, hold_id, frames=frames)
    unheld = report_cameras.c.hold_id == hold_id, report_cameras.c.held_at.is_(None)
    await tx.execute(update(report_cameras).where(*unheld).values(held_at=at))


async def save_released(tx: Tx, hold_id: UUID, at: datetime) -> None:
    """Store that a hold on a camera's evidence was released at `at`."""
    await _update(tx, hold_id, released_at=at)


async def _update(tx: Tx, hold_id: UUID, **values: Any) -> None:
    await tx.execute(
        update(report_cameras).where(report_cameras.c.hold_id == hold_id).values(values)
    )


def _camera(row: Any, key: DataKey | None) -> ReportCamera:
    sighting = None
    if key is not None:
        stored = json.loads(key.open_text(row.sealed, _place_of(row.hold_id)))
        sighting = Sighting(**{**stored, "camera_id": UUID(stored["camera_id"])})
    return ReportCamera(row.hold_id, sighting, row.held_at, row.frames, row.released_at)


def _place_of(hold_id: UUID) -> str:
    return f"report_cameras.sealed:{hold_id}"
