"""Adds, reads, changes, lists and counts cameras and their versions."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from audit_log.decisions import Decision, audit_decision
from chassis.db import Database, RowExists
from chassis.refusals import IdReused, Refusal
from chassis.tables import service_now
from chassis.transaction import Scope, Tx
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Table,
    bindparam,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.exc import IntegrityError
from statements.reads import Read

from camera_registry.model.camera import CAMERA, Camera, CameraNotFound, SerialTaken
from camera_registry.model.description import Description
from camera_registry.model.status import REPORTED, CameraStatus, StatusSource
from camera_registry.storage import life, record, streams
from camera_registry.storage.tables import (
    camera_of,
    camera_row,
    cameras,
    description_of,
    hub_life,
    versions,
)
from camera_registry.storage.tables import moment as moment_type

# The constraints that an added or changed camera may violate.
_ID, _SERIAL = "cameras_pkey", "cameras_serials"


@dataclass(frozen=True)
class Before:
    """What a registration reads from the database before it adds a camera: the database's current
    time, and the retired camera that the new one replaces, if any.

    The field `retired` is the id of the most recently retired camera that has the new camera's make
    and serial number. It is None if the caller sees no such camera.
    """

    now: datetime
    retired: UUID | None


async def before_registration(db: Database, scope: Scope, description: Description) -> Before:
    """Read the data that the registration of `description` needs, in a single round trip."""
    serial, make = description.serial_key
    [row] = await db.read(scope, _BEFORE, serial=serial, make=make)
    return Before(row.now, row.retired)


def add(tx: Tx, camera: Camera, decision: Decision) -> None:
    """Add a camera's row to a transaction, and the decision about it to the audit log.

    The row is written before the next statement or at the transaction's end; this may raise
    RowExists (see `refusal_of`). `record.add` stores the streams and the owner, in other tables.
    """
    tx.add(cameras, decided_row(tx, camera, decision, held_from=camera.registered_at))


def decided_row(
    tx: Tx, camera: Camera, decision: Decision, *, held_from: datetime
) -> dict[str, Any]:
    """Add a decision about a camera to the audit log, and return the camera's row.

    The row names the audit entry, and the entry contains the hash of the row. `held_from` is when
    the description takes effect.
    """
    row = camera_row(camera, held_from=held_from)
    region = camera.description.place.region
    entry = audit_decision(tx, camera.object_ref, decision, {CAMERA: row}, region=region)
    return row | entry.columns


def refusal_of(error: RowExists) -> Refusal | None:
    """Convert an error that `add` raised into a refusal, SerialTaken or IdReused. Returns None if
    the error means neither."""
    return {_SERIAL: SerialTaken(), _ID: IdReused()}.get(error.key)


@dataclass(frozen=True)
class Known:
    """A time range: statuses that hubs report count only if the register last processed hubs'
    reports within this range.

    If reports were last processed outside of it, hubs may have fallen silent unnoticed. Then every
    stored status in REPORTED is read as UNKNOWN, because it holds only while the camera's hub
    reports.
    """

    looked_since: datetime
    now: datetime

    @classmethod
    def at(cls, now: datetime, interval: timedelta) -> "Known":
        """Return the range that ends at `now` and lasts half the `interval` at which hubs report.

        A silent hub is noticed after one and a half intervals. If reports stop being processed just
        before that, its cameras become UNKNOWN half an interval later: after two intervals in all.
        """
        return cls(now - interval / 2, now)

    @property
    def parameters(self) -> dict[str, datetime]:
        """The values, by name, of the SQL parameters in the condition `life.is_watched`."""
        return {"looked_since": self.looked_since, "now": self.now + life.CLOCKS_APART}


async def get(tx: Tx, camera_id: UUID, known: Known) -> Camera:
    """Return a camera. Raises CameraNotFound, also for a camera outside the caller's regions.

    A status in REPORTED holds only while the camera's hub reports. It is returned as UNKNOWN if
    hubs' reports were last processed outside of `known`.
    """
    return _found(await tx.read(_BY_ID, camera_id=camera_id, **known.parameters))


async def get_alone(db: Database, scope: Scope, camera_id: UUID, known: Known) -> Camera:
    """Return a camera as `get` does, in a single round trip."""
    return _found(await db.read(scope, _BY_ID, camera_id=camera_id, **known.parameters))


async def exists(tx: Tx, camera_id: UUID) -> bool:
    """Whether a camera with this id exists within the transaction's scope."""
    query = select(cameras.c.camera_id).where(cameras.c.camera_id == camera_id)
    return await tx.scalar(query) is not None


async def get_for_update(tx: Tx, camera_id: UUID) -> Camera:
    """Return a camera with its stored status, and lock its row. Raises CameraNotFound."""
    query = select(cameras).where(cameras.c.camera_id == camera_id).with_for_update()
    [camera] = await record.completed(tx, [await _one(tx, query)])
    return camera


async def get_both_for_update(tx: Tx, first: UUID, second: UUID) -> tuple[Camera, Camera]:
    """Return two cameras with their stored statuses, and lock their rows. Raises CameraNotFound."""
    query = select(cameras).where(cameras.c.camera_id.in_((first, second)))
    # In one order everywhere, so that two merges at once cannot wait for each other.
    rows = await tx.execute(query.order_by(cameras.c.camera_id).with_for_update())
    known = await record.completed(tx, [camera_of(row) for row in rows])
    found = {camera.camera_id: camera for camera in known}
    if len(found) < 2:
        raise CameraNotFound
    return found[first], found[second]


async def save(tx: Tx, camera: Camera, decision: Decision, *, held_from: datetime) -> None:
    """Store a changed camera, whose row is locked, and add the decision to the audit log.

    Raises SerialTaken if another camera has its make and serial number. The description takes
    effect at `held_from`; the previous one is kept as a version. The stream passwords of a retired
    camera are erased.
    """
    row = decided_row(tx, camera, decision, held_from=held_from)
    superseded = keep_version(cameras.c.camera_id == camera.camera_id).cte("superseded")
    try:
        await tx.execute(
            update(cameras)
            .where(cameras.c.camera_id == camera.camera_id)
            .values(**row)
            .add_cte(superseded)
        )
    except IntegrityError as error:
        _raise_if_serial_taken(error)
        raise
    if camera.retired_at is None:
        await record.save(tx, [camera])
    else:
        await streams.erase_passwords(tx, camera.camera_id)


def keep_version(condition: ColumnElement[bool]) -> Insert:
    """Return the INSERT that keeps the present descriptions of some cameras as superseded versions.

    `condition` selects the cameras. Make the INSERT a common table expression of the statement that
    changes the cameras. Then the INSERT reads the rows as they were before the change.
    """
    names = [column.name for column in versions.columns]
    return insert(versions).from_select(names, described(cameras).where(condition))


async def described_at(tx: Tx, camera_id: UUID, moment: datetime) -> Description | None:
    """Return a camera's description at a moment; None if the camera was not yet registered."""
    rows = await tx.read(_DESCRIBED_AT, camera_id=camera_id, moment=moment)
    return description_of(rows[0]) if rows else None


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
    """Convert a row to a camera.

    The row has the camera's columns and the time `heard_at` of its hub's last report. A status in
    REPORTED holds only while the hub reports. It gets the time of the last report, and is replaced
    by UNKNOWN unless `is_watched`. `is_watched` is the value of the condition `life.is_watched`.
    """
    camera = camera_of(row)
    if camera.status not in REPORTED:
        return camera
    as_of = max(row.heard_at or camera.status_as_of, camera.status_as_of)
    if is_watched:
        return replace(camera, status_as_of=as_of)
    return replace(
        camera,
        status=CameraStatus.UNKNOWN,
        status_as_of=as_of,
        status_source=StatusSource.SILENCE,
        status_reason=None,
        clock_offset_milliseconds=0,
    )


_WITH_LIFE = select(cameras, hub_life.c.heard_at).outerjoin_from(
    cameras, hub_life, hub_life.c.hub_id == cameras.c.hub_id
)
_BY_ID = Read(
    _WITH_LIFE.add_columns(
        life.is_watched().label("is_watched"), streams.streams_as_json().label("streams")
    ).where(cameras.c.camera_id == bindparam("camera_id"))
)


def described(table: Table) -> Select[Any]:
    """The query for the columns of all descriptions in a table.

    The table is `cameras` or, for superseded descriptions, `versions`.
    """
    return select(*(table.c[column.name] for column in versions.columns))


def _before() -> Read:
    retired = (
        select(cameras.c.camera_id)
        .where(
            cameras.c.serial_folded == bindparam("serial"),
            cameras.c.make_folded == bindparam("make"),
            cameras.c.retired_at.is_not(None),
        )
        .order_by(cameras.c.retired_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    return Read(select(service_now.label("now"), retired.label("retired")))


_BEFORE = _before()


def _described_at() -> Read:
    """The description that was in effect at a moment: of the versions that took effect by then, the
    latest."""
    camera_id: BindParameter[UUID] = bindparam("camera_id")
    at = bindparam("moment", type_=moment_type)
    parts = [
        described(table).where(table.c.camera_id == camera_id, table.c.held_from <= at)
        for table in (cameras, versions)
    ]
    found = union_all(*parts).subquery()
    return Read(select(found).order_by(found.c.version.desc()).limit(1))


_DESCRIBED_AT = _described_at()


def is_about_serial(error: IntegrityError) -> bool:
    """Whether the database refused a camera because another one has its serial number."""
    return _SERIAL in str(error.orig)


def _raise_if_serial_taken(error: IntegrityError) -> None:
    if is_about_serial(error):
        raise SerialTaken from error
