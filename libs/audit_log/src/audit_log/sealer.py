"""The sealer of the audit log, which adds entries to a signed Merkle tree ("seals" them).

`Tx.audit` writes an entry in the same transaction as the change that the entry records. One sealer
per schema then assigns leaf indices to the waiting entries, stores the roots of the subtrees that
become complete, and signs a new tree head. A head commits to the number and content of all entries,
so that a changed, removed or inserted entry is detected. `api` serves the log.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from chassis.clock import Clock
from chassis.db import Database
from chassis.tables import audit, audit_heads, audit_leaves, audit_pending
from chassis.transaction import SYSTEM, Tx
from cryptography.exceptions import InvalidSignature
from host.leases import Lease, hold
from sqlalchemy import Row, delete, insert, select
from vault.keyring import public_bytes

from audit_log import merkle
from audit_log.heads import head_text
from audit_log.subtrees import add_roots

BATCH = 1000
HASH_BYTES = 32
# Of the service's keys, the one with which heads are signed.
SIGNING_KEY = "audit"


class HeadForged(Exception):
    """The newest head is not signed with the service's key; no entries are added to its tree."""


class Sealer:
    """A loop that adds waiting entries to the signed tree every `every_seconds`.

    A lease ensures that only one process per database schema seals at a time.
    """

    def __init__(self, db: Database, clock: Clock, *, service: str, every_seconds: float) -> None:
        self._db = db
        self._clock = clock
        self._service = service
        self._every_seconds = every_seconds
        self._key = db.keyring.signing_key(SIGNING_KEY)

    async def run(self) -> None:
        """Seal waiting entries until cancelled.

        Raises LeaseLost if another process takes over, HeadForged, or database errors.
        """
        async with hold(self._db, "sealer") as lease:
            while True:
                while await self.seal(lease) == BATCH:
                    pass
                await asyncio.sleep(self._every_seconds)

    async def seal(self, lease: Lease) -> int:
        """Add up to BATCH waiting entries to the tree under a new head; return their number.

        Raises LeaseLost if another process has taken over, and HeadForged if the newest head is not
        signed with the service's key.
        """
        async with lease.begin(SYSTEM) as tx:
            waiting = await _waiting(tx)
            if not waiting:
                return 0
            head = await newest_head(tx)
            if head is not None:
                self._require_own(head)
            size, frontier = (head.tree_size, _split(head.frontier)) if head else (0, [])
            leaves, completed = [], dict[merkle.Subtree, bytes]()
            for row in waiting:
                leaf = merkle.leaf_hash(bytes(row.canonical))
                leaves.append({"leaf_index": size, "entry_id": row.entry_id, "leaf_hash": leaf})
                frontier, subtrees = merkle.append(frontier, size, leaf)
                completed |= subtrees
                size += 1
            await tx.execute(insert(audit_leaves), leaves)
            await add_roots(tx, completed)
            sealed = [row.entry_id for row in waiting]
            await tx.execute(delete(audit_pending).where(audit_pending.c.entry_id.in_(sealed)))
            await tx.execute(insert(audit_heads).values(self._signed_head(size, frontier)))
            return len(waiting)

    def _require_own(self, head: Row[Any]) -> None:
        """Raise HeadForged unless this service signed a head with the key that it has now."""
        frontier = _split(head.frontier)
        said = head_text(self._service, head.tree_size, bytes(head.root), head.sealed_at)
        try:
            self._key.public_key().verify(bytes(head.signature), said)
        except InvalidSignature as error:
            raise HeadForged(f"head of {head.tree_size} entries") from error
        if merkle.root_of(frontier) != bytes(head.root):
            raise HeadForged(f"frontier of {head.tree_size} entries")

    def _signed_head(self, size: int, frontier: Sequence[bytes]) -> dict[str, Any]:
        """The columns of a new row of `audit_heads`."""
        root, sealed_at = merkle.root_of(frontier), self._clock()
        return {
            "tree_size": size,
            "root": root,
            "frontier": b"".join(frontier),
            "sealed_at": sealed_at,
            "signature": self._key.sign(head_text(self._service, size, root, sealed_at)),
            "public_key": public_bytes(self._key),
        }


async def newest_head(tx: Tx) -> Row[Any] | None:
    """The row of `audit_heads` with the largest tree; None before the first sealing."""
    newest = select(audit_heads).order_by(audit_heads.c.tree_size.desc()).limit(1)
    return (await tx.execute(newest)).one_or_none()


async def _waiting(tx: Tx) -> Sequence[Row[Any]]:
    found = await tx.execute(
        select(audit.c.entry_id, audit.c.canonical)
        .join(audit_pending, audit_pending.c.entry_id == audit.c.entry_id)
        .order_by(audit.c.position)
        .limit(BATCH)
    )
    return found.all()


def _split(frontier: bytes) -> list[bytes]:
    return [
        bytes(frontier[start : start + HASH_BYTES]) for start in range(0, len(frontier), HASH_BYTES)
    ]
