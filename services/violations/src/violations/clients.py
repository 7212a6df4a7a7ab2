"""Clients of other services: the camera register, the report desk and the evidence store."""

from collections.abc import AsyncGenerator
from datetime import datetime
from uuid import UUID

from chassis.channels import Channels, peers_refusals, refusals_of
from chassis.clock import from_timestamp, parse_id, to_timestamp
from chassis.purpose import purpose_metadata
from chassis.refusals import Refusal
from law.plates import letters_and_digits
from tartip.cameras.v1 import cameras_pb2, cameras_pb2_grpc
from tartip.inference.v1 import inference_pb2, inference_pb2_grpc
from tartip.reports.v1 import reports_pb2, reports_pb2_grpc

from violations.assessment import Report
from violations.model import Outcome, Place
from violations.openings import Piece
from violations.rules import Camera, Verification

TIMEOUT_SECONDS = 5.0
EVIDENCE_SECONDS = 30.0
DEDUPE_SECONDS_DEFAULT = 600
NO_CAMERA = {
    "CAMERA_NOT_FOUND": Outcome.CAMERA_UNKNOWN,
    "CAMERA_NOT_REGISTERED_THEN": Outcome.CAMERA_NOT_REGISTERED_THEN,
}
PURPOSE = purpose_metadata("traffic evidence becomes a violation candidate")


class CameraRegister:
    """The camera register's client, which implements `assessment.Cameras`."""

    def __init__(self, channels: Channels, address: str) -> None:
        self._stub = cameras_pb2_grpc.CameraRegistryStub(channels.to(address, "camera-registry"))

    async def camera(self, camera_id: UUID, as_of: datetime) -> Camera | Outcome:
        request = cameras_pb2.GetCameraRequest(camera_id=str(camera_id), as_of=to_timestamp(as_of))
        try:
            with peers_refusals():
                answer = await self._stub.GetCamera(request, timeout=TIMEOUT_SECONDS)
        except Refusal as refusal:
            if refusal.reason not in NO_CAMERA:
                raise
            return NO_CAMERA[refusal.reason]
        return camera_from(answer.camera)


class ReportRegister:
    """The report desk's client, which implements `assessment.Reports`."""

    def __init__(self, channels: Channels, address: str) -> None:
        self._stub = reports_pb2_grpc.ReportDeskStub(channels.to(address, "citizen-reports"))

    async def report(self, report_id: UUID) -> Report | None:
        request = reports_pb2.ReportDeskGetReportRequest(report_id=str(report_id))
        try:
            with peers_refusals():
                answer = await self._stub.GetReport(
                    request, timeout=TIMEOUT_SECONDS, metadata=PURPOSE
                )
        except Refusal as refusal:
            if refusal.reason == "REPORT_NOT_FOUND":
                return None
            raise
        return report_from(answer.report)


class EvidenceStore:
    """The evidence store's client, which implements `openings.Evidence`. The purpose of the call
    that is being served is passed on automatically."""

    def __init__(self, channels: Channels, address: str) -> None:
        self._stub = inference_pb2_grpc.InferenceStub(channels.to(address, "inference-gateway"))

    async def read(self, sha256: str, purpose: str = "") -> AsyncGenerator[Piece, None]:
        request = inference_pb2.ReadEvidenceRequest(sha256=sha256)
        call = self._stub.ReadEvidence(
            request, timeout=EVIDENCE_SECONDS, metadata=purpose_metadata(purpose)
        )
        try:
            async for answer in refusals_of(call):
                yield Piece(
                    answer.content,
                    answer.content_type,
                    answer.sha256,
                    answer.original_sha256,
                    answer.size_bytes,
                )
        finally:
            call.cancel()


def camera_from(camera: cameras_pb2.Camera) -> Camera:
    given = camera.description
    camera_id = parse_id(camera.camera_id)
    assert camera_id is not None
    return Camera(
        camera_id=camera_id,
        kind=kind_name(given.kind),
        place=Place(
            given.place.latitude, given.place.longitude, given.place.region, given.place.address
        ),
        device_name=f"{given.make} {given.model}".strip() or given.name,
        serial=given.serial,
        certificate_number=given.certificate_number,
        verifications=tuple(
            Verification(
                row.number, from_timestamp(row.valid_from), from_timestamp(row.valid_until)
            )
            for row in given.verifications
        ),
        speed_tolerance_kmh=given.speed_tolerance_kmh,
        dedupe_seconds=given.dedupe_seconds or DEDUPE_SECONDS_DEFAULT,
    )


def kind_name(kind: int) -> str:
    """Return the short name of a camera kind, such as "SPEED_POINT"; "" for an unknown kind."""
    value = cameras_pb2.CameraKind.DESCRIPTOR.values_by_number.get(kind)
    return value.name.removeprefix("CAMERA_KIND_") if value and kind else ""


def report_from(desk: reports_pb2.DeskReport) -> Report | None:
    """Convert a message to a report. Returns None if no evidence of the report was accepted."""
    report_id = parse_id(desk.report.report_id)
    plate = letters_and_digits(desk.accepted_plate)
    if report_id is None or not plate or not desk.accepted_offence_code:
        return None
    stored = [media for media in desk.media if media.evidence_sha256]
    return Report(
        report_id=report_id,
        place=Place(
            desk.place.latitude, desk.place.longitude, desk.place.region, desk.place.address
        ),
        occurred_at=from_timestamp(desk.occurred_at),
        plate=plate,
        offence_code=desk.accepted_offence_code,
        evidence_sha256=tuple(media.evidence_sha256 for media in stored),
        story=desk.story,
        shown_sha256=tuple(media.shown_sha256 for media in stored),
    )
