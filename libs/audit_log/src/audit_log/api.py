"""The servicer of `tartip.audit.v1`: tree heads, entries, proofs, attempts to open hidden records.

A caller gets the content of an entry only if auditors may read the entry (`AuditRules`) and the
entry belongs to one of the caller's regions. The Merkle tree covers all entries, so a verifier gets
the leaf hashes of the other entries. Reading entries or attempts is audited in this log too.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import grpc
from chassis.audit_entry import HIDDEN, AuditEntry, read_entry
from chassis.call_context import current_caller
from chassis.clock import to_timestamp
from chassis.db import Database
from chassis.identity import Caller, allow
from chassis.pages import Pages
from chassis.refusals import Kind, PageTokenWrong, Refusal
from chassis.tables import IS_ATTEMPT, audit, audit_heads, audit_leaves
from chassis.transaction import SYSTEM, Scope, Tx
from sqlalchemy import Row, case, func, or_, select, text
from tartip.audit.v1 import audit_pb2, audit_pb2_grpc

from audit_log import merkle
from audit_log.decision_checks import DecisionChecks, RecordSource, alias_of
from audit_log.record_checks import RecordChecks
from audit_log.record_kinds import hashes_in
from audit_log.rules import AuditRules
from audit_log.sealer import newest_head
from audit_log.subtrees import roots_of

# A page of entries has at most so many bytes, or one entry: a message may have 4 MiB.
PAGE_BYTES = 1 << 20
SERVICE = "/tartip.audit.v1.Audit/"
POLICY = {
    **{
        f"{SERVICE}{method}": allow(services=("tartip-cli",), roles=("auditor",))
        for method in ("ProveInclusion", "CheckRecords")
    },
    # Fines asks all services, for the witnesses.
    f"{SERVICE}GetHead": allow(services=("tartip-cli", "fines"), roles=("auditor",)),
    f"{SERVICE}ProveConsistency": allow(services=("tartip-cli", "fines"), roles=("auditor",)),
    f"{SERVICE}ListEntries": allow(services=("tartip-cli",), roles=("auditor",), purpose=True),
    f"{SERVICE}CheckDecisions": allow(services=("tartip-cli",), purpose=True),
    f"{SERVICE}ListAttempts": allow(roles=("internal_security",), purpose=True),
}


class NothingSealed(Refusal):
    """No entry of the log has been added to the signed tree (sealed) yet."""

    kind = Kind.STATE
    code = "NOTHING_SEALED"


class EntryNotSealed(Refusal):
    """The tree of the requested size has no entry with the requested index."""

    kind = Kind.NOT_FOUND
    code = "ENTRY_NOT_SEALED"


class TreeSizeUnknown(Refusal):
    """No head was signed for a tree of the requested size, or the sizes contradict each other.

    Sizes contradict each other if `first_size` is negative or larger than `second_size`.
    """

    kind = Kind.INVALID
    code = "TREE_SIZE_UNKNOWN"


class AuditApi(audit_pb2_grpc.AuditServicer):
    """The RPCs of the audit log of one service.

    RPCs that return a page raise BadRequest if the page size is wrong, and PageTokenWrong if the
    page token was not issued to this caller for this query.
    """

    def __init__(
        self,
        db: Database,
        service: str,
        rules: AuditRules,
        records: Sequence[RecordSource] = (),
    ) -> None:
        """`records` are the service's records about which decisions are recorded."""
        self._db = db
        self._service = service
        self._rules = rules
        self._decision_checks = DecisionChecks(records)
        self._pages = Pages(db.keyring)
        self._record_checks = RecordChecks(rules, db.keyring)

    async def GetHead(
        self, request: audit_pb2.GetHeadRequest, context: grpc.aio.ServicerContext
    ) -> audit_pb2.GetHeadResponse:
        """Return the newest signed tree head. Raises NothingSealed if there is none yet."""
        async with self._db.begin(SYSTEM) as tx:
            head = await newest_head(tx)
        if head is None:
            raise NothingSealed
        return audit_pb2.GetHeadResponse(
            head=audit_pb2.Head(
                service=self._service,
                tree_size=head.tree_size,
                root=bytes(head.root),
                sealed_at=to_timestamp(head.sealed_at),
                signature=bytes(head.signature),
                public_key=bytes(head.public_key),
            )
        )

    async def ListEntries(
        self, request: audit_pb2.ListEntriesRequest, context: grpc.aio.ServicerContext
    ) -> audit_pb2.ListEntriesResponse:
        """Return a page of the log in order of leaf index. Raises BadRequest or PageTokenWrong.

        A page has at least one entry, but fewer than requested if the entries are large
        (PAGE_BYTES). Entries hidden from the caller are left out. If the request sets
        `with_hidden`, they are returned as leaf hashes alone.
        """
        caller = current_caller()
        page = self._pages.read(request, caller)
        last = _position_in(page.spec.after)
        first = request.from_index if last is None else last + 1
        async with self._db.begin(caller.scope) as tx:
            found = await _leaves_from(tx, first, page.spec.size)
            leaves = [leaf for leaf in found if leaf.canonical is not None]
            secret = await self._secret_to(caller, leaves)
            shown = [self._shown(tx, leaf, secret) for leaf in leaves]
            _audit_reading(tx, self._service, caller, shown, is_further_page=last is not None)
        keys = [(str(leaf.leaf_index),) for leaf in leaves]
        ends_early = len(leaves) < len(found)
        return audit_pb2.ListEntriesResponse(
            entries=[entry for entry in shown if entry.canonical or request.with_hidden],
            next_page_token=page.token_after(keys[-1]) if ends_early else page.next_token(keys),
        )

    async def ListAttempts(
        self, request: audit_pb2.ListAttemptsRequest, context: grpc.aio.ServicerContext
    ) -> audit_pb2.ListAttemptsResponse:
        """Return a page of the attempts to open hidden records, newest first.

        The caller's own attempts are left out, as are those in regions that the caller may not see,
        and those to open objects of which the caller must not learn (`AuditRules.hides`).
        Raises BadRequest or PageTokenWrong.
        """
        caller = current_caller()
        page = self._pages.read(request, caller)
        before = _position_in(page.spec.after)
        async with self._db.begin(caller.scope) as tx:
            rows = (
                await _attempts_before(tx, before, page.spec.size)
                if self._rules.records_attempts
                else []
            )
            entries = [entry for row in rows if (entry := read_entry(bytes(row.canonical)))]
            hidden = await self._hidden(caller.scope, entries)
            shown = [
                entry
                for entry in entries
                if _may_list(caller.scope, entry) and entry.object_ref not in hidden
            ]
            if shown:
                tx.audit("read_attempts", f"audit:{self._service}", facts={"read": str(len(shown))})
        keys: list[tuple[str, ...]] = [(str(row.position),) for row in rows]
        return audit_pb2.ListAttemptsResponse(
            attempts=[_attempt_to_proto(entry) for entry in shown],
            next_page_token=page.next_token(keys),
        )

    async def _hidden(self, scope: Scope, entries: Sequence[AuditEntry]) -> Collection[str]:
        if self._rules.hides is None or not entries:
            return ()
        return await self._rules.hides(scope, {entry.object_ref for entry in entries})

    async def _secret_to(self, caller: Caller, leaves: Sequence[Row[Any]]) -> Collection[str]:
        """Return the objects of these entries that have become confidential, for an operator."""
        if self._rules.confidential is None or caller.operator is None:
            return ()
        entries = (read_entry(bytes(leaf.canonical)) for leaf in leaves)
        return await self._rules.confidential({entry.object_ref for entry in entries if entry})

    async def CheckDecisions(
        self, request: audit_pb2.CheckDecisionsRequest, context: grpc.aio.ServicerContext
    ) -> audit_pb2.CheckDecisionsResponse:
        """Return a page of the records that decisions determine, such as fines and reports. Each
        record has two hashes for the caller to compare.

        One hash is stated in the audit entry that the record names. The other hash is computed from
        the present fields of the record. Raises BadRequest or PageTokenWrong.
        """
        caller = current_caller()
        page = self._pages.read(request, caller)
        async with self._db.begin(replace(SYSTEM, purpose=caller.purpose)) as tx:
            records, following = await self._decision_checks.page(
                tx, page.spec.after, page.spec.size
            )
        if not page.spec.after:
            async with self._db.begin(caller.scope) as tx:
                tx.audit("check_decisions", f"audit:{self._service}")
        token = page.token_after(following) if following else ""
        return audit_pb2.CheckDecisionsResponse(records=records, next_page_token=token)

    async def ProveInclusion(
        self, request: audit_pb2.ProveInclusionRequest, context: grpc.aio.ServicerContext
    ) -> audit_pb2.ProveInclusionResponse:
        """Return the proof (RFC 9162) that the audit log contains the entry number `leaf_index`.

        Entries are numbered from 0. `tree_size` selects the head that was signed when the log's
        Merkle tree had this number of entries. The entries under a signed head are "sealed".

        Raises TreeSizeUnknown if no head was signed for this size, or EntryNotSealed if the head
        does not cover the entry.
        """
        async with self._db.begin(SYSTEM) as tx:
            await _require_head(tx, request.tree_size)
            if not 0 <= request.leaf_index < request.tree_size:
                raise EntryNotSealed
            path = merkle.inclusion_path(request.leaf_index, request.tree_size)
            return audit_pb2.ProveInclusionResponse(path=await _hashes(tx, path))

    async def ProveConsistency(
        self, request: audit_pb2.ProveConsistencyRequest, context: grpc.aio.ServicerContext
    ) -> audit_pb2.ProveConsistencyResponse:
        """Return the proof (RFC 9162) that the log only grew between two sizes.

        It proves that the Merkle tree of `second_size` entries begins with all entries of the tree
        of `first_size` entries. Raises TreeSizeUnknown if no head was signed for `second_size`, or
        if `first_size` is below 0 or above `second_size`.
        """
        if not 0 <= request.first_size <= request.second_size:
            raise TreeSizeUnknown
        async with self._db.begin(SYSTEM) as tx:
            await _require_head(tx, request.second_size)
            path = merkle.consistency_path(request.first_size, request.second_size)
            return audit_pb2.ProveConsistencyResponse(path=await _hashes(tx, path))

    async def CheckRecords(
        self, request: audit_pb2.CheckRecordsRequest, context: grpc.aio.ServicerContext
    ) -> audit_pb2.CheckRecordsResponse:
        """Check a page of entries, leaves, events, data keys, work or handled events; return the
        contradictions found.

        Also returns the published events on the page, each with its number in the NATS stream, to
        services: subjects tell an auditor of what is hidden from him. Raises BadRequest or
        PageTokenWrong.
        """
        caller = current_caller()
        page = self._pages.read(request, caller)
        async with self._db.begin(SYSTEM) as tx:
            checked, keys = await self._record_checks.page(tx, page.spec.after, page.spec.size)
        return audit_pb2.CheckRecordsResponse(
            faults=[
                audit_pb2.RecordFault(code=fault.code, record=fault.record)
                for fault in checked.faults
            ],
            published=[
                audit_pb2.PublishedEvent(
                    event_id=str(row.event_id),
                    subject=row.subject,
                    stream_sequence=row.stream_sequence,
                )
                for row in (checked.published if caller.operator is None else ())
            ],
            next_page_token=page.next_token(keys),
        )

    def _shown(self, tx: Tx, leaf: Row[Any], secret: Collection[str]) -> audit_pb2.AuditEntry:
        """Return the leaf hash of an entry and, if the scope of `tx` may read the entry, its
        content; entries about the objects in `secret` are hidden. A service gets the alias of a
        hidden record about which the entry decided."""
        canonical = bytes(leaf.canonical)
        shown = audit_pb2.AuditEntry(
            leaf_index=leaf.leaf_index, leaf_hash=merkle.leaf_hash(canonical)
        )
        entry = read_entry(canonical)
        is_open = entry and self._rules.are_open(entry) and entry.object_ref not in secret
        if entry and is_open and tx.scope.sees(entry.region):
            shown.canonical = canonical
        elif entry and tx.scope.kind == "service":
            # Entries of batches, which name other objects than their own, are never hidden.
            stated = hashes_in(entry.object_ref, entry.facts)
            own = sorted(kind for name, kind in stated if name == entry.object_ref)
            shown.record_kinds.extend(own)
            shown.alias = alias_of(tx, entry.object_ref) if shown.record_kinds else ""
        return shown


def _audit_reading(
    tx: Tx,
    service: str,
    caller: Caller,
    page: Sequence[audit_pb2.AuditEntry],
    *,
    is_further_page: bool,
) -> None:
    """Audit a reading: by an operator for pages with entries, by a service for the first page."""
    if caller.operator is None:
        if not is_further_page:
            first = str(page[0].leaf_index) if page else ""
            tx.audit("read_audit", f"audit:{service}", facts={"from": first})
        return
    read = [entry.leaf_index for entry in page if entry.canonical]
    if read:
        facts = {"from": str(read[0]), "to": str(read[-1]), "read": str(len(read))}
        tx.audit("read_audit", f"audit:{service}", facts=facts)


async def _require_head(tx: Tx, tree_size: int) -> None:
    """Raise TreeSizeUnknown if no head was signed for a tree of this size."""
    known = await tx.scalar(
        select(audit_heads.c.tree_size).where(audit_heads.c.tree_size == tree_size)
    )
    if known is None:
        raise TreeSizeUnknown


async def _hashes(tx: Tx, path: Sequence[merkle.Leaves]) -> list[bytes]:
    return merkle.resolve(path, await roots_of(tx, merkle.subtrees(path)))


async def _leaves_from(tx: Tx, first: int, limit: int) -> Sequence[Row[Any]]:
    """The next leaves, with their entries in `canonical`: None for leaves that the page has no room
    for."""
    leaf = (
        select(audit_leaves.c.leaf_index, audit.c.canonical)
        .join(audit, audit.c.entry_id == audit_leaves.c.entry_id)
        .where(audit_leaves.c.leaf_index >= first)
        .order_by(audit_leaves.c.leaf_index)
        .limit(limit)
        .subquery()
    )
    size = func.octet_length(leaf.c.canonical)
    until = func.sum(size).over(order_by=leaf.c.leaf_index)
    fits = or_(until <= PAGE_BYTES, until == size)  # or it is the first
    canonical = case((fits, leaf.c.canonical)).label("canonical")
    query = select(leaf.c.leaf_index, canonical).order_by(leaf.c.leaf_index)
    return (await tx.execute(query)).all()


async def _attempts_before(tx: Tx, before: int | None, limit: int) -> Sequence[Row[Any]]:
    query = select(audit.c.position, audit.c.canonical).where(text(IS_ATTEMPT))
    if before is not None:
        query = query.where(audit.c.position < before)
    return (await tx.execute(query.order_by(audit.c.position.desc()).limit(limit))).all()


def _may_list(scope: Scope, attempt: AuditEntry) -> bool:
    """Whether a caller may see an attempt. The caller's own attempts would reveal which records
    exist."""
    return scope.sees(attempt.region) and attempt.actor != scope.actor


def _position_in(after: tuple[str, ...]) -> int | None:
    """The position in a page token, None for the first page. Raises PageTokenWrong."""
    if not after:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", after[0]):
        raise PageTokenWrong
    return int(after[0])


def _attempt_to_proto(entry: AuditEntry) -> audit_pb2.Attempt:
    return audit_pb2.Attempt(
        attempt_id=str(entry.entry_id),
        attempted_at=to_timestamp(entry.at),
        object=entry.object_ref,
        actor=entry.actor,
        purpose=entry.purpose,
        region=entry.region,
        hidden=entry.facts.get("record") == HIDDEN,
    )
