"""Lists the versions of a camera's description."""

from uuid import UUID

from chassis.transaction import Tx
from sqlalchemy import BigInteger, bindparam, select, union_all
from statements.reads import Read

from camera_registry.model.history import Version
from camera_registry.storage.cameras import described
from camera_registry.storage.tables import cameras, description_of, versions

# More than any version: what the first page begins before.
NEWEST = 2**63 - 1


async def versions_before(tx: Tx, camera_id: UUID, number: int, *, size: int) -> list[Version]:
    """Return up to `size` versions with numbers below `number`, newest first.

    A camera out of scope has no versions.
    """
    rows = await tx.read(_VERSIONS, camera_id=camera_id, before=number, size=size)
    return [Version(row.version, row.held_from, description_of(row)) for row in rows]


def _versions() -> Read:
    """The present description, which stands with the camera, and the superseded ones."""
    before = bindparam("before", type_=BigInteger)
    parts = [
        described(table).where(
            table.c.camera_id == bindparam("camera_id"), table.c.version < before
        )
        for table in (cameras, versions)
    ]
    found = union_all(*parts).subquery()
    newest = select(found).order_by(found.c.version.desc())
    return Read(newest.limit(bindparam("size", type_=BigInteger)))


_VERSIONS = _versions()
