"""Lists the versions of a camera's description."""

from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import BigInteger, bindparam, select
from statements.reads import Read

from camera_registry.model.history import Version
from camera_registry.storage.tables import description_of, versions

# More than any version: what the first page begins before.
NEWEST = 2**63 - 1


async def versions_before(tx: Tx, camera_id: UUID, number: int, *, size: int) -> list[Version]:
    """Return the last `size` versions before `number`, newest first; none for an unseen camera."""
    rows = await tx.read(_VERSIONS, camera_id=camera_id, before=number, size=size)
    return [Version(row.version, row.held_from, description_of(row)) for row in rows]


_VERSIONS = Read(
    select(versions)
    .where(
        versions.c.camera_id == bindparam("camera_id"),
        versions.c.version < bindparam("before", type_=BigInteger),
    )
    .order_by(versions.c.version.desc())
    .limit(bindparam("size", type_=BigInteger))
)
