"""The tables of mesh heads that were given out, and of the witnesses' signatures of them."""

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
    """Create the tables in a service's migration."""
    _metadata.create_all(op.get_bind())
    for table in (mesh_heads, cosignatures):
        grant(op, table.name, "SELECT, INSERT", runtime_role)


async def add_head(tx: Tx, head: audit_pb2.MeshHead) -> None:
    """Keep a mesh head; one with this root is left as it is."""
    row = {"root": head.root, "content": head.SerializeToString(deterministic=True)}
    await tx.execute(insert(mesh_heads).values(row).on_conflict_do_nothing())


async def find_head(tx: Tx, root: bytes) -> audit_pb2.MeshHead | None:
    """The mesh head with this root that was given out."""
    query = select(mesh_heads.c.content).where(mesh_heads.c.root == root)
    content = await tx.scalar(query)
    return None if content is None else audit_pb2.MeshHead.FromString(bytes(content))


async def add_cosignature(tx: Tx, signed: audit_pb2.Cosignature) -> bool:
    """Keep a witness's signature; False if it has signed this root before."""
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
    """The signature of a witness under a root; it must be there."""
    query = _signed().where(cosignatures.c.witness == witness, cosignatures.c.root == root)
    return _to_proto((await tx.execute(query)).one())


async def page(tx: Tx, before: int | None, size: int) -> list[tuple[int, audit_pb2.Cosignature]]:
    """At most `size` signatures before a position, the newest first, each with its position."""
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
