"""Entries of batches are large: a page of them ends early, and all pages together have each."""

from audit_log.api import PAGE_BYTES
from chassis.db import Database
from chassis.transaction import SYSTEM
from tartip.audit.v1 import audit_pb2
from tartip.common.v1.common_pb2 import Page

from .test_audit import VERIFIER, auditor, objects, reader, seal


async def test_a_page_of_large_entries_ends_early_and_none_is_lost(db: Database) -> None:
    sizes = [80_000] * 40 + [0, 2 * PAGE_BYTES, 0]
    async with db.begin(SYSTEM) as tx:
        for number, size in enumerate(sizes):
            tx.audit("import", f"thing:{number}", facts={"long": "x" * size})
    assert await seal(db) == len(sizes)
    checking, request = reader(db, VERIFIER), audit_pb2.ListEntriesRequest(page=Page(size=200))
    pages = [await checking.list_entries(request)]
    while pages[-1].next_page_token:
        request.page.token = pages[-1].next_page_token
        pages.append(await checking.list_entries(request))
    assert [len(page.entries) for page in pages] == [13, 13, 13, 2, 1, 1]
    assert [entry.leaf_index for page in pages for entry in page.entries] == [*range(43)]
    assert all(page.ByteSize() < 1.5 * PAGE_BYTES for page in pages if len(page.entries) > 1)
    assert objects(await reader(db, auditor("*")).entries()) == [f"thing:{n}" for n in range(43)]
