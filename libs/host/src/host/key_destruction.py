"""The destruction of data keys, each with an entry in the audit log.

The log-in that serves calls may not destroy a key: it schedules the destruction, which the log-in
for background work carries out within moments. Whoever orders a destruction leaves the scheduled
work and an audit entry behind, and neither log-in can delete them.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

from chassis.clock import system_clock
from chassis.db import Database
from chassis.transaction import SYSTEM, Tx

# A kind of scheduled work, and the action in the audit log.
DESTROY_KEY = "destroy_key"
# The kind of scheduled work for keys that a restored database needs again.
DISCARD_KEY = "discard_key"


async def schedule_destruction(tx: Tx, key_id: UUID) -> None:
    """Have a key destroyed as soon as this transaction is committed."""
    await tx.schedule(DESTROY_KEY, str(key_id), system_clock())


async def schedule_discarding(tx: Tx, key_id: UUID) -> None:
    """As `schedule_destruction`, for a key that a restored database needs again."""
    await tx.schedule(DISCARD_KEY, str(key_id), system_clock())


async def destroy_recorded(tx: Tx, key_id: UUID) -> None:
    """Destroy a key, and name it in an audit entry. Only the log-in for background work may."""
    entry = tx.audit(DESTROY_KEY, f"key:{key_id}")
    await tx.keys.destroy(key_id, recorded_by=entry.entry_id)


async def discard_recorded(tx: Tx, key_id: UUID) -> None:
    """As `destroy_recorded`, for a key that a restored database needs again."""
    entry = tx.audit(DESTROY_KEY, f"key:{key_id}")
    await tx.keys.discard(key_id, recorded_by=entry.entry_id)


def handlers_of(db: Database) -> dict[str, Callable[[str], Awaitable[None]]]:
    """The handlers of both kinds of scheduled work; the work's key is the data key's id."""

    async def destroy(key: str) -> None:
        async with db.begin(SYSTEM) as tx:
            await destroy_recorded(tx, UUID(key))

    async def discard(key: str) -> None:
        async with db.begin(SYSTEM) as tx:
            await discard_recorded(tx, UUID(key))

    return {DESTROY_KEY: destroy, DISCARD_KEY: discard}
