"""A violation as a protobuf message."""

from chassis.clock import to_timestamp
from chassis.identity import Caller
from tartip.cameras.v1 import cameras_pb2
from tartip.common.v1 import common_pb2
from tartip.inference.v1 import inference_pb2
from tartip.violations.v1 import violations_pb2 as pb

from violations.model import (
    Device,
    Plate,
    Readings,
    Violation,
)


def violation_to_proto(violation: Violation, caller: Caller) -> pb.Violation:
    """With what this caller may do about it now."""
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
    """Nothing for services, and nothing in regions that are not the operator's."""
    if caller.operator is None or not caller.scope.sees(violation.place.region):
        return []
    return [verdict.value.lower() for verdict in violation.verdicts_of(caller.operator.roles)]


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
