"""Tables of the mesh heads that witnesses received, and of the signatures that witnesses gave.

A mesh head is one Merkle root over the newest heads of all services' audit logs. A witness is an
outside partner that signs mesh heads, so that the logs cannot be rewritten unnoticed.
"""

from datetime import datetime
from typing import Any

from chassis.clock import from_timestamp, to_timestamp
from chassis.transaction import Tx
from host.schema import Operations, grant
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    LargeBinary,
    MetaData,
    Table,
    Text,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from tartip.audit.v1 import audit_pb2

_metadata = MetaData()
mesh_heads = Table(
    "mesh_heads",
    _metadata,
    Column("root", LargeBinary, primary_key=True),
    # The message MeshHead.
    Column("content", LargeBinary, nullable=False),
)
cosignatures = Table(
    "cosignatures",
    _metadata,
    Column("witness", Text, primary_key=True),
    Column("root", LargeBinary, primary_key=True),
    Column("position", BigInteger, Identity(always=True), nullable=False, unique=True),
    Column("signature", LargeBinary, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
)


def install_cosignatures(op: Operations, runtime_role: str) -> None:
    """Create both tables in a service's migration; `runtime_role` may read them and add rows."""
    _metadata.create_all(op.get_bind())
    for table in (mesh_heads, cosignatures):
        grant(op, table.name, "SELECT, INSERT", runtime_role)


async def add_head(tx: Tx, head: audit_pb2.MeshHead) -> None:
    """Store a mesh head; do nothing if one with the same root is stored already."""
    row = {"root": head.root, "content": head.SerializeToString(deterministic=True)}
    await tx.execute(insert(mesh_heads).values(row).on_conflict_do_nothing())


async def find_head(tx: Tx, root: bytes) -> audit_pb2.MeshHead | None:
    """Return the stored mesh head with this root; None if there is none."""
    query = select(mesh_heads.c.content).where(mesh_heads.c.root == root)
    content = await tx.scalar(query)
    return None if content is None else audit_pb2.MeshHead.FromString(bytes(content))


async def add_cosignature(tx: Tx, signed: audit_pb2.Cosignature) -> bool:
    """Store a witness's signature of a mesh head and return True.

    If a signature by this witness for this root is stored already, do nothing and return False.
    """
    added = await tx.execute(
        insert(cosignatures)
        .values(
            witness=signed.witness,
            root=signed.head.root,
            signature=signed.signature,
            public_key=signed.public_key,
            received_at=from_timestamp(signed.received_at),
        )
        .on_conflict_do_nothing()
    )
    return bool(added.rowcount)


async def get_cosignature(tx: Tx, witness: str, root: bytes) -> audit_pb2.Cosignature:
    """Return a witness's stored signature for a root. Raises NoResultFound if there is none."""
    query = _signed().where(cosignatures.c.witness == witness, cosignatures.c.root == root)
    return _to_proto((await tx.execute(query)).one())


async def page(tx: Tx, before: int | None, size: int) -> list[tuple[int, audit_pb2.Cosignature]]:
    """Return at most `size` signatures as (position, signature), the newest first.

    Positions are numbers in the order of storing. If `before` is given, only signatures at lower
    positions are returned.
    """
    query = _signed()
    if before is not None:
        query = query.where(cosignatures.c.position < before)
    rows = await tx.execute(query.order_by(cosignatures.c.position.desc()).limit(size))
    return [(row.position, _to_proto(row)) for row in rows]


def _signed() -> Any:
    return select(cosignatures, mesh_heads.c.content).join(
        mesh_heads, mesh_heads.c.root == cosignatures.c.root
    )


def _to_proto(row: Any) -> audit_pb2.Cosignature:
    received_at: datetime = row.received_at
    return audit_pb2.Cosignature(
        witness=row.witness,
        head=audit_pb2.MeshHead.FromString(bytes(row.content)),
        signature=bytes(row.signature),
        public_key=bytes(row.public_key),
        received_at=to_timestamp(received_at),
    )
