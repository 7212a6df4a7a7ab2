"""Checks that a service has the key with which the audit log in its database is signed."""

from chassis.db import Database, storage_is_away
from chassis.tables import audit_heads
from chassis.transaction import SYSTEM
from host.health import Check, Effect, Reasons
from sqlalchemy import exists, select
from vault.keyring import public_bytes

from audit_log.sealer import SIGNING_KEY

_FOREIGN = "are not those of the database: restore the folder of its keys"


def own_key_check(db: Database) -> Check:
    """Return a check that fails if the log has signed heads, and none was signed with the key of
    this process.

    A service makes the keys that it does not find. Where the folder of its keys is lost, or is on a
    disk that is not mounted, it would go on with new ones: what was encrypted could not be read,
    and nothing would be sealed. So a keyring that is foreign is refused (`Keyring.is_foreign`):
    calls are answered as if the storage were away, and events and scheduled work wait.
    """
    own = audit_heads.c.public_key == public_bytes(db.keyring.signing_key(SIGNING_KEY))
    any_head, own_head = exists(audit_heads.select()), exists(audit_heads.select().where(own))
    is_foreign = select(any_head & ~own_head)
    was_own = False

    async def look() -> Reasons:
        nonlocal was_own
        if was_own:
            return {}
        try:
            async with db.begin(SYSTEM) as tx:
                was_own = not await tx.scalar(is_foreign)
                db.keyring.is_foreign = not was_own
        except Exception as error:
            if storage_is_away(error):  # the check of the database reports that
                return {}
            raise
        return {} if was_own else {"keys": _FOREIGN}

    return Check("keys", Effect.UNREADY, look)
