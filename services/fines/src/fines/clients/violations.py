"""The violations service: the facts of a confirmed violation."""

from datetime import datetime
from typing import Any

import grpc
from chassis.channels import peers_refusals
from chassis.clock import from_timestamp
from google.protobuf.timestamp_pb2 import Timestamp
from tartip.inference.v1 import inference_pb2
from tartip.violations.v1 import violations_pb2, violations_pb2_grpc

from fines.model.prescription import ConfirmedViolation, Device

TIMEOUT_SECONDS = 5.0
PHASES = {
    inference_pb2.SIGNAL_PHASE_RED: "RED",
    inference_pb2.SIGNAL_PHASE_YELLOW: "YELLOW",
    inference_pb2.SIGNAL_PHASE_GREEN: "GREEN",
}


class ViolationsClient:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: Any = violations_pb2_grpc.ViolationsStub(channel)

    async def violation(self, violation_id: str, purpose: str) -> ConfirmedViolation:
        request = violations_pb2.GetViolationRequest(violation_id=violation_id)
        with peers_refusals():
            answer = await self._stub.GetViolation(
                request, timeout=TIMEOUT_SECONDS, metadata=(("tartip-purpose", purpose),)
            )
        return to_violation(answer.violation)


def to_violation(told: violations_pb2.Violation) -> ConfirmedViolation:
    readings = told.readings
    return ConfirmedViolation(
        violation_id=told.violation_id,
        is_confirmed=told.state == violations_pb2.VIOLATION_STATE_CONFIRMED,
        from_device=told.source == violations_pb2.VIOLATION_SOURCE_DEVICE,
        hold_reason=told.hold_reason,
        offence_code=told.offence.code,
        article=told.offence.article,
        rules_version=f"{told.offence.rules_version}@sha256:{told.offence.rules_sha256}",
        occurred_at=from_timestamp(told.occurred_at),
        plate=told.plate.text,
        address=told.place.address,
        latitude=told.place.latitude,
        longitude=told.place.longitude,
        device=_device(told.device),
        speed_kmh=readings.speed_kmh if readings.HasField("speed_kmh") else None,
        speed_limit_kmh=readings.speed_limit_kmh if readings.HasField("speed_limit_kmh") else None,
        over_kmh=told.over_kmh if told.HasField("over_kmh") else None,
        signal_phase=_phase(readings.signal_phase),
        signal_age_seconds=(
            readings.signal_age_seconds if readings.HasField("signal_age_seconds") else None
        ),
        past_stop_line=readings.past_stop_line if readings.HasField("past_stop_line") else None,
        evidence_sha256=tuple(told.evidence_sha256),
        officer=told.decision.officer,
        decided_at=_stamp(told.decision.HasField("decided_at"), told.decision.decided_at),
    )


def _device(told: violations_pb2.Device) -> Device:
    return Device(
        name=told.name,
        serial=told.serial,
        certificate_number=told.certificate_number,
        verification_number=told.verification_number,
        verification_from=_stamp(told.HasField("verification_from"), told.verification_from),
        verification_until=_stamp(told.HasField("verification_until"), told.verification_until),
    )


def _phase(told: inference_pb2.SignalPhase.ValueType) -> str:
    """What a newer peer might tell and we cannot name is left unsaid."""
    return PHASES.get(told, "")


def _stamp(present: bool, stamp: Timestamp) -> datetime | None:
    return from_timestamp(stamp) if present else None
