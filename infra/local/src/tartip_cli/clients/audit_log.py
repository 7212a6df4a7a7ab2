"""Reads one service's audit log, and the records that its decisions changed, through the gRPC
service `tartip.audit.v1`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from tartip_cli.topology import Service

if TYPE_CHECKING:
    from tartip.audit.v1 import audit_pb2

    from tartip_cli.clients.partner import Outside

_SECONDS = 30.0
_PURPOSE = "tartip verify: the log is checked from outside"
_PAGE = 200


class AuditLogReader:
    """Reads one service's audit log. The method `leaves` reads entries, and notes in `decisions`
    which entry about each record is the newest."""

    def __init__(self, mesh: Outside, service: Service) -> None:
        from audit_log.decision_audit import DecisionAudit
        from tartip.audit.v1 import audit_pb2_grpc

        self.decisions = DecisionAudit()
        self._stub = audit_pb2_grpc.AuditStub(mesh.as_command_line(service))

    async def head(self) -> audit_pb2.Head | None:
        """Return the newest signed head of the log: its size and Merkle root. None if the log has
        no head yet. Raises Refusal if the service refuses the call."""
        from chassis.channels import peers_refusals
        from chassis.refusals import Refusal
        from tartip.audit.v1 import audit_pb2

        try:
            with peers_refusals():
                return (await self._stub.GetHead(audit_pb2.GetHeadRequest(), timeout=_SECONDS)).head
        except Refusal as refusal:
            if refusal.reason != "NOTHING_SEALED":
                raise
            return None

    async def leaves(self, tree_size: int, wrong: list[str]) -> list[bytes]:
        """Return the hashes of the log's first `tree_size` entries, in order. The entries are noted
        in `decisions`. A hash is computed from the content of the entry if the service returns the
        content. Otherwise the hash that the service states is returned.

        If an entry is missing, the hashes before it are returned, and a text is added to `wrong`.
        Raises Refusal if the service refuses a call.
        """
        from audit_log import merkle
        from chassis.channels import peers_refusals
        from chassis.purpose import purpose_metadata
        from tartip.audit.v1 import audit_pb2
        from tartip.common.v1 import common_pb2 as common

        leaves: list[bytes] = []
        token = ""
        while len(leaves) < tree_size:
            request = audit_pb2.ListEntriesRequest(
                page=common.Page(size=_PAGE, token=token), with_hidden=True
            )
            with peers_refusals():
                page = await self._stub.ListEntries(
                    request, timeout=_SECONDS, metadata=purpose_metadata(_PURPOSE)
                )
            for entry in page.entries[: tree_size - len(leaves)]:
                if entry.leaf_index != len(leaves):
                    wrong.append(f"entry {len(leaves)} is missing")
                    return leaves
                self.decisions.note(entry)
                canonical = entry.canonical
                leaves.append(merkle.leaf_hash(canonical) if canonical else entry.leaf_hash)
            token = page.next_page_token
            if not token:
                break
        return leaves

    async def path(self, index: int, tree_size: int) -> list[bytes]:
        from chassis.channels import peers_refusals
        from tartip.audit.v1 import audit_pb2

        request = audit_pb2.ProveInclusionRequest(leaf_index=index, tree_size=tree_size)
        with peers_refusals():
            return list((await self._stub.ProveInclusion(request, timeout=_SECONDS)).path)

    async def decided_records(self) -> AsyncIterator[audit_pb2.DecidedRecord]:
        """Yield the service's present records that decisions determine, such as fines.

        Each has the hash of its decided fields as they are now, and the hash in its audit entry,
        which is empty if the entry has none, and has 16 bytes if the entry is of a batch. Raises
        Refusal if the service refuses a call.
        """
        from chassis.channels import peers_refusals
        from chassis.purpose import purpose_metadata
        from tartip.audit.v1 import audit_pb2
        from tartip.common.v1 import common_pb2 as common

        token, purpose = "", purpose_metadata(_PURPOSE)
        while True:
            page = common.Page(size=_PAGE, token=token)
            request = audit_pb2.CheckDecisionsRequest(page=page)
            with peers_refusals():
                answer = await self._stub.CheckDecisions(
                    request, timeout=_SECONDS, metadata=purpose
                )
            for record in answer.records:
                yield record
            token = answer.next_page_token
            if not token:
                return
