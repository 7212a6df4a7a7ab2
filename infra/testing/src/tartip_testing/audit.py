"""Checks a service's audit log and records in a test, as `tartip verify` does from outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from audit_log.api import AuditApi
from audit_log.decision_audit import DecisionAudit
from audit_log.decision_checks import RecordSource
from audit_log.rules import AuditRules
from audit_log.sealer import BATCH, Sealer
from chassis import call_context
from chassis.channels import Channels
from chassis.clock import system_clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.purpose import purpose_metadata
from host.leases import hold
from tartip.audit.v1 import audit_pb2, audit_pb2_grpc
from tartip.common.v1 import common_pb2
from tartip_cli.topology import COMMAND_LINE

from tartip_testing.mesh import RunningTestMesh

Ask = Callable[[Any], Awaitable[Any]]
_SECONDS = 30.0
VERIFIER = Caller("service", "tartip-cli", purpose="test")


async def seal_all(db: Database, service: str) -> None:
    """Add all waiting entries of a service's log to the signed tree.

    No process of the service may run: it would have the sealer's lease, which only one process can
    have at a time.
    """
    sealer = Sealer(db, system_clock, service=service, every_seconds=60)
    async with hold(db, "sealer") as lease:
        while await sealer.seal(lease) == BATCH:
            pass


async def record_differences(
    db: Database, seal_url: str, service: str, sources: Sequence[RecordSource]
) -> set[str]:
    """Return sentences on what is wrong with the records of a service. The set is empty if all is
    right.

    `sources` supply the service's records. Waiting entries are sealed (signed) first, through the
    database URL `seal_url`. No process of the service may run.
    """
    sealing = Database(seal_url, service=service, keyring=db.keyring, clock=system_clock)
    await seal_all(sealing, service)
    await sealing.close()
    call_context.bind(call_context.Call(VERIFIER, "test", None, ""))
    api = AuditApi(db, service, AuditRules(), sources)
    return await _differences(
        lambda request: api.ListEntries(request, None),  # type: ignore[arg-type]
        lambda request: api.CheckDecisions(request, None),  # type: ignore[arg-type]
    )


async def served_differences(engines: RunningTestMesh, service: str) -> set[str]:
    """Return sentences on what is wrong with the records of a running service. The set is empty if
    all is right.

    The service is called over gRPC with the command line's certificate, as `tartip verify` does.
    """
    pair, authority = engines.certificates.service(COMMAND_LINE), engines.certificates.authority
    channels = Channels(cert=pair.certificate, key=pair.key, ca=authority)
    stub = audit_pb2_grpc.AuditStub(channels.to(engines.address(service), service))
    purpose = purpose_metadata("test")
    try:
        return await _differences(
            lambda request: stub.ListEntries(request, metadata=purpose, timeout=_SECONDS),
            lambda request: stub.CheckDecisions(request, metadata=purpose, timeout=_SECONDS),
        )
    finally:
        await channels.close()


async def _differences(list_entries: Ask, check_decisions: Ask) -> set[str]:
    audit, leaves = DecisionAudit(), []
    for page in await _pages(list_entries, audit_pb2.ListEntriesRequest(with_hidden=True)):
        for entry in page.entries:
            audit.note(entry)
            leaves.append(entry.leaf_hash)
    found: set[str] = set()
    for page in await _pages(check_decisions, audit_pb2.CheckDecisionsRequest()):
        for record in page.records:
            found.update(audit.differences(record, leaves))
    return found | set(audit.missing())


async def _pages(ask: Ask, request: Any) -> list[Any]:
    """All pages of a list."""
    pages = []
    while True:
        request.page.CopyFrom(common_pb2.Page(size=200, token=request.page.token))
        pages.append(await ask(request))
        request.page.token = pages[-1].next_page_token
        if not request.page.token:
            return pages
