"""Violations over REST: the queue for review, and the decisions on them. Officers sign decisions
with their own keys."""

from typing import Annotated, Literal

from chassis import telemetry
from fastapi import APIRouter, Query
from pydantic import Field
from tartip.violations.v1 import violations_pb2

from operator_gateway.camera_schemas import CameraKind
from operator_gateway.operator_context import AsOperator
from operator_gateway.schemas import (
    Answer,
    Base64,
    Bytes,
    ClientMadeId,
    Id,
    IdempotencyKey,
    Listing,
    Moment,
    Place,
    Reason,
    Region,
    Request,
    ShownVersion,
    client_made_id,
)

router = APIRouter(prefix="/v1/violations", tags=["violations"])

ViolationState = Literal["review", "confirmed", "rejected", "annulled"]
ViolationReply = (
    violations_pb2.GetViolationResponse
    | violations_pb2.ConfirmViolationResponse
    | violations_pb2.RejectViolationResponse
    | violations_pb2.AnnulViolationResponse
)


class Box(Answer):
    x: float
    y: float
    width: float
    height: float


class Plate(Answer):
    text: str
    confidence: float
    box: Box | None
    character_confidences: list[float]
    country: str
    plate_type: str
    track: int


class Readings(Answer):
    device_serial: str
    device_time: Moment
    counter: int
    frame_sha256: Base64
    speed_kmh: float | None
    speed_limit_kmh: float | None
    signal_phase: Literal["green", "yellow", "red"] | None
    signal_age_seconds: float | None
    past_stop_line: bool | None


class Offence(Answer):
    code: str
    article: str
    rules_version: str
    rules_sha256: str


class Device(Answer):
    name: str
    serial: str
    certificate_number: str
    verification_number: str
    verification_from: Moment
    verification_until: Moment = Field(description="Its day in Almaty is the last one.")
    kind: CameraKind | None
    tolerance_kmh: float | None = Field(
        description="Taken off the measured speed in favour of the driver."
    )


class Decision(Answer):
    decision_id: str
    officer: str
    decided_at: Moment
    reason: str
    canonical: Base64
    signature: Base64
    certificate: Base64


class Violation(Answer):
    violation_id: str
    state: ViolationState | None
    source: Literal["device", "citizen"] | None
    camera_id: str
    place: Place | None
    occurred_at: Moment
    plate: Plate | None
    offence: Offence | None
    readings: Readings | None
    over_kmh: float | None
    device: Device | None
    evidence_sha256: list[str]
    decision: Decision | None
    models_fingerprint: str
    version: int
    hold_reason: str
    report_id: str
    story: str
    caution: str = Field(description="What to know before deciding, such as READ_WHILE_DEGRADED.")
    actions: list[str] = Field(description="What this operator may do with it now.")
    original_sha256: list[str] = Field(
        description="What was received, in the order of evidence_sha256, the form that is shown."
    )
    conflicting_violation_ids: list[str] = Field(
        description="The same vehicle elsewhere, sooner than it drives."
    )


class ViolationAnswer(Answer):
    violation: Violation


class ViolationPage(Answer):
    violations: list[Violation]
    next_page_token: str
    paused_since: Moment = Field(
        description="While plates are not read for sure: since when they may be wrong."
    )
    held_reads: int = Field(description="Plate reads that wait for that to end.")


class Prepared(Answer):
    canonical: Base64 = Field(description="The exact bytes to sign: ECDSA P-256 SHA-256.")


class ViolationListing(Listing):
    state: ViolationState | None = None
    region: Region = ""
    offence_code: str = Field("", max_length=64)


class PrepareDecision(Request):
    verdict: Literal["confirm", "reject"]
    reason: Reason = Field("", description="Required to reject.")
    version: ShownVersion = 0


class SignedDecision(Request):
    decision_id: ClientMadeId | None = None
    canonical: Bytes = Field(description="What /decision/prepare answered.")
    signature: Bytes = Field(description="ECDSA P-256 SHA-256 over it, DER.")
    certificate: Bytes = Field(description="PEM of the officer's certificate.")


class AnnulViolation(Request):
    decision_id: ClientMadeId | None = None
    reason: Reason
    version: ShownVersion = 0


@router.get("")
async def list_violations(
    listing: Annotated[ViolationListing, Query()], context: AsOperator
) -> ViolationPage:
    """Violations, oldest first, filtered by state, region and offence."""
    request = listing.message(violations_pb2.ListViolationsRequest)
    return ViolationPage.of(await context.call(context.peers.violations.ListViolations, request))


@router.get("/{violation_id}")
async def get_violation(violation_id: Id, context: AsOperator) -> ViolationAnswer:
    """One violation. The access and its purpose are recorded in the audit log."""
    request = violations_pb2.GetViolationRequest(violation_id=violation_id)
    return _answer(await context.call(context.peers.violations.GetViolation, request))


@router.post("/{violation_id}/decision/prepare")
async def prepare_decision(
    violation_id: Id, body: PrepareDecision, context: AsOperator
) -> Prepared:
    """Returns the canonical bytes that the officer has to sign in order to confirm or reject a
    violation. Role inspector."""
    request = body.message(violations_pb2.PrepareDecisionRequest, violation_id=violation_id)
    reply = await context.call(context.peers.violations.PrepareDecision, request)
    telemetry.annotate(violation=violation_id)
    return Prepared.of(reply)


@router.post("/{violation_id}/confirm")
async def confirm_violation(
    violation_id: Id,
    body: SignedDecision,
    context: AsOperator,
    idempotency_key: IdempotencyKey = None,
) -> ViolationAnswer:
    """Confirms a violation. The officer must have signed the bytes that /decision/prepare returned.
    Role inspector."""
    request = body.message(
        violations_pb2.ConfirmViolationRequest,
        violation_id=violation_id,
        decision_id=client_made_id(body.decision_id, idempotency_key, "decision_id"),
    )
    return _answer(await context.call(context.peers.violations.ConfirmViolation, request))


@router.post("/{violation_id}/reject")
async def reject_violation(
    violation_id: Id,
    body: SignedDecision,
    context: AsOperator,
    idempotency_key: IdempotencyKey = None,
) -> ViolationAnswer:
    """Rejects a violation. The officer must have signed the bytes that /decision/prepare returned;
    they contain the reason. Role inspector."""
    request = body.message(
        violations_pb2.RejectViolationRequest,
        violation_id=violation_id,
        decision_id=client_made_id(body.decision_id, idempotency_key, "decision_id"),
    )
    return _answer(await context.call(context.peers.violations.RejectViolation, request))


@router.post("/{violation_id}/annul")
async def annul_violation(
    violation_id: Id,
    body: AnnulViolation,
    context: AsOperator,
    idempotency_key: IdempotencyKey = None,
) -> ViolationAnswer:
    """Annuls a confirmed violation. Role supervisor."""
    request = body.message(
        violations_pb2.AnnulViolationRequest,
        violation_id=violation_id,
        decision_id=client_made_id(body.decision_id, idempotency_key, "decision_id"),
    )
    return _answer(await context.call(context.peers.violations.AnnulViolation, request))


def _answer(reply: ViolationReply) -> ViolationAnswer:
    """Convert a reply; the current span gets the violation's id and joins the violation's story."""
    telemetry.bind_story(reply.violation.story)
    telemetry.annotate(violation=reply.violation.violation_id)
    return ViolationAnswer.of(reply)
