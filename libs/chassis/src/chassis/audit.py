"""The audit log: sealing it into a signed Merkle tree, and answering `tartip.audit.v1`.

Entries are written by `Tx.audit` with the effect they tell of. One sealer a schema gives waiting
entries their leaf index and signs the new head; a head says how many entries there are and what
they were, so that none can be changed, dropped or put in between unnoticed.
"""

import asyncio
import logging
import re
from datetime import UTC, datetime

import grpc
from sqlalchemy import delete, insert, select
from tartip.audit.v1 import audit_pb2, audit_pb2_grpc

from chassis import merkle
from chassis.clock import Clock, to_timestamp
from chassis.db import SYSTEM, Database, require_held
from chassis.refusals import Kind, PageTokenWrong, Refusal, Says
from chassis.sealing import public_bytes
from chassis.tables import audit, audit_heads, audit_leaves, audit_pending

BATCH = 1000
HASH_BYTES = 32
log = logging.getLogger(__name__)


class NothingSealed(Refusal):
    kind = Kind.STATE
    code = "NOTHING_SEALED"
    says = Says(
        en="Nothing has been sealed yet; try again in a minute.",
        ru="Ещё ничего не запечатано; повторите через минуту.",
        kk="Әзірге ештеңе мөрленген жоқ; бір минуттан кейін қайталаңыз.",
    )


class EntryNotSealed(Refusal):
    kind = Kind.NOT_FOUND
    code = "ENTRY_NOT_SEALED"
    says = Says(
        en="No sealed entry has this index.",
        ru="Нет запечатанной записи с этим номером.",
        kk="Бұл нөмірмен мөрленген жазба жоқ.",
    )


class TreeSizeUnknown(Refusal):
    kind = Kind.INVALID
    code = "TREE_SIZE_UNKNOWN"
    says = Says(
        en="There is no head of this size.",
        ru="Нет вершины такого размера.",
        kk="Мұндай өлшемдегі төбе жоқ.",
    )


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


class AuditApi(audit_pb2_grpc.AuditServicer):
    def __init__(self, db: Database, service: str) -> None:
        self._db = db
        self._service = service

    async def GetHead(
        self, request: audit_pb2.GetHeadRequest, context: grpc.aio.ServicerContext
    ) -> audit_pb2.GetHeadResponse:
        async with self._db.begin(SYSTEM) as tx:
            head = (
                await tx.execute(
                    select(audit_heads).order_by(audit_heads.c.tree_size.desc()).limit(1)
                )
            ).one_or_none()
        if head is None:
            raise NothingSealed
        return audit_pb2.GetHeadResponse(
            head=audit_pb2.Head(
                service=self._service,
                tree_size=head.tree_size,
                root=bytes(head.root),
                sealed_at=to_timestamp(head.sealed_at),
                signature=bytes(head.signature),
                public_key=bytes(head.public_key),
            )
        )

    async def ListEntries(
        self, request: audit_pb2.ListEntriesRequest, context: grpc.aio.ServicerContext
    ) -> audit_pb2.ListEntriesResponse:
        limit = min(max(request.page.size or 50, 1), 200)
        token = request.page.token
        if token and not re.fullmatch(r"[0-9]{1,18}", token):
            raise PageTokenWrong
        first = int(token) if token else request.from_index
        async with self._db.begin(SYSTEM) as tx:
            rows = (
                await tx.execute(
                    select(audit_leaves.c.leaf_index, audit.c.canonical)
                    .join(audit, audit.c.entry_id == audit_leaves.c.entry_id)
                    .where(audit_leaves.c.leaf_index >= first)
                    .order_by(audit_leaves.c.leaf_index)
                    .limit(limit)
                )
            ).all()
        return audit_pb2.ListEntriesResponse(
            entries=[
                audit_pb2.AuditEntry(leaf_index=row.leaf_index, canonical=bytes(row.canonical))
                for row in rows
            ],
            next_page_token=str(rows[-1].leaf_index + 1) if len(rows) == limit else "",
        )

    async def ProveInclusion(
        self, request: audit_pb2.ProveInclusionRequest, context: grpc.aio.ServicerContext
    ) -> audit_pb2.ProveInclusionResponse:
        leaves = await self._leaves(request.tree_size)
        if not 0 <= request.leaf_index < len(leaves):
            raise EntryNotSealed
        path = merkle.inclusion_path(leaves, request.leaf_index)
        return audit_pb2.ProveInclusionResponse(path=path)

    async def ProveConsistency(
        self, request: audit_pb2.ProveConsistencyRequest, context: grpc.aio.ServicerContext
    ) -> audit_pb2.ProveConsistencyResponse:
        if request.first_size > request.second_size or request.first_size < 0:
            raise TreeSizeUnknown
        leaves = await self._leaves(request.second_size)
        path = merkle.consistency_path(leaves, request.first_size)
        return audit_pb2.ProveConsistencyResponse(path=path)

    async def _leaves(self, tree_size: int) -> list[bytes]:
        async with self._db.begin(SYSTEM) as tx:
            known = await tx.scalar(
                select(audit_heads.c.tree_size).where(audit_heads.c.tree_size == tree_size)
            )
            if known is None:
                raise TreeSizeUnknown
            rows = await tx.execute(
                select(audit_leaves.c.leaf_hash)
                .where(audit_leaves.c.leaf_index < tree_size)
                .order_by(audit_leaves.c.leaf_index)
            )
            return [bytes(row.leaf_hash) for row in rows]


def _split(frontier: bytes) -> list[bytes]:
    return [
        bytes(frontier[start : start + HASH_BYTES]) for start in range(0, len(frontier), HASH_BYTES)
    ]
