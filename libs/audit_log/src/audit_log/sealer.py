"""The audit log, sealed into a signed Merkle tree.

Entries are written by `Tx.audit` with the effect they tell of. One sealer a schema gives waiting
entries their leaf index and signs the new head; a head says how many entries there are and what
they were, so that none can be changed, dropped or put in between unnoticed. `audit_api` answers
questions about it.
"""

import asyncio
from datetime import UTC, datetime

from chassis.clock import Clock
from chassis.db import Database, require_held
from chassis.tables import audit, audit_heads, audit_leaves, audit_pending
from chassis.transaction import SYSTEM
from sqlalchemy import delete, insert, select
from vault.keyring import public_bytes

from audit_log import merkle

BATCH = 1000
HASH_BYTES = 32


def head_text(service: str, tree_size: int, root: bytes, sealed_at: datetime) -> bytes:
    """The bytes a head's signature covers."""
    moment = sealed_at.astimezone(UTC).isoformat()
    return f"tartip-audit-v1\n{service}\n{tree_size}\n{root.hex()}\n{moment}".encode()


class Sealer:
    def __init__(self, db: Database, clock: Clock, *, service: str, every_seconds: float) -> None:
        self._db = db
        self._clock = clock
        self._service = service
        self._every_seconds = every_seconds
        self._key = db.keyring.signing_key("audit")

    async def run(self) -> None:
        async with self._db.singleton("sealer") as connection:
            while True:
                await require_held(connection)
                while await self.seal() == BATCH:
                    pass
                await asyncio.sleep(self._every_seconds)

    async def seal(self) -> int:
        """Seals up to BATCH waiting entries under a new head; returns how many."""
        async with self._db.begin(SYSTEM) as tx:
            head = (
                await tx.execute(
                    select(audit_heads).order_by(audit_heads.c.tree_size.desc()).limit(1)
                )
            ).one_or_none()
            waiting = (
                await tx.execute(
                    select(audit.c.entry_id, audit.c.canonical)
                    .join(audit_pending, audit_pending.c.entry_id == audit.c.entry_id)
                    .order_by(audit.c.position)
                    .limit(BATCH)
                )
            ).all()
            if not waiting:
                return 0
            size = head.tree_size if head else 0
            frontier = _split(head.frontier) if head else []
            leaves = []
            for row in waiting:
                leaf = merkle.leaf_hash(bytes(row.canonical))
                leaves.append({"leaf_index": size, "entry_id": row.entry_id, "leaf_hash": leaf})
                frontier = merkle.append(frontier, size, leaf)
                size += 1
            root, sealed_at = merkle.root_of(frontier), self._clock()
            await tx.execute(insert(audit_leaves), leaves)
            await tx.execute(
                delete(audit_pending).where(
                    audit_pending.c.entry_id.in_([row.entry_id for row in waiting])
                )
            )
            await tx.execute(
                insert(audit_heads).values(
                    tree_size=size,
                    root=root,
                    frontier=b"".join(frontier),
                    sealed_at=sealed_at,
                    signature=self._key.sign(head_text(self._service, size, root, sealed_at)),
                    public_key=public_bytes(self._key),
                )
            )
            return len(waiting)


def _split(frontier: bytes) -> list[bytes]:
    return [
        bytes(frontier[start : start + HASH_BYTES]) for start in range(0, len(frontier), HASH_BYTES)
    ]
