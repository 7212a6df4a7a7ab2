"""Adds, reads, changes, lists and counts cameras and their versions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Database
from chassis.transaction import Scope, Tx
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    DateTime,
    Select,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from statements.reads import Read

from camera_registry.model.area import EARTH_RADIUS_METRES, Circle
from camera_registry.model.camera import ALIVE, Camera, CameraNotFound, CameraStatus, SerialTaken
from camera_registry.model.description import AiFunction, CameraKind, Description
from camera_registry.serials import folded
from camera_registry.storage.tables import (
    camera_of,
    camera_row,
    cameras,
    description_of,
    description_row,
    versions,
)

# The constraints that an added or changed camera may violate.
_ID, _SERIAL = "cameras_pkey", "cameras_serials"


@dataclass(frozen=True)
class Filters:
    """The conditions on listed cameras, which must all hold; None or "" sets no condition."""

    region: str = ""
    function: AiFunction | None = None
    kind: CameraKind | None = None
    status: CameraStatus | None = None
    circle: Circle | None = None
    with_retired: bool = False
    serial_or_name: str = ""


@dataclass(frozen=True)
class Counts:
    region: str
    registered: int = 0
    connected: int = 0
    with_ai: int = 0
    online: int = 0
    offline: int = 0
    unknown: int = 0


async def add(tx: Tx, camera: Camera) -> bool:
    """Add a camera and its first version. Returns False if the id is taken. Raises SerialTaken."""
    try:
        await tx.execute(insert(cameras).values(**camera_row(camera)))
    except IntegrityError as error:
        _raise_if_serial_taken(error)
        if _ID in str(error.orig):
            return False
        raise
    await _add_version(tx, camera, held_from=camera.registered_at)
    return True


async def retired_with_serial(tx: Tx, description: Description) -> UUID | None:
    """Return the id of the camera with this make and serial number that was retired last; None if
    the transaction's scope has no such retired camera."""
    query = (
        select(cameras.c.camera_id)
        .where(
            cameras.c.serial_folded == folded(description.serial),
            cameras.c.make_folded == folded(description.make),
            cameras.c.retired_at.is_not(None),
        )
        .order_by(cameras.c.retired_at.desc())
        .limit(1)
    )
    found: UUID | None = await tx.scalar(query)
    return found


async def get(tx: Tx, camera_id: UUID, *, alive_since: datetime) -> Camera:
    """Return a camera. Raises CameraNotFound, also for a camera outside the caller's regions.

    Its status is UNKNOWN if it is stored as ONLINE or DEGRADED but the last heartbeat was before
    `alive_since`.
    """
    return _found(await tx.read(_BY_ID, camera_id=camera_id, alive_since=alive_since))


async def get_alone(
    db: Database, scope: Scope, camera_id: UUID, *, alive_since: datetime
) -> Camera:
    """Return a camera as `get` does, in a single round trip."""
    return _found(await db.read(scope, _BY_ID, camera_id=camera_id, alive_since=alive_since))


async def get_for_update(tx: Tx, camera_id: UUID) -> Camera:
    """Return a camera as stored and lock its row for a change. Raises CameraNotFound."""
    query = select(cameras).where(cameras.c.camera_id == camera_id).with_for_update()
    return await _one(tx, query)


async def save(tx: Tx, camera: Camera, *, held_from: datetime) -> None:
    """Store a changed camera and its new version, valid from `held_from`. Raises SerialTaken."""
    values = camera_row(camera)
    try:
        await tx.execute(
            update(cameras).where(cameras.c.camera_id == camera.camera_id).values(**values)
        )
    except IntegrityError as error:
        _raise_if_serial_taken(error)
        raise
    await _add_version(tx, camera, held_from=held_from)


async def described_at(tx: Tx, camera_id: UUID, moment: datetime) -> Description | None:
    """Return the description that was valid at a moment, None before the registration."""
    then = (
        select(versions)
        .where(versions.c.camera_id == camera_id, versions.c.held_from <= moment)
        .order_by(versions.c.version.desc())
        .limit(1)
    )
    row = (await tx.execute(then)).one_or_none()
    return None if row is None else description_of(row)


async def page(
    tx: Tx, filters: Filters, *, after: UUID | None, size: int, alive_since: datetime
) -> list[Camera]:
    query = _select_known(alive_since).order_by(cameras.c.camera_id).limit(size)
    if after is not None:
        query = query.where(cameras.c.camera_id > after)
    for condition in _conditions(filters, alive_since):
        query = query.where(condition)
    return [camera_of(row) for row in await tx.execute(query)]


async def counts(tx: Tx, region: str, *, alive_since: datetime) -> list[Counts]:
    """Count the cameras that are not retired, by region. `region` "" counts every region in the
    transaction's scope. A camera not heard since `alive_since` does not count as online."""
    status = _status_known(alive_since)
    query = (
        select(
            cameras.c.region,
            func.count().label("registered"),
            func.count().filter(cameras.c.connected).label("connected"),
            func.count().filter(func.cardinality(cameras.c.functions) > 0).label("with_ai"),
            func.count().filter(status == CameraStatus.ONLINE).label("online"),
            func.count().filter(status == CameraStatus.OFFLINE).label("offline"),
            func.count().filter(status == CameraStatus.UNKNOWN).label("unknown"),
        )
        .where(cameras.c.retired_at.is_(None))
        .group_by(cameras.c.region)
        .order_by(cameras.c.region)
    )
    if region:
        query = query.where(cameras.c.region == region)
    return [Counts(**row._mapping) for row in await tx.execute(query)]


async def _one(tx: Tx, query: Select[Any]) -> Camera:
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        raise CameraNotFound
    return camera_of(row)


def _found(rows: list[Any]) -> Camera:
    """Raises CameraNotFound if there is no row."""
    if not rows:
        raise CameraNotFound
    return camera_of(rows[0])


def _status_known(alive_since: datetime | BindParameter[datetime]) -> ColumnElement[str]:
    """The stored status, but UNKNOWN for a camera stored as alive and last heard before
    `alive_since`: a running listener would have set a new status by now."""
    unheard = and_(cameras.c.status.in_(ALIVE), cameras.c.status_as_of < alive_since)
    return case((unheard, CameraStatus.UNKNOWN.value), else_=cameras.c.status)


def _select_known(alive_since: datetime | BindParameter[datetime]) -> Select[Any]:
    others = [column for column in cameras.c if column is not cameras.c.status]
    return select(*others, _status_known(alive_since).label("status"))


_BY_ID = Read(
    _select_known(bindparam("alive_since", type_=DateTime(timezone=True))).where(
        cameras.c.camera_id == bindparam("camera_id")
    )
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


def _raise_if_serial_taken(error: IntegrityError) -> None:
    if _SERIAL in str(error.orig):
        raise SerialTaken from error


def _conditions(filters: Filters, alive_since: datetime) -> list[Any]:
    conditions: list[Any] = []
    if filters.region:
        conditions.append(cameras.c.region == filters.region)
    if filters.function is not None:
        conditions.append(cameras.c.functions.contains([filters.function.value]))
    if filters.kind is not None:
        conditions.append(cameras.c.kind == filters.kind.value)
    if filters.status is not None:
        conditions.append(_status_known(alive_since) == filters.status.value)
    if filters.circle is not None:
        conditions.extend(_inside(filters.circle))
    if called := filters.serial_or_name:
        by_name = func.lower(cameras.c.name) == func.lower(called)
        conditions.append(or_(cameras.c.serial_folded == folded(called), by_name))
    if not filters.with_retired and filters.status is not CameraStatus.RETIRED:
        conditions.append(cameras.c.retired_at.is_(None))
    return conditions


def _inside(circle: Circle) -> list[Any]:
    """The conditions for a place in the circle: an indexed box, and the haversine distance."""
    south, west, north, east = circle.box
    half_height = func.radians(cameras.c.latitude - circle.latitude) / 2
    half_width = func.radians(cameras.c.longitude - circle.longitude) / 2
    chord = func.power(func.sin(half_height), 2) + func.cos(
        func.radians(circle.latitude)
    ) * func.cos(func.radians(cameras.c.latitude)) * func.power(func.sin(half_width), 2)
    distance = 2 * EARTH_RADIUS_METRES * func.asin(func.sqrt(func.least(1.0, chord)))
    return [
        cameras.c.latitude.between(south, north),
        cameras.c.longitude.between(west, east),
        distance <= circle.radius_metres,
    ]
