"""`tartip.violations.v1.Violations`, the gRPC service for operators and the fines service.

Contains the access policy, the checks of request fields, and conversions to messages.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from chassis import telemetry
from chassis.call_context import current_caller
from chassis.clock import parse_id, to_timestamp
from chassis.fields import enum_of, read_new_id
from chassis.identity import Caller, Policy, allow
from chassis.pages import Pages, PageSpec, moment_in
from chassis.refusals import Checks, PageTokenWrong, checks
from grpc.aio import ServicerContext
from tartip.cameras.v1 import cameras_pb2
from tartip.common.v1 import common_pb2
from tartip.inference.v1 import inference_pb2
from tartip.violations.v1 import violations_pb2 as pb
from tartip.violations.v1 import violations_pb2_grpc

from violations.degradation import Degradations
from violations.model import (
    ROLES,
    Device,
    Plate,
    Readings,
    State,
    Verdict,
    Violation,
    ViolationNotFound,
)
from violations.openings import Frames
from violations.storage.violations import Filters
from violations.usecases import Desk

TEXT_MAX = 40
_SERVICE = "/tartip.violations.v1.Violations/"
_INSPECTORS = allow(roles=(ROLES[Verdict.CONFIRM],), purpose=True)
_SUPERVISORS = allow(roles=(ROLES[Verdict.ANNUL],), purpose=True)
_READERS = ("inspector", "supervisor", "internal_security", "auditor")
POLICY: Policy = {
    _SERVICE + "GetViolation": allow(services=("fines",), roles=_READERS, purpose=True),
    _SERVICE + "OpenEvidence": allow(roles=_READERS, purpose=True),
    _SERVICE + "ListViolations": allow(roles=_READERS),
    _SERVICE + "PrepareDecision": _INSPECTORS,
    _SERVICE + "ConfirmViolation": _INSPECTORS,
    _SERVICE + "RejectViolation": _INSPECTORS,
    _SERVICE + "AnnulViolation": _SUPERVISORS,
}


class ViolationsApi(violations_pb2_grpc.ViolationsServicer):
    def __init__(
        self, desk: Desk, degradations: Degradations, frames: Frames, pages: Pages
    ) -> None:
        self._desk = desk
        self._degradations = degradations
        self._frames = frames
        self._pages = pages

    async def GetViolation(
        self, request: pb.GetViolationRequest, context: ServicerContext
    ) -> pb.GetViolationResponse:
        violation = await self._desk.get(_known_id(request.violation_id), current_caller())
        telemetry.bind_story(violation.story)
        message = violation_to_proto(violation, current_caller())
        return pb.GetViolationResponse(violation=message)

    async def OpenEvidence(
        self, request: pb.OpenEvidenceRequest, context: ServicerContext
    ) -> AsyncIterator[pb.OpenEvidenceResponse]:
        violation_id = _known_id(request.violation_id)
        async for piece in self._frames.open(violation_id, request.sha256, current_caller()):
            yield pb.OpenEvidenceResponse(
                content_type=piece.content_type,
                sha256=piece.sha256,
                original_sha256=piece.original_sha256,
                size_bytes=piece.size_bytes,
                content=piece.content,
            )

    async def ListViolations(
        self, request: pb.ListViolationsRequest, context: ServicerContext
    ) -> pb.ListViolationsResponse:
        filters = read_filters(request)
        caller = current_caller()
        page = self._pages.read(request, caller)
        found = await self._desk.page(
            filters, after=_after(page.spec), size=page.spec.size, caller=caller
        )
        keys: list[tuple[str, ...]] = [
            (violation.occurred_at.isoformat(), str(violation.violation_id)) for violation in found
        ]
        pause = await self._degradations.now()
        return pb.ListViolationsResponse(
            violations=[violation_to_proto(violation, caller) for violation in found],
            next_page_token=page.next_token(keys),
            paused_since=to_timestamp(pause.since),
            held_reads=pause.held,
        )

    async def PrepareDecision(
        self, request: pb.PrepareDecisionRequest, context: ServicerContext
    ) -> pb.PrepareDecisionResponse:
        with checks() as check:
            verdict = enum_of(Verdict, pb.Verdict, request.verdict)
            check.that(verdict is not None, "verdict", "VERDICT_CONFIRM or VERDICT_REJECT")
            _check_version(check, request.version)
        assert verdict is not None
        canonical = await self._desk.prepare(
            _known_id(request.violation_id),
            verdict,
            reason=request.reason,
            version=request.version,
            caller=current_caller(),
        )
        return pb.PrepareDecisionResponse(canonical=canonical)

    async def ConfirmViolation(
        self, request: pb.ConfirmViolationRequest, context: ServicerContext
    ) -> pb.ConfirmViolationResponse:
        violation = await self._decide(Verdict.CONFIRM, request)
        message = violation_to_proto(violation, current_caller())
        return pb.ConfirmViolationResponse(violation=message)

    async def RejectViolation(
        self, request: pb.RejectViolationRequest, context: ServicerContext
    ) -> pb.RejectViolationResponse:
        violation = await self._decide(Verdict.REJECT, request)
        message = violation_to_proto(violation, current_caller())
        return pb.RejectViolationResponse(violation=message)

    async def AnnulViolation(
        self, request: pb.AnnulViolationRequest, context: ServicerContext
    ) -> pb.AnnulViolationResponse:
        with checks() as check:
            decision_id = read_new_id(check, "decision_id", request.decision_id)
            _check_version(check, request.version)
        violation = await self._desk.annul(
            _known_id(request.violation_id),
            decision_id,
            reason=request.reason,
            version=request.version,
            caller=current_caller(),
        )
        telemetry.bind_story(violation.story)
        message = violation_to_proto(violation, current_caller())
        return pb.AnnulViolationResponse(violation=message)

    async def _decide(
        self, verdict: Verdict, request: pb.ConfirmViolationRequest | pb.RejectViolationRequest
    ) -> Violation:
        with checks() as check:
            decision_id = read_new_id(check, "decision_id", request.decision_id)
            for field in ("canonical", "signature", "certificate"):
                check.that(bool(getattr(request, field)), field, "required")
        violation = await self._desk.decide(
            verdict,
            _known_id(request.violation_id),
            decision_id,
            canonical=request.canonical,
            signature=request.signature,
            certificate=request.certificate,
            caller=current_caller(),
        )
        telemetry.bind_story(violation.story)
        return violation


def read_filters(request: pb.ListViolationsRequest) -> Filters:
    """Return the filters in a request. Raises BadRequest with every wrong filter."""
    with checks() as check:
        check.that(request.state in pb.ViolationState.values(), "state", "a state, or nothing")
        for field, text in (("region", request.region), ("offence_code", request.offence_code)):
            right = len(text) <= TEXT_MAX and "\x00" not in text
            check.that(right, field, f"at most {TEXT_MAX} characters")
    state = enum_of(State, pb.ViolationState, request.state)
    return Filters(state, request.region, request.offence_code)


def violation_to_proto(violation: Violation, caller: Caller) -> pb.Violation:
    """Return the violation as a protobuf message, with the actions this caller may take now."""
    message = pb.Violation(
        violation_id=str(violation.violation_id),
        state=pb.ViolationState.Value(f"VIOLATION_STATE_{violation.state}"),
        source=pb.ViolationSource.Value(f"VIOLATION_SOURCE_{violation.source}"),
        camera_id=str(violation.camera_id or ""),
        place=common_pb2.Place(
            latitude=violation.place.latitude,
            longitude=violation.place.longitude,
            region=violation.place.region,
            address=violation.place.address,
        ),
        occurred_at=to_timestamp(violation.occurred_at),
        offence=pb.Offence(
            code=violation.offence.code,
            article=violation.offence.article,
            rules_version=violation.offence.rules_version,
            rules_sha256=violation.offence.rules_sha256,
        ),
        over_kmh=None if violation.over_kmh is None else float(violation.over_kmh),
        evidence_sha256=[frame.sha256 for frame in violation.frames],
        original_sha256=violation.evidence_sha256,
        models_fingerprint=violation.models_fingerprint,
        version=violation.version,
        hold_reason=violation.hold.value,
        report_id=str(violation.report_id or ""),
        story=violation.story,
        caution=violation.caution.value,
        actions=actions_of(violation, caller),
        conflicting_violation_ids=[str(other) for other in violation.conflicting],
    )
    if violation.plate.text:
        message.plate.CopyFrom(_plate(violation.plate))
    if violation.readings is not None:
        message.readings.CopyFrom(_readings(violation.readings))
    if violation.device is not None:
        message.device.CopyFrom(_device(violation.device))
    if violation.decision is not None:
        message.decision.CopyFrom(
            pb.Decision(
                decision_id=str(violation.decision.decision_id),
                officer=violation.decision.officer,
                decided_at=to_timestamp(violation.decision.decided_at),
                reason=violation.decision.reason,
                canonical=violation.decision.canonical,
                signature=violation.decision.signature,
                certificate=violation.decision.certificate,
            )
        )
    return message


def actions_of(violation: Violation, caller: Caller) -> list[str]:
    """Return the verdicts that the caller may now give, in lower case; [] for services and for
    operators of other regions."""
    if caller.operator is None or not caller.scope.sees(violation.place.region):
        return []
    return [verdict.value.lower() for verdict in violation.verdicts_of(caller.operator.roles)]


def _known_id(text: str) -> UUID:
    violation_id = parse_id(text)
    if violation_id is None:
        raise ViolationNotFound
    telemetry.annotate(violation=text)
    return violation_id


def _check_version(check: Checks, version: int) -> None:
    check.that(version >= 0, "version", "the version that was shown, or 0")


def _after(spec: PageSpec) -> tuple[datetime, UUID] | None:
    if not spec.after:
        return None
    try:
        moment, violation_id = spec.after
        return moment_in(moment), UUID(violation_id)
    except ValueError as error:
        raise PageTokenWrong from error


def _plate(plate: Plate) -> inference_pb2.Plate:
    return inference_pb2.Plate(
        text=plate.text,
        confidence=plate.confidence,
        box=inference_pb2.Box(
            x=plate.box.x, y=plate.box.y, width=plate.box.width, height=plate.box.height
        ),
        character_confidences=plate.character_confidences,
        country=plate.country,
        plate_type=plate.plate_type,
    )


def _readings(readings: Readings) -> inference_pb2.Readings:
    phase = readings.signal_phase or "UNSPECIFIED"
    return inference_pb2.Readings(
        device_serial=readings.device_serial,
        device_time=to_timestamp(readings.device_time),
        counter=readings.counter,
        frame_sha256=bytes.fromhex(readings.frame_sha256),
        speed_kmh=readings.speed_kmh,
        speed_limit_kmh=readings.speed_limit_kmh,
        signal_phase=inference_pb2.SignalPhase.Value(f"SIGNAL_PHASE_{phase}"),
        signal_age_seconds=readings.signal_age_seconds,
        past_stop_line=readings.past_stop_line,
    )


def _device(device: Device) -> pb.Device:
    return pb.Device(
        name=device.name,
        serial=device.serial,
        certificate_number=device.certificate_number,
        verification_number=device.verification_number,
        verification_from=to_timestamp(device.verification_from),
        verification_until=to_timestamp(device.verification_until),
        kind=cameras_pb2.CameraKind.Value(f"CAMERA_KIND_{device.kind or 'UNSPECIFIED'}"),
        tolerance_kmh=device.tolerance_kmh,
    )
