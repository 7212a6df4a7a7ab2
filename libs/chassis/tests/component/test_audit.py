"""What was done and seen is sealed, and what was changed afterwards shows."""

from typing import Any

import pytest
from chassis import merkle
from chassis.audit import AuditApi, Sealer, head_text
from chassis.clock import system_clock
from chassis.db import SYSTEM, Database
from chassis.refusals import PageTokenWrong
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import text
from tartip.audit.v1 import audit_pb2
from tartip.common.v1.common_pb2 import Page


async def sealed(db: Database, entries: int) -> Any:
    sealer = Sealer(db, system_clock, service="scratch", every_seconds=60)
    async with db.begin(SYSTEM) as tx:
        for number in range(entries):
            tx.audit("read", f"fine:{number}")
    assert await sealer.seal() == entries
    async with db.begin(SYSTEM) as tx:
        rows = await tx.execute(text("SELECT * FROM audit_heads ORDER BY tree_size DESC LIMIT 1"))
        return rows.one()


async def test_a_head_covers_every_entry_in_order_and_is_signed(db: Database) -> None:
    await sealed(db, 3)
    head = await sealed(db, 4)
    async with db.begin(SYSTEM) as tx:
        rows = await tx.execute(
            text(
                "SELECT canonical FROM audit JOIN audit_leaves USING (entry_id) ORDER BY leaf_index"
            )
        )
        leaves = [merkle.leaf_hash(bytes(row.canonical)) for row in rows]
    assert (head.tree_size, bytes(head.root)) == (7, merkle.root(leaves))
    Ed25519PublicKey.from_public_bytes(bytes(head.public_key)).verify(
        bytes(head.signature),
        head_text("scratch", head.tree_size, bytes(head.root), head.sealed_at),
    )


async def test_nothing_waiting_makes_no_new_head(db: Database) -> None:
    await sealed(db, 2)
    sealer = Sealer(db, system_clock, service="scratch", every_seconds=60)
    assert await sealer.seal() == 0


@pytest.mark.parametrize("wrong", ["²", "9" * 40, "-1", "x"])
async def test_a_page_token_of_nobody_is_refused_by_name(db: Database, wrong: str) -> None:
    request = audit_pb2.ListEntriesRequest(page=Page(token=wrong))
    with pytest.raises(PageTokenWrong):
        await AuditApi(db, "scratch").ListEntries(request, None)  # type: ignore[arg-type]
