"""A log that is rewritten whole, and signed anew with the service's own key, is found by the heads
that others have kept: the supervisor in its folder, a witness in its file."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from audit_log.heads import SignedHead
from audit_log.sealer import newest_head
from chassis.db import Database
from chassis.transaction import SYSTEM
from sqlalchemy import text
from tartip_cli.clients.kept_heads import kept_heads
from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Failure
from tartip_cli.settings import Settings
from tartip_cli.supervisor.heads import folder_of, keep
from tartip_testing.audit import seal_all

SERVICE = "scratch"
Leaves = Callable[[], Awaitable[list[bytes]]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "home").mkdir()
    return Settings(home=tmp_path / "home", checkout=tmp_path, heads_dir=tmp_path / "heads")


async def sealed(db: Database, *things: str) -> SignedHead:
    async with db.begin(SYSTEM) as tx:
        for thing in things:
            tx.audit("read", f"thing:{thing}")
    await seal_all(db, SERVICE)
    async with db.begin(SYSTEM) as tx:
        row = await newest_head(tx)
    assert row is not None
    return SignedHead(
        SERVICE,
        row.tree_size,
        bytes(row.root),
        row.sealed_at,
        bytes(row.signature),
        bytes(row.public_key),
    )


async def leaves_of(db: Database) -> list[bytes]:
    async with db.begin(SYSTEM) as tx:
        rows = await tx.execute(text("SELECT leaf_hash FROM audit_leaves ORDER BY leaf_index"))
        return [bytes(row.leaf_hash) for row in rows]


async def rewrite(db: Database, owner_execute: Any, *things: str) -> SignedHead:
    """Replace the whole log by one of other entries, with leaves, nodes and heads that fit."""
    for table in ("audit", "audit_pending", "audit_leaves", "audit_nodes", "audit_heads"):
        await owner_execute(f"DELETE FROM {table}", {})
    return await sealed(db, *things)


def wrong_by(settings: Settings, leaves: list[bytes], *witnesses: Path) -> list[str]:
    wrong: list[str] = []
    kept_heads(settings, witnesses).compare(SERVICE, leaves, wrong)
    return wrong


async def test_a_rewritten_log_is_found_by_the_heads_in_the_folder(
    db: Database, owner_execute: Any, settings: Settings
) -> None:
    folder = folder_of(settings.heads_dir, DataDir(settings.home))
    for things in (("1", "2"), ("3",)):
        keep(folder, await sealed(db, *things))
    assert wrong_by(settings, await leaves_of(db)) == []
    forged = await rewrite(db, owner_execute, "1", "forged", "3", "4")
    assert forged.is_signed, "the service's own key has signed it"
    [wrong] = wrong_by(settings, await leaves_of(db))
    assert wrong.startswith("the log does not begin with the 2 entries of which scratch.")


async def test_a_shortened_log_and_a_rewritten_one_are_found_by_a_witness(
    db: Database, owner_execute: Any, settings: Settings, tmp_path: Path
) -> None:
    witness = tmp_path / "witness.jsonl"
    witness.write_text((await sealed(db, "1", "2")).as_line() + "\n")
    assert wrong_by(settings, await leaves_of(db), witness) == []
    await rewrite(db, owner_execute, "1")
    assert len(wrong_by(settings, await leaves_of(db), witness)) == 1
    await rewrite(db, owner_execute, "forged", "2")
    assert len(wrong_by(settings, await leaves_of(db), witness)) == 1


async def test_a_head_is_kept_once_and_one_that_nobody_signed_is_told(
    db: Database, settings: Settings
) -> None:
    folder, head = folder_of(settings.heads_dir, DataDir(settings.home)), await sealed(db, "1")
    keep(folder, head)
    keep(folder, head)
    [path] = folder.glob("*.jsonl")
    assert path.read_text() == head.as_line() + "\n"
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    path.write_text(head.as_line().replace(head.signature.hex(), "00" * 64) + "\n")
    [wrong] = wrong_by(settings, await leaves_of(db))
    assert wrong.endswith("that nobody signed")


async def test_a_line_cut_off_by_a_failure_is_removed_and_a_broken_one_is_named(
    db: Database, settings: Settings
) -> None:
    folder, head = folder_of(settings.heads_dir, DataDir(settings.home)), await sealed(db, "1")
    keep(folder, head)
    [path] = folder.glob("*.jsonl")
    path.write_text(head.as_line() + "\n" + head.as_line()[:20])
    assert wrong_by(settings, await leaves_of(db)) == []
    later = await sealed(db, "2")
    keep(folder, later)
    assert path.read_text().splitlines() == [head.as_line(), later.as_line()]
    path.write_text(f"{head.as_line()}\n{head.as_line()[:20]}\n{later.as_line()}\n")
    with pytest.raises(Failure, match="line 2: not a head"):
        kept_heads(settings, ())


def test_heads_are_not_kept_inside_the_data_folder(settings: Settings) -> None:
    with pytest.raises(Failure, match="TARTIP_HEADS_DIR"):
        folder_of(settings.home / "heads", DataDir(settings.home))
