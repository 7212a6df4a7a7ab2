"""The database table of cached cameras, and its SQL statements."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from inference_gateway.cameras.model import Camera

_metadata = MetaData()
_moment = DateTime(timezone=True)

cameras = Table(
    "cameras",
    _metadata,
    Column("camera_id", Uuid, primary_key=True),
    Column("region", Text),
    Column("known_version", BigInteger),
    Column("version", BigInteger),
    Column("serial", Text),
    Column("device_key", LargeBinary),
    Column("retired", Boolean),
    Column("fetched_at", _moment),
)


@dataclass(frozen=True)
class CachedCamera:
    """The result of looking up a camera in the cache. The field `camera` is the stored copy, None
    if there is none. `fetched_at` is when the copy was read from the camera register, None if it
    must be read again."""

    camera: Camera | None
    fetched_at: datetime | None


async def cached_camera(tx: Tx, camera_id: UUID) -> CachedCamera:
    row = (await tx.execute(select(cameras).where(cameras.c.camera_id == camera_id))).one_or_none()
    if row is None or row.fetched_at is None:
        return CachedCamera(None, None)
    camera = Camera(
        row.camera_id, row.region, row.version, row.serial, bytes(row.device_key), row.retired
    )
    return CachedCamera(camera, row.fetched_at if row.version >= row.known_version else None)


async def cache_camera(tx: Tx, camera: Camera, fetched_at: datetime) -> None:
    """Store a camera as fetched from the register, unless a newer version is already stored."""
    values = {
        "region": camera.region,
        "version": camera.version,
        "serial": camera.serial,
        "device_key": camera.device_key,
        "fetched_at": fetched_at,
    }
    new = insert(cameras).values(
        camera_id=camera.camera_id, known_version=camera.version, retired=camera.retired, **values
    )
    await tx.execute(
        new.on_conflict_do_update(
            index_elements=["camera_id"],
            set_={
                **values,
                "known_version": func.greatest(cameras.c.known_version, camera.version),
                "retired": cameras.c.retired | camera.retired,
            },
            where=cameras.c.version <= camera.version,
        )
    )


async def announce_camera(
    tx: Tx, camera_id: UUID, *, region: str, version: int, retired: bool = False
) -> bool:
    """Record the version of a camera that an event announced. A cached copy of an older version is
    then outdated: `cached_camera` returns it without `fetched_at`.

    Returns whether `version` is the newest version known; events may arrive out of order.
    """
    new = insert(cameras).values(
        camera_id=camera_id,
        region=region,
        known_version=version,
        version=0,
        serial="",
        device_key=b"",
        retired=retired,
    )
    newest = await tx.scalar(
        new.on_conflict_do_update(
            index_elements=["camera_id"],
            set_={
                "known_version": func.greatest(cameras.c.known_version, version),
                "retired": cameras.c.retired | retired,
            },
        ).returning(cameras.c.known_version)
    )
    return bool(newest == version)
