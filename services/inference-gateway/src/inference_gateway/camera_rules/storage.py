"""The table of configurations, and every statement over it."""

from uuid import UUID

from chassis.tables import service_now
from chassis.transaction import Tx
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

from inference_gateway.camera_rules.model import Configuration, ConfigurationChangedMeanwhile
from inference_gateway.cameras.model import Camera

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
    """As far as the transaction's scope sees it; version 0 where there is none."""
    found = select(camera_functions).where(camera_functions.c.camera_id == camera_id)
    row = (await tx.execute(found)).one_or_none()
    if row is None:
        return Configuration()
    return Configuration(row.version, bytes(row.content), row.configured_at)


async def configure(tx: Tx, camera: Camera, content: bytes, *, from_version: int) -> int:
    """The new version. Raises ConfigurationChangedMeanwhile, also for two at once."""
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
