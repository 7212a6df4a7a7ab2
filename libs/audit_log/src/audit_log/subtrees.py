"""Stored hashes of a Merkle tree's perfect subtrees, so that a proof reads only O(log n) rows.

The table `audit_nodes` holds levels 1 and above; level 0, the leaves, is in `audit_leaves`. When
`audit_log.sealer` adds a batch of leaves, it stores the subtrees that the batch completes in the
same transaction. A migration of each service creates `audit_nodes` and fills it from the leaves
already in `audit_leaves`.
"""

from collections.abc import Mapping, Set

from chassis.tables import audit_leaves
from chassis.transaction import Tx
from host.schema import Operations, grant
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    insert,
    select,
    text,
    tuple_,
)

from audit_log.merkle import Subtree

# Nodes per statement of the migration: bounds the memory of the database and keeps each statement
# far below its time-out.
FILLED_AT_ONCE = 50_000

audit_nodes = Table(
    "audit_nodes",
    MetaData(),
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("node_index", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)


async def add_roots(tx: Tx, completed: Mapping[Subtree, bytes]) -> None:
    """Store the root hashes of complete subtrees; each must be of level 1 or above."""
    if completed:
        await tx.execute(
            insert(audit_nodes),
            [
                {"level": subtree.level, "node_index": subtree.index, "hash": root}
                for subtree, root in completed.items()
            ],
        )


async def roots_of(tx: Tx, wanted: Set[Subtree]) -> dict[Subtree, bytes]:
    """The stored root hashes of the `wanted` subtrees; those not yet complete are left out."""
    leaves = [subtree.index for subtree in wanted if subtree.level == 0]
    above = [(subtree.level, subtree.index) for subtree in wanted if subtree.level > 0]
    found = await tx.execute(
        select(audit_leaves.c.leaf_index, audit_leaves.c.leaf_hash).where(
            audit_leaves.c.leaf_index.in_(leaves)
        )
    )
    roots = {Subtree(0, row.leaf_index): bytes(row.leaf_hash) for row in found}
    key = tuple_(audit_nodes.c.level, audit_nodes.c.node_index)
    found = await tx.execute(select(audit_nodes).where(key.in_(above)))
    return roots | {Subtree(row.level, row.node_index): bytes(row.hash) for row in found}


def install_nodes(op: Operations, runtime_role: str) -> None:
    """Create the table `audit_nodes` in a service's migration and fill it from existing leaves.

    The database computes the hashes, at most `FILLED_AT_ONCE` nodes per statement. The role
    `runtime_role` may read the table and add rows.
    """
    connection = op.get_bind()
    audit_nodes.create(connection)
    grant(op, audit_nodes.name, "SELECT, INSERT", runtime_role)
    count = connection.scalar(text("SELECT coalesce(max(leaf_index) + 1, 0) FROM audit_leaves"))
    level = 0
    while count > 1:
        _fill_above(connection, level, count)
        level, count = level + 1, count // 2


def _fill_above(connection: Connection, level: int, count: int) -> None:
    """Insert the parents of the `count` nodes of `level`; an unpaired last node has no parent."""
    paired, step = count - count % 2, 2 * FILLED_AT_ONCE
    for start in range(0, paired, step):
        connection.execute(
            text(_PARENTS.format(children=_LEAVES if level == 0 else _NODES)),
            {"level": level, "start": start, "end": min(start + step, paired)},
        )


_LEAVES = "(SELECT 0 AS level, leaf_index AS node_index, leaf_hash AS hash FROM audit_leaves)"
_NODES = "audit_nodes"
# RFC 9162: the hash of a node is that of 0x01, the left child and the right one (`node_hash`).
_PARENTS = (
    "INSERT INTO audit_nodes (level, node_index, hash)"
    " SELECT level + 1, node_index / 2,"
    " sha256('\\x01'::bytea || string_agg(hash, ''::bytea ORDER BY node_index))"
    " FROM {children} AS children"
    " WHERE level = :level AND node_index >= :start AND node_index < :end"
    " GROUP BY level, node_index / 2"
)
