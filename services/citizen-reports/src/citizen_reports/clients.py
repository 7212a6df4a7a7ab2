"""Clients of other services: the inference gateway's evidence store and the camera register."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

import grpc
from chassis.channels import peers_refusals, refusals_of
from chassis.clock import to_timestamp
from chassis.purpose import purpose_metadata
from tartip.cameras.v1 import cameras_pb2, cameras_pb2_grpc
from tartip.inference.v1 import inference_pb2, inference_pb2_grpc
from vision.boxes import Box

from citizen_reports.model.cameras import WITHIN_METRES, Sighting, Window
from citizen_reports.model.draft import Place
from citizen_reports.model.media import EvidenceFile, Media, Stored
from citizen_reports.model.proposed_plates import ProposedPlate
from citizen_reports.model.report import Report
from citizen_reports.usecases.openings import Piece

STORE_SECONDS = 120.0  # of 100 MiB
READ_SECONDS = 30.0
ERASE_SECONDS = 10.0
HOLD_SECONDS = 5.0
PLATES_SECONDS = 30.0
FACES_SECONDS = 40.0
PLATES_PURPOSE = purpose_metadata("a plate is proposed for a report of a traffic violation")
BLURRING_PURPOSE = purpose_metadata("a picture of a report is blurred")
REGISTER_SECONDS = 5.0


class InferenceGateway:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = inference_pb2_grpc.InferenceStub(channel)

    async def store(
        self, file: EvidenceFile, report: Report, pieces: AsyncIterator[bytes]
    ) -> Stored:
        with peers_refusals():
            answer = await self._stub.StoreEvidence(
                _requests(file, report, pieces), timeout=STORE_SECONDS
            )
        return Stored(answer.sha256, answer.shown_sha256)

    async def erase(self, sha256: str, *, confidential: bool) -> None:
        """Erase a file; nothing happens if it is not there. `sha256` (hex) is its hash. With
        `confidential`, the gateway's audit entry of it is hidden from auditors."""
        request = inference_pb2.EraseEvidenceRequest(sha256=sha256, confidential=confidential)
        with peers_refusals():
            await self._stub.EraseEvidence(request, timeout=ERASE_SECONDS)

    async def read_plates(self, item: Media) -> list[ProposedPlate]:
        """Return the plates in a photograph of the evidence store. Raises a Refusal."""
        request = inference_pb2.ReadPlatesRequest(sha256=item.evidence_sha256)
        with peers_refusals():
            answer = await self._stub.ReadPlates(
                request, timeout=PLATES_SECONDS, metadata=PLATES_PURPOSE
            )
        return [
            ProposedPlate(item.media_id, plate.text, plate.confidence) for plate in answer.plates
        ]

    async def find_faces_and_plates(self, sha256: str, *, confidential: bool) -> list[Box]:
        """Return where faces and plates are in a picture of the evidence store, in pixels of its
        clean form; an empty list means that it contains neither. `sha256` (hex) is its hash. Raises
        a Refusal."""
        request = inference_pb2.FindFacesAndPlatesRequest(sha256=sha256, confidential=confidential)
        with peers_refusals():
            answer = await self._stub.FindFacesAndPlates(
                request, timeout=FACES_SECONDS, metadata=BLURRING_PURPOSE
            )
        return [Box(box.x, box.y, box.width, box.height) for box in (*answer.faces, *answer.plates)]

    async def read_picture(self, sha256: str, *, confidential: bool) -> AsyncIterator[bytes]:
        """Stream the clean form of a picture that is to be blurred; `sha256` (hex) is its hash.
        Raises a Refusal."""
        request = inference_pb2.ReadEvidenceRequest(sha256=sha256, confidential=confidential)
        call = self._stub.ReadEvidence(request, timeout=READ_SECONDS, metadata=BLURRING_PURPOSE)
        try:
            async for answer in refusals_of(call):
                yield answer.content
        finally:
            call.cancel()

    async def hold(self, hold_id: UUID, camera_id: UUID, window: Window) -> int:
        """Hold the evidence of a camera in a period; return its present number of frames. A
        repeated call with the same id changes nothing."""
        request = inference_pb2.HoldEvidenceRequest(
            hold_id=str(hold_id),
            camera_id=str(camera_id),
            held_from=to_timestamp(window.start),
            held_until=to_timestamp(window.end),
        )
        with peers_refusals():
            answer = await self._stub.HoldEvidence(request, timeout=HOLD_SECONDS)
        return int(answer.frames)

    async def release(self, hold_id: UUID) -> None:
        """End a hold; nothing happens if there is none."""
        request = inference_pb2.ReleaseEvidenceRequest(hold_id=str(hold_id))
        with peers_refusals():
            await self._stub.ReleaseEvidence(request, timeout=HOLD_SECONDS)

    async def read(self, sha256: str, *, confidential: bool) -> AsyncIterator[Piece]:
        """Stream the copy of a file that is shown to operators. `sha256` (hex) is the hash of the
        original file, not of this copy. The caller's stated purpose is passed on to the gateway.
        With `confidential`, the gateway's audit entry of this read is hidden from auditors."""
        request = inference_pb2.ReadEvidenceRequest(sha256=sha256, confidential=confidential)
        call = self._stub.ReadEvidence(request, timeout=READ_SECONDS)
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


class CameraRegistry:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = cameras_pb2_grpc.CameraRegistryStub(channel)

    async def seeing(self, place: Place, at: datetime) -> list[Sighting]:
        """Return the cameras of the place's region that may have seen the place at `at`, nearest
        first. Cameras of other regions are left out: operators who see the report may not see
        them."""
        request = cameras_pb2.ListCamerasSeeingRequest(
            latitude=place.latitude,
            longitude=place.longitude,
            at=to_timestamp(at),
            within_metres=WITHIN_METRES,
        )
        with peers_refusals():
            answer = await self._stub.ListCamerasSeeing(request, timeout=REGISTER_SECONDS)
        return [
            Sighting(
                camera_id=UUID(seen.camera.camera_id),
                name=seen.camera.description.name,
                distance_metres=seen.distance_metres,
                is_certain=seen.is_certain,
            )
            for seen in answer.cameras
            if seen.camera.description.place.region == place.region
        ]


async def _requests(
    file: EvidenceFile, report: Report, pieces: AsyncIterator[bytes]
) -> AsyncIterator[inference_pb2.StoreEvidenceRequest]:
    header = inference_pb2.EvidenceHeader(
        sha256=file.sha256,
        content_type=file.content_type,
        region=report.region,
        only_role=report.evidence_role,
        confidential=report.is_confidential,
        shown_sha256=file.shown_sha256,
    )
    yield inference_pb2.StoreEvidenceRequest(header=header)
    async for piece in pieces:
        yield inference_pb2.StoreEvidenceRequest(content=piece)
