"""The peers that the service calls, as small gRPC servers: evidence store and camera register."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import grpc
from chassis.purpose import purpose_in, purpose_metadata
from citizen_reports.clients import BLURRING_PURPOSE
from tartip.cameras.v1 import cameras_pb2, cameras_pb2_grpc
from tartip.inference.v1 import inference_pb2, inference_pb2_grpc


@dataclass
class Evidence(inference_pb2_grpc.InferenceServicer):
    """Keeps what it is sent under its SHA-256, as the inference gateway does; `away` refuses all,
    `keeps_no_films` films."""

    kept: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, inference_pb2.EvidenceHeader] = field(default_factory=dict)
    # By hash of the original: of the form that is shown.
    forms: dict[str, str] = field(default_factory=dict)
    read: list[tuple[inference_pb2.ReadEvidenceRequest, str]] = field(default_factory=list)
    # By hold id; a released one is None. By camera id: how many frames are there.
    holds: dict[str, inference_pb2.HoldEvidenceRequest | None] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    # By hash of the original: the plates in it.
    plates: dict[str, list[inference_pb2.Plate]] = field(default_factory=dict)
    looked_at: list[str] = field(default_factory=list)
    # By hash of the clean form: the faces in it, or the code of the refusal to look at it.
    faces: dict[str, list[inference_pb2.Box] | str] = field(default_factory=dict)
    # Read in order to be blurred.
    blurred: list[inference_pb2.ReadEvidenceRequest] = field(default_factory=list)
    address: str = ""
    away: bool = False
    keeps_no_films: bool = False

    def ReadPlates(self, request: Any, context: Any) -> Any:
        self.looked_at.append(request.sha256)
        assert purpose_in(dict(context.invocation_metadata()))
        return inference_pb2.ReadPlatesResponse(plates=self.plates.get(request.sha256, []))

    def FindFacesAndPlates(self, request: Any, context: Any) -> Any:
        assert purpose_in(dict(context.invocation_metadata()))
        found = self.faces.get(request.sha256, [])
        if isinstance(found, str):
            context.abort(grpc.StatusCode.UNAVAILABLE, found)
            raise AssertionError("abort raises")
        return inference_pb2.FindFacesAndPlatesResponse(faces=found)

    def HoldEvidence(self, request: Any, context: Any) -> Any:
        if self.holds.setdefault(request.hold_id, request) not in (request, None):
            context.abort(grpc.StatusCode.ALREADY_EXISTS, "ID_REUSED")
        return inference_pb2.HoldEvidenceResponse(frames=self.frames.get(request.camera_id, 0))

    def ReleaseEvidence(self, request: Any, context: Any) -> Any:
        self.holds[request.hold_id] = None
        return inference_pb2.ReleaseEvidenceResponse()

    def StoreEvidence(self, requests: Any, context: Any) -> Any:
        if self.away:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        header = next(requests).header
        if self.keeps_no_films and header.content_type.startswith("video/"):
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        content = b"".join(request.content for request in requests)
        assert hashlib.sha256(content).hexdigest() == header.sha256
        self.kept[header.sha256] = content
        self.headers[header.sha256] = header
        self.forms[header.sha256] = header.shown_sha256
        assert header.shown_sha256 in self.kept, "the form is stored first"
        return inference_pb2.StoreEvidenceResponse(
            sha256=header.sha256, size_bytes=len(content), shown_sha256=header.shown_sha256
        )

    def ReadEvidence(self, request: Any, context: Any) -> Any:
        """The form that the owner made of it."""
        purpose = purpose_in(dict(context.invocation_metadata()))
        if purpose_metadata(purpose) == BLURRING_PURPOSE:
            self.blurred.append(request)
        else:
            self.read.append((request, purpose))
        form = self.forms[request.sha256]
        content = self.kept[form]
        yield inference_pb2.ReadEvidenceResponse(
            content_type=self.headers[form].content_type,
            content=content[:100],
            sha256=form,
            original_sha256=request.sha256,
            size_bytes=len(content),
        )
        yield inference_pb2.ReadEvidenceResponse(content=content[100:])


@dataclass
class CameraRegister(cameras_pb2_grpc.CameraRegistryServicer):
    """Names the cameras that a test has put at a place (latitude, longitude)."""

    cameras: dict[tuple[float, float], list[cameras_pb2.SeeingCamera]] = field(default_factory=dict)
    asked: list[cameras_pb2.ListCamerasSeeingRequest] = field(default_factory=list)

    def ListCamerasSeeing(self, request: Any, context: Any) -> Any:
        self.asked.append(request)
        found = self.cameras.get((request.latitude, request.longitude), [])
        return cameras_pb2.ListCamerasSeeingResponse(cameras=found)
