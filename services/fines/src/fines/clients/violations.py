"""Client that reads the facts of confirmed violations from the violations service."""

from datetime import datetime
from typing import Any

import grpc
from chassis.channels import peers_refusals
from chassis.clock import from_timestamp
from chassis.purpose import purpose_metadata
from chassis.refusals import Kind, Refusal
from google.protobuf.timestamp_pb2 import Timestamp
from law.guards import Measured
from tartip.cameras.v1 import cameras_pb2
from tartip.inference.v1 import inference_pb2
from tartip.violations.v1 import violations_pb2, violations_pb2_grpc

from fines.model.refusals import ViolationMissing
from fines.model.violation import ConfirmedViolation, Decision, Device, Readings

TIMEOUT_SECONDS = 5.0
# A phase that only newer peers know counts as not read.
PHASES = {
    inference_pb2.SIGNAL_PHASE_RED: "RED",
    inference_pb2.SIGNAL_PHASE_YELLOW: "YELLOW",
    inference_pb2.SIGNAL_PHASE_GREEN: "GREEN",
}


class ViolationsClient:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: Any = violations_pb2_grpc.ViolationsStub(channel)

    async def violation(self, violation_id: str, purpose: str) -> ConfirmedViolation:
        """Return the violation with this id. `purpose` states why its data are read, for the audit
        log of the violations service. Raises ViolationMissing if there is no such violation."""
        request = violations_pb2.GetViolationRequest(violation_id=violation_id)
        try:
            with peers_refusals():
                answer = await self._stub.GetViolation(
                    request, timeout=TIMEOUT_SECONDS, metadata=purpose_metadata(purpose)
                )
        except Refusal as refusal:
            if refusal.kind is Kind.NOT_FOUND:
                raise ViolationMissing from refusal
            raise
        return to_violation(answer.violation)


def to_violation(found: violations_pb2.Violation) -> ConfirmedViolation:
    return ConfirmedViolation(
        violation_id=found.violation_id,
        is_confirmed=found.state == violations_pb2.VIOLATION_STATE_CONFIRMED,
        from_device=found.source == violations_pb2.VIOLATION_SOURCE_DEVICE,
        hold_reason=found.hold_reason,
        offence_code=found.offence.code,
        article=found.offence.article,
        rules_version=f"{found.offence.rules_version}@sha256:{found.offence.rules_sha256}",
        occurred_at=from_timestamp(found.occurred_at),
        plate=found.plate.text,
        address=found.place.address,
        latitude=found.place.latitude,
        longitude=found.place.longitude,
        device=_device(found.device),
        readings=_readings(found.readings) if found.HasField("readings") else None,
        over_kmh=found.over_kmh if found.HasField("over_kmh") else None,
        evidence_sha256=tuple(found.evidence_sha256),
        original_sha256=tuple(found.original_sha256),
        decision=Decision(
            decision_id=found.decision.decision_id,
            officer=found.decision.officer,
            decided_at=_stamp(found.decision.HasField("decided_at"), found.decision.decided_at),
        ),
        is_in_review=found.state == violations_pb2.VIOLATION_STATE_REVIEW,
        conflicting=tuple(found.conflicting_violation_ids),
    )


def _readings(found: inference_pb2.Readings) -> Readings:
    return Readings(
        device_serial=found.device_serial,
        measured_at=from_timestamp(found.device_time),
        frame_sha256=found.frame_sha256.hex(),
        measured=Measured(
            speed_kmh=found.speed_kmh if found.HasField("speed_kmh") else None,
            speed_limit_kmh=found.speed_limit_kmh if found.HasField("speed_limit_kmh") else None,
            signal_phase=PHASES.get(found.signal_phase, ""),
            signal_age_seconds=(
                found.signal_age_seconds if found.HasField("signal_age_seconds") else None
            ),
            past_stop_line=found.past_stop_line if found.HasField("past_stop_line") else None,
        ),
    )


def _device(found: violations_pb2.Device) -> Device:
    return Device(
        name=found.name,
        serial=found.serial,
        certificate_number=found.certificate_number,
        verification_number=found.verification_number,
        verification_from=_stamp(found.HasField("verification_from"), found.verification_from),
        verification_until=_stamp(found.HasField("verification_until"), found.verification_until),
        kind=_kind(found.kind),
        tolerance_kmh=found.tolerance_kmh if found.HasField("tolerance_kmh") else None,
    )


def _kind(kind: cameras_pb2.CameraKind.ValueType) -> str:
    """Return the name of a camera kind, "" for none. A kind that this version does not know is
    returned as its number, which no rule accepts."""
    if kind == cameras_pb2.CAMERA_KIND_UNSPECIFIED:
        return ""
    known = cameras_pb2.CameraKind.DESCRIPTOR.values_by_number.get(kind)
    return known.name.removeprefix("CAMERA_KIND_") if known else str(kind)


def _stamp(present: bool, stamp: Timestamp) -> datetime | None:
    return from_timestamp(stamp) if present else None
