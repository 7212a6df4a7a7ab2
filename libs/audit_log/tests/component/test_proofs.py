"""Proofs are made of a few kept hashes, whether the log grew here or was there before."""

from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from audit_log import merkle, subtrees
from audit_log.api import AuditApi, EntryNotSealed, TreeSizeUnknown
from audit_log.rules import AuditRules
from audit_log.sealer import Sealer
from chassis.clock import system_clock
from chassis.db import Database
from chassis.transaction import SYSTEM
from host.leases import hold
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from tartip.audit.v1 import audit_pb2

BATCHES = (1, 5, 64, 30)
SIZE = sum(BATCHES)


@pytest.fixture
async def leaves(db: Database) -> list[bytes]:
    """A log of several heads; its leaves' hashes."""
    sealer = Sealer(db, system_clock, service="scratch", every_seconds=60)
    async with hold(db, "sealer") as lease:
        for entries in BATCHES:
            async with db.begin(SYSTEM) as tx:
                for number in range(entries):
                    tx.audit("read", f"thing:{number}")
            assert await sealer.seal(lease) == entries
    return [bytes(row.leaf_hash) for row in await rows(db, "audit_leaves")]


async def rows(db: Database, table: str) -> list[Any]:
    async with db.begin(SYSTEM) as tx:
        return list((await tx.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2"))).all())


async def inclusion(db: Database, index: int, size: int) -> list[bytes]:
    request = audit_pb2.ProveInclusionRequest(leaf_index=index, tree_size=size)
    answer = await AuditApi(db, "scratch", AuditRules()).ProveInclusion(request, None)  # type: ignore[arg-type]
    return list(answer.path)


async def consistency(db: Database, first: int, second: int) -> list[bytes]:
    request = audit_pb2.ProveConsistencyRequest(first_size=first, second_size=second)
    answer = await AuditApi(db, "scratch", AuditRules()).ProveConsistency(request, None)  # type: ignore[arg-type]
    return list(answer.path)


async def test_every_entry_and_every_earlier_head_is_proved(
    db: Database, leaves: list[bytes]
) -> None:
    root = merkle.root(leaves)
    for index in range(SIZE):
        path = await inclusion(db, index, SIZE)
        assert merkle.verify_inclusion(leaves[index], index, SIZE, path, root)
    for first in (1, 6, 70, SIZE):
        path = await consistency(db, first, SIZE)
        earlier = merkle.root(leaves[:first])
        assert merkle.verify_consistency(first, SIZE, path, earlier, root)


async def test_a_proof_reads_the_sibling_and_no_other_leaf(
    db: Database, leaves: list[bytes], owner_execute: Any
) -> None:
    expected = await inclusion(db, 42, SIZE)
    await owner_execute("DELETE FROM audit_leaves WHERE leaf_index <> 43", {})
    assert await inclusion(db, 42, SIZE) == expected


async def test_what_was_never_sealed_is_refused_by_name(db: Database, leaves: list[bytes]) -> None:
    for size in (0, -1, 2, SIZE + 1):
        with pytest.raises(TreeSizeUnknown):
            await inclusion(db, 0, size)
        with pytest.raises(TreeSizeUnknown):
            await consistency(db, 1, size)
    for index in (-1, SIZE):
        with pytest.raises(EntryNotSealed):
            await inclusion(db, index, SIZE)
    for first in (-1, SIZE + 1):
        with pytest.raises(TreeSizeUnknown):
            await consistency(db, first, SIZE)


@pytest.mark.parametrize("at_once", [1, 7, 50_000])
async def test_a_log_of_before_is_filled_in_as_if_it_had_grown_here(
    db: Database,
    leaves: list[bytes],
    postgres: Any,
    owner_execute: Any,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
) -> None:
    grown = await rows(db, "audit_nodes")
    await owner_execute("DROP TABLE audit_nodes", {})
    monkeypatch.setattr(subtrees, "FILLED_AT_ONCE", at_once)
    await install(postgres)
    assert await rows(db, "audit_nodes") == grown
    path = await inclusion(db, 42, SIZE)
    assert merkle.verify_inclusion(leaves[42], 42, SIZE, path, merkle.root(leaves))


async def install(postgres: Any) -> None:
    def run(connection: Connection) -> None:
        operations = Operations(MigrationContext.configure(connection))
        subtrees.install_nodes(operations, "chassis_scratch_runtime")

    owner = urlunsplit(urlsplit(postgres.database.url)._replace(scheme="postgresql+asyncpg"))
    engine = create_async_engine(owner)
    async with engine.begin() as connection:
        await connection.execute(text("SET search_path = chassis_scratch"))
        await connection.run_sync(run)
    await engine.dispose()
