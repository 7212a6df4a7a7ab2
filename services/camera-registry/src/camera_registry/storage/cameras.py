"""Adds, reads, changes, lists and counts cameras and their versions."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Database
from chassis.transaction import Scope, Tx
from sqlalchemy import (
    Select,
    bindparam,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from statements.reads import Read

from camera_registry.model.camera import ALIVE, Camera, CameraNotFound, CameraStatus, SerialTaken
from camera_registry.model.description import Description
from camera_registry.storage import life, record, streams
from camera_registry.storage.tables import (
    camera_of,
    camera_row,
    cameras,
    description_of,
    description_row,
    versions,
)
from camera_registry.storage.tables import life as heard

# The constraints that an added or changed camera may violate.
_ID, _SERIAL = "cameras_pkey", "cameras_serials"


async def add(tx: Tx, camera: Camera) -> bool:
    """Add a camera and its first version. Returns False if the id is taken. Raises SerialTaken."""
    try:
        await tx.execute(insert(cameras).values(**camera_row(camera)))
    except IntegrityError as error:
        _raise_if_serial_taken(error)
        if _ID in str(error.orig):
            return False
        raise
    await record.add(tx, [camera])
    await _add_version(tx, camera, held_from=camera.registered_at)
    return True


async def retired_with_serial(tx: Tx, description: Description) -> UUID | None:
    """Return the id of the camera with this make and serial number that was retired last; None if
    the transaction's scope has no such retired camera."""
    serial, make = description.serial_key
    query = (
        select(cameras.c.camera_id)
        .where(
            cameras.c.serial_folded == serial,
            cameras.c.make_folded == make,
            cameras.c.retired_at.is_not(None),
        )
        .order_by(cameras.c.retired_at.desc())
        .limit(1)
    )
    found: UUID | None = await tx.scalar(query)
    return found


@dataclass(frozen=True)
class Known:
    """A stored ONLINE or DEGRADED holds only if heartbeats were processed since `looked_since`."""

    looked_since: datetime
    now: datetime

    @property
    def parameters(self) -> dict[str, datetime]:
        """The parameters of `life.is_watched`."""
        return {"looked_since": self.looked_since, "now": self.now + life.CLOCKS_APART}


async def get(tx: Tx, camera_id: UUID, known: Known) -> Camera:
    """Return a camera. Raises CameraNotFound, also for a camera outside the caller's regions.

    A stored status ONLINE or DEGRADED is returned as UNKNOWN if `life.is_watched` does not hold.
    """
    return _found(await tx.read(_BY_ID, camera_id=camera_id, **known.parameters))


async def get_alone(db: Database, scope: Scope, camera_id: UUID, known: Known) -> Camera:
    """Return a camera as `get` does, in a single round trip."""
    return _found(await db.read(scope, _BY_ID, camera_id=camera_id, **known.parameters))


async def get_for_update(tx: Tx, camera_id: UUID) -> Camera:
    """Return a camera as stored and lock its row for a change. Raises CameraNotFound."""
    query = select(cameras).where(cameras.c.camera_id == camera_id).with_for_update()
    [camera] = await record.completed(tx, [await _one(tx, query)])
    return camera


async def save(tx: Tx, camera: Camera, *, held_from: datetime) -> None:
    """Store a changed camera and its new version, valid from `held_from`; a retired camera's
    passwords are erased. Raises SerialTaken."""
    values = camera_row(camera)
    try:
        await tx.execute(
            update(cameras).where(cameras.c.camera_id == camera.camera_id).values(**values)
        )
    except IntegrityError as error:
        _raise_if_serial_taken(error)
        raise
    if camera.retired_at is None:
        await record.save(tx, [camera])
    else:
        await streams.erase_passwords(tx, camera.camera_id)
    await _add_version(tx, camera, held_from=held_from)


async def described_at(tx: Tx, camera_id: UUID, moment: datetime) -> Description | None:
    """Return a camera's description valid at a moment, None before the camera's registration."""
    then = (
        select(versions)
        .where(versions.c.camera_id == camera_id, versions.c.held_from <= moment)
        .order_by(versions.c.version.desc())
        .limit(1)
    )
    row = (await tx.execute(then)).one_or_none()
    return None if row is None else description_of(row)


async def _one(tx: Tx, query: Select[Any]) -> Camera:
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise CameraNotFound
    return camera_of(row)


def _found(rows: list[Any]) -> Camera:
    """Raises CameraNotFound if there is no row."""
    if not rows:
        raise CameraNotFound
    camera = known_camera(rows[0], is_watched=rows[0].is_watched)
    if rows[0].streams is None:
        return camera
    known = streams.read_json(rows[0].streams)
    return replace(camera, description=replace(camera.description, streams=known))


def known_camera(row: Any, *, is_watched: bool) -> Camera:
    """The camera with its stored status. A status in ALIVE is as of the camera's last heartbeat,
    and is replaced by UNKNOWN if the register is not watched."""
    camera = camera_of(row)
    if camera.status not in ALIVE:
        return camera
    status = camera.status if is_watched else CameraStatus.UNKNOWN
    return replace(camera, status=status, status_as_of=row.heard_at or camera.status_as_of)


_WITH_LIFE = select(cameras, heard.c.heard_at).outerjoin_from(
    cameras, heard, heard.c.camera_id == cameras.c.camera_id
)
_BY_ID = Read(
    _WITH_LIFE.add_columns(
        life.is_watched().label("is_watched"), streams.streams_as_json().label("streams")
    ).where(cameras.c.camera_id == bindparam("camera_id"))
)


async def _add_version(tx: Tx, camera: Camera, *, held_from: datetime) -> None:
    await tx.execute(
        insert(versions).values(
            camera_id=camera.camera_id,
            version=camera.version,
            held_from=held_from,
            **description_row(camera.description),
        )
    )


def is_about_serial(error: IntegrityError) -> bool:
    """Whether the database refused a camera because another one has its serial number."""
    return _SERIAL in str(error.orig)


def _raise_if_serial_taken(error: IntegrityError) -> None:
    if is_about_serial(error):
        raise SerialTaken from error
