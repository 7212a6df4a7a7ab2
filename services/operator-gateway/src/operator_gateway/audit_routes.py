"""The services' audit logs over REST. Each log is sealed in a Merkle tree: signed tree heads,
entries and proofs can be read."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field
from tartip.audit.v1 import audit_pb2, audit_pb2_grpc

from operator_gateway.operator_context import AsOperator
from operator_gateway.schemas import Answer, Base64, Count, Listing, Moment, Request

router = APIRouter(prefix="/v1/audit/{service}", tags=["audit"])

ServiceName = Annotated[
    Literal["camera-registry", "inference-gateway", "violations", "fines", "citizen-reports"],
    Path(description="Whose log."),
]


class Head(Answer):
    service: str
    tree_size: int
    root: Base64
    sealed_at: Moment
    signature: Base64
    public_key: Base64


class HeadAnswer(Answer):
    head: Head


class AuditEntry(Answer):
    leaf_index: int
    canonical: Base64
    leaf_hash: Base64


class AuditPage(Answer):
    entries: list[AuditEntry]
    next_page_token: str


class Proof(Answer):
    path: list[Base64]


class AuditListing(Listing):
    from_index: Count = 0
    with_hidden: bool = Field(
        False, description="Also what this auditor may not see, by its hash: to check the log."
    )


class Attempt(Answer):
    attempt_id: str
    attempted_at: Moment
    object: str
    actor: str
    purpose: str
    region: str
    hidden: bool


class AttemptsPage(Answer):
    attempts: list[Attempt]
    next_page_token: str


class InclusionQuery(Request):
    leaf_index: Count
    tree_size: Count


class ConsistencyQuery(Request):
    first_size: Count
    second_size: Count


@router.get("/head")
async def get_head(service: ServiceName, context: AsOperator) -> HeadAnswer:
    """The newest signed tree head of a service's audit log. Role auditor."""
    audit = _audit(context, service)
    return HeadAnswer.of(await context.call(audit.GetHead, audit_pb2.GetHeadRequest()))


@router.get("/entries")
async def list_entries(
    service: ServiceName, listing: Annotated[AuditListing, Query()], context: AsOperator
) -> AuditPage:
    """Sealed entries of a service's audit log, in the order of the log. Role auditor.

    Only entries of the auditor's regions are returned, and none about complaints, domestic violence
    or children. A page may have fewer entries than requested although more pages follow. The
    request is itself audited; the header Tartip-Purpose is required.
    """
    request = listing.message(audit_pb2.ListEntriesRequest)
    return AuditPage.of(await context.call(_audit(context, service).ListEntries, request))


@router.get("/inclusion")
async def prove_inclusion(
    service: ServiceName, query: Annotated[InclusionQuery, Query()], context: AsOperator
) -> Proof:
    """The Merkle proof that the entry at `leaf_index` is in the audit log's tree of `tree_size`
    entries. Role auditor."""
    request = query.message(audit_pb2.ProveInclusionRequest)
    return Proof.of(await context.call(_audit(context, service).ProveInclusion, request))


@router.get("/consistency")
async def prove_consistency(
    service: ServiceName, query: Annotated[ConsistencyQuery, Query()], context: AsOperator
) -> Proof:
    """The Merkle proof that the audit log with `first_size` entries is a prefix of the log with
    `second_size` entries. Role auditor."""
    request = query.message(audit_pb2.ProveConsistencyRequest)
    return Proof.of(await context.call(_audit(context, service).ProveConsistency, request))


@router.get("/attempts")
async def list_attempts(
    service: ServiceName, listing: Annotated[Listing, Query()], context: AsOperator
) -> AttemptsPage:
    """Attempts of people to open records that they were not permitted to see, newest first. Role
    internal_security. The header Tartip-Purpose is required."""
    request = listing.message(audit_pb2.ListAttemptsRequest)
    return AttemptsPage.of(await context.call(_audit(context, service).ListAttempts, request))


def _audit(context: AsOperator, service: str) -> "audit_pb2_grpc.AuditAsyncStub":
    return context.peers.audits[service]
