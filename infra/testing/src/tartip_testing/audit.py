"""Checks a service's audit log and records within a test, as `tartip verify` does from outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from audit_log.api import AuditApi
from audit_log.decision_audit import DecisionAudit
from audit_log.decision_checks import RecordSource
from audit_log.rules import AuditRules
from audit_log.sealer import BATCH, Sealer
from chassis import call_context
from chassis.clock import system_clock
from chassis.db import Database
from chassis.identity import Caller
from host.leases import hold
from tartip.audit.v1 import audit_pb2
from tartip.common.v1 import common_pb2

VERIFIER = Caller("service", "tartip-cli", purpose="test")


async def seal_all(db: Database, service: str) -> None:
    """Seal all waiting entries under a new head. No process of the service may hold the lease."""
    sealer = Sealer(db, system_clock, service=service, every_seconds=60)
    async with hold(db, "sealer") as lease:
        while await sealer.seal(lease) == BATCH:
            pass


async def record_differences(
    db: Database, service: str, sources: Sequence[RecordSource]
) -> list[str]:
    """Return what is wrong with the records of a service, after all waiting entries are sealed."""
    await seal_all(db, service)
    call_context.bind(call_context.Call(VERIFIER, "test", None, ""))
    api, audit = AuditApi(db, service, AuditRules(), sources), DecisionAudit()
    leaves = []
    for page in await _pages(api.ListEntries, audit_pb2.ListEntriesRequest(with_hidden=True)):
        for entry in page.entries:
            audit.note(entry)
            leaves.append(entry.leaf_hash)
    found: list[str] = []
    for page in await _pages(api.CheckDecisions, audit_pb2.CheckDecisionsRequest()):
        for record in page.records:
            found += audit.differences(record, leaves)
    return [*found, *audit.missing()]


async def _pages(method: Any, request: Any) -> list[Any]:
    """All pages of a list."""
    pages = []
    while True:
        request.page.CopyFrom(common_pb2.Page(size=200, token=request.page.token))
        pages.append(await method(request, None))
        request.page.token = pages[-1].next_page_token
        if not request.page.token:
            return pages
