"""The table of cameras: the only SQL of this service."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Tx
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    bindparam,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.exc import IntegrityError

from camera_registry.model import (
    EARTH_RADIUS_METRES,
    AiFunction,
    Camera,
    CameraKind,
    CameraNotFound,
    CameraStatus,
    Circle,
    Description,
    Place,
    SerialTaken,
    Verification,
)

_moment = DateTime(timezone=True)
cameras = Table(
    "cameras", MetaData(),
    Column("camera_id", Uuid, primary_key=True),
    Column("region", Text), Column("name", Text),
    Column("latitude", Double), Column("longitude", Double), Column("address", Text),
    Column("kind", Text), Column("serial", Text), Column("make", Text), Column("model", Text),
    Column("azimuth_degrees", Double), Column("owner_bin", Text), Column("connected", Boolean),
    Column("functions", ARRAY(Text)), Column("verifications", JSONB),
    Column("device_key", LargeBinary), Column("certificate_number", Text),
    Column("speed_tolerance_kmh", Double), Column("dedupe_seconds", Integer),
    Column("status", Text), Column("status_as_of", _moment), Column("last_seen", _moment),
    Column("version", BigInteger), Column("registered_at", _moment), Column("retired_at", _moment),
    Column("retired_why", Text),
)  # fmt: skip
_SIGNED_OF_LIFE = (CameraStatus.ONLINE, CameraStatus.DEGRADED)


@dataclass(frozen=True)
class Filters:
    """Every one that is set narrows the list."""

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


async def add(tx: Tx, camera: Camera) -> bool:
    """False when the id is taken. Raises SerialTaken."""
    added = await tx.execute(insert(cameras).values(**_row(camera)).on_conflict_do_nothing())
    if added.rowcount:
        return True
    id_taken = await tx.scalar(
        select(cameras.c.camera_id).where(cameras.c.camera_id == camera.camera_id)
    )
    if id_taken is None and await _serial_is_taken(tx, camera.description.serial):
        raise SerialTaken
    return False


async def get(tx: Tx, camera_id: UUID, *, for_update: bool = False) -> Camera:
    """Raises CameraNotFound, also where the region is not the caller's."""
    query = select(cameras).where(cameras.c.camera_id == camera_id)
    row = (await tx.execute(query.with_for_update() if for_update else query)).one_or_none()
    if row is None:
        raise CameraNotFound
    return _camera(row)


async def save(tx: Tx, camera: Camera) -> None:
    """Raises SerialTaken."""
    values = _row(camera)
    try:
        await tx.execute(
            update(cameras).where(cameras.c.camera_id == camera.camera_id).values(**values)
        )
    except IntegrityError as error:
        if "cameras_serial_key" in str(error.orig):
            raise SerialTaken from error
        raise


async def page(tx: Tx, filters: Filters, *, after: UUID | None, size: int) -> list[Camera]:
    query = select(cameras).order_by(cameras.c.camera_id).limit(size)
    if after is not None:
        query = query.where(cameras.c.camera_id > after)
    for condition in _conditions(filters):
        query = query.where(condition)
    return [_camera(row) for row in await tx.execute(query)]


async def counts(tx: Tx, region: str) -> list[Counts]:
    """By region, without retired ones; all regions the scope sees where `region` is empty."""
    query = (
        select(
            cameras.c.region,
            func.count().label("registered"),
            func.count().filter(cameras.c.connected).label("connected"),
            func.count().filter(func.cardinality(cameras.c.functions) > 0).label("with_ai"),
            func.count().filter(cameras.c.status == CameraStatus.ONLINE).label("online"),
        )
        .where(cameras.c.retired_at.is_(None))
        .group_by(cameras.c.region).order_by(cameras.c.region)
    )  # fmt: skip
    if region:
        query = query.where(cameras.c.region == region)
    return [
        Counts(row.region, row.registered, row.connected, row.with_ai, row.online)
        for row in await tx.execute(query)
    ]


async def heard(tx: Tx, beats: Mapping[UUID, tuple[str, datetime]]) -> list[Camera]:
    """Writes signs of life, id → (region, moment); returns the cameras that came online."""
    if not beats:
        return []
    ids = sorted(beats)
    lock = (
        select(cameras.c.camera_id, cameras.c.region, cameras.c.status)
        .where(cameras.c.camera_id.in_(ids), cameras.c.retired_at.is_(None))
        .order_by(cameras.c.camera_id).with_for_update()
    )  # fmt: skip
    known = [row for row in await tx.execute(lock) if beats[row.camera_id][0] == row.region]
    if not known:
        return []
    await tx.execute(_SEEN, [
        {"beat_id": row.camera_id, "beat_at": beats[row.camera_id][1]} for row in known
    ])  # fmt: skip
    woken = [row.camera_id for row in known if row.status not in _SIGNED_OF_LIFE]
    return await _set_status(tx, woken, CameraStatus.ONLINE)


async def fall_silent(tx: Tx, *, before: datetime, now: datetime, limit: int) -> list[Camera]:
    """Marks cameras offline that gave no sign of life since `before`."""
    silent = (
        select(cameras.c.camera_id)
        .where(cameras.c.status.in_(_SIGNED_OF_LIFE), cameras.c.last_seen < before)
        .order_by(cameras.c.camera_id).limit(limit).with_for_update(skip_locked=True)
    )  # fmt: skip
    ids = [row.camera_id for row in await tx.execute(silent)]
    return await _set_status(tx, ids, CameraStatus.OFFLINE, as_of=now)


async def _set_status(tx: Tx, ids: Iterable[UUID], status: CameraStatus,
                      as_of: datetime | None = None) -> list[Camera]:  # fmt: skip
    chosen = list(ids)
    if not chosen:
        return []
    moment: Any = cameras.c.last_seen if as_of is None else as_of
    changed = await tx.execute(
        update(cameras).where(cameras.c.camera_id.in_(chosen))
        .values(status=status.value, status_as_of=moment).returning(cameras)
    )  # fmt: skip
    return [_camera(row) for row in changed]


async def _serial_is_taken(tx: Tx, serial: str) -> bool:
    return bool(await tx.scalar(select(text("1")).where(cameras.c.serial == serial)))


def _conditions(filters: Filters) -> list[Any]:
    conditions: list[Any] = []
    if filters.region:
        conditions.append(cameras.c.region == filters.region)
    if filters.function is not None:
        conditions.append(cameras.c.functions.contains([filters.function.value]))
    if filters.kind is not None:
        conditions.append(cameras.c.kind == filters.kind.value)
    if filters.status is not None:
        conditions.append(cameras.c.status == filters.status.value)
    if filters.circle is not None:
        conditions.extend(_inside(filters.circle))
    if called := filters.serial_or_name:
        by_name = func.lower(cameras.c.name) == func.lower(called)
        conditions.append(or_(cameras.c.serial == called, by_name))
    if not filters.with_retired and filters.status is not CameraStatus.RETIRED:
        conditions.append(cameras.c.retired_at.is_(None))
    return conditions


def _inside(circle: Circle) -> list[Any]:
    """The index narrows to a box; the great-circle distance (haversine) decides."""
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


_SEEN = (
    update(cameras).where(cameras.c.camera_id == bindparam("beat_id"))
    .values(
        last_seen=func.greatest(cameras.c.last_seen, bindparam("beat_at", type_=_moment)),
        status_as_of=func.greatest(cameras.c.last_seen, bindparam("beat_at", type_=_moment)),
    )
)  # fmt: skip


def _row(camera: Camera) -> dict[str, Any]:
    given = camera.description
    return {
        "camera_id": camera.camera_id, "region": given.place.region, "name": given.name,
        "latitude": given.place.latitude, "longitude": given.place.longitude,
        "address": given.place.address, "kind": given.kind.value, "serial": given.serial,
        "make": given.make, "model": given.model, "azimuth_degrees": given.azimuth_degrees,
        "owner_bin": given.owner_bin, "connected": given.connected,
        "functions": [function.value for function in given.functions],
        "verifications": [
            {"number": one.number, "valid_from": one.valid_from.isoformat(),
             "valid_until": one.valid_until.isoformat()}
            for one in given.verifications
        ],
        "device_key": given.device_key, "certificate_number": given.certificate_number,
        "speed_tolerance_kmh": given.speed_tolerance_kmh, "dedupe_seconds": given.dedupe_seconds,
        "status": camera.status.value, "status_as_of": camera.status_as_of,
        "version": camera.version, "registered_at": camera.registered_at,
        "retired_at": camera.retired_at,
        "retired_why": camera.retired_why,
    }  # fmt: skip


def _camera(row: Any) -> Camera:
    return Camera(
        row.camera_id, _description(row), CameraStatus(row.status), row.status_as_of, row.version,
        row.registered_at, row.retired_at, row.retired_why,
    )  # fmt: skip


def _description(row: Any) -> Description:
    return Description(
        name=row.name, place=Place(row.latitude, row.longitude, row.region, row.address),
        kind=CameraKind(row.kind), serial=row.serial, make=row.make, model=row.model,
        azimuth_degrees=row.azimuth_degrees, owner_bin=row.owner_bin, connected=row.connected,
        functions=tuple(AiFunction(name) for name in row.functions),
        verifications=tuple(
            Verification(one["number"], datetime.fromisoformat(one["valid_from"]),
                         datetime.fromisoformat(one["valid_until"]))
            for one in row.verifications
        ),
        device_key=bytes(row.device_key), certificate_number=row.certificate_number,
        speed_tolerance_kmh=row.speed_tolerance_kmh, dedupe_seconds=row.dedupe_seconds,
    )  # fmt: skip
