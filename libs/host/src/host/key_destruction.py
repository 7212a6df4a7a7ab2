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
    """Schedule the destruction of a data key, for the moment after this transaction's commit."""
    await tx.schedule(DESTROY_KEY, str(key_id), system_clock())


async def schedule_discarding(tx: Tx, key_id: UUID) -> None:
    """Schedule the destruction of a data key whose id is not to be listed (`host.erasures`).

    A database that is restored to an earlier moment has such a key again, and needs it.
    """
    await tx.schedule(DISCARD_KEY, str(key_id), system_clock())


async def destroy_recorded(tx: Tx, key_id: UUID) -> None:
    """Destroy a data key, and add an audit entry about it.

    Needs the log-in for background work; PostgreSQL does not let the log-in for calls destroy keys.
    """
    entry = tx.audit(DESTROY_KEY, f"key:{key_id}")
    await tx.keys.destroy(key_id, recorded_by=entry.entry_id)


async def discard_recorded(tx: Tx, key_id: UUID) -> None:
    """Destroy a data key as `destroy_recorded` does, but do not list its id (`host.erasures`)."""
    entry = tx.audit(DESTROY_KEY, f"key:{key_id}")
    await tx.keys.discard(key_id, recorded_by=entry.entry_id)


def handlers_of(db: Database) -> dict[str, Callable[[str], Awaitable[None]]]:
    """Return the handlers of the scheduled work DESTROY_KEY and DISCARD_KEY, by kind of work.

    A handler is called with the id of the data key.
    """

    async def destroy(key: str) -> None:
        async with db.begin(SYSTEM) as tx:
            await destroy_recorded(tx, UUID(key))

    async def discard(key: str) -> None:
        async with db.begin(SYSTEM) as tx:
            await discard_recorded(tx, UUID(key))

    return {DESTROY_KEY: destroy, DISCARD_KEY: discard}
