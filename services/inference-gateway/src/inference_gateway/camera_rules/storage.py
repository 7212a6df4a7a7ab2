"""The database table of camera configurations, its SQL statements, and a cache whose entries expire
after two seconds."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from chassis.db import Database
from chassis.tables import service_now
from chassis.transaction import SYSTEM, Tx
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from inference_gateway.camera_rules.messages import stored_functions
from inference_gateway.camera_rules.model import (
    DEFAULT,
    CameraFunctions,
    Configuration,
    ConfigurationChangedMeanwhile,
)
from inference_gateway.cameras.model import Camera

TTL_SECONDS = 2.0
CAMERAS_MAX = 4096
_metadata = MetaData()

camera_functions = Table(
    "camera_functions",
    _metadata,
    Column("camera_id", Uuid, primary_key=True),
    Column("region", Text),
    Column("version", BigInteger),
    Column("content", LargeBinary),
    Column("configured_at", DateTime(timezone=True)),
)


async def configuration(tx: Tx, camera_id: UUID) -> Configuration:
    """Return the camera's configuration; version 0 if `tx` finds none in its scope."""
    found = select(camera_functions).where(camera_functions.c.camera_id == camera_id)
    row = (await tx.execute(found)).one_or_none()
    if row is None:
        return Configuration()
    return Configuration(row.version, bytes(row.content), row.configured_at)


async def configure(tx: Tx, camera: Camera, content: bytes, *, from_version: int) -> int:
    """Replace the stored configuration of version `from_version`; return the new version.

    Raises ConfigurationChangedMeanwhile if the stored configuration has a different version.
    """
    told = {
        "region": camera.region,
        "version": from_version + 1,
        "content": content,
        "configured_at": service_now,
    }
    new = insert(camera_functions).values(camera_id=camera.camera_id, **told)
    written = await tx.execute(
        new.on_conflict_do_update(
            index_elements=["camera_id"],
            set_=told,
            where=camera_functions.c.version == from_version,
        )
    )
    if not written.rowcount:
        raise ConfigurationChangedMeanwhile
    return from_version + 1


class Configurations:
    """The AI functions configured for each camera, cached for two seconds.

    Every instance of the service applies a new configuration within two seconds. `of` returns the
    same object again until the version of the camera's configuration changes.
    """

    def __init__(self, db: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._clock = clock
        self._known: dict[UUID, _Known] = {}

    async def of(self, camera_id: UUID) -> CameraFunctions:
        known, now = self._known.get(camera_id), self._clock()
        if known is not None and now < known.until:
            return known.functions
        async with self._db.begin(SYSTEM) as tx:
            stored = await configuration(tx, camera_id)
        if known is not None and known.version == stored.version:
            functions = known.functions
        else:
            functions = stored_functions(stored.content) if stored.version else DEFAULT
        self._known.pop(camera_id, None)
        self._known[camera_id] = _Known(functions, stored.version, now + TTL_SECONDS)
        if len(self._known) > CAMERAS_MAX:
            self._known.pop(next(iter(self._known)))
        return functions

    def forget(self, camera_id: UUID) -> None:
        self._known.pop(camera_id, None)


@dataclass(frozen=True)
class _Known:
    functions: CameraFunctions
    version: int
    until: float
