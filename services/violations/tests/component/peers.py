"""The peers of violations in its tests: gRPC servers that answer what a test put there."""

import inspect
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NoReturn

import grpc
from chassis.clock import to_timestamp
from chassis.grpc_status import DETAILS_KEY, to_status
from chassis.purpose import purpose_in
from chassis.refusals import Kind, Refusal
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from tartip.cameras.v1 import cameras_pb2
from tartip.inference.v1 import inference_pb2
from tartip.reports.v1 import reports_pb2
from tartip_testing.mesh import RunningTestMesh

OWNERS = {
    "CAMERA": "camera_registry",
    "REPORT": "citizen_reports",
    "EVIDENCE": "inference_gateway",
}


def stamp(moment: datetime) -> Timestamp:
    made = to_timestamp(moment)
    assert made is not None
    return made


class Peers:
    """Cameras, reports and frames that tests put in; `away` makes all unreachable."""

    def __init__(self) -> None:
        self.cameras: dict[str, cameras_pb2.Camera] = {}
        self.later: dict[str, cameras_pb2.Camera] = {}
        self.reports: dict[str, reports_pb2.DeskReport] = {}
        self.away = False
        self.asked = 0
        self.as_of: list[datetime] = []
        self.purposes: list[str] = []
        # By the hash of the original: the shown form's hash and content.
        self.frames: dict[str, tuple[str, bytes]] = {}
        self.read: list[tuple[str, str]] = []
        # Hashes for which the store is away.
        self.held_back: set[str] = set()
        self.lock = threading.Lock()

    def GetCamera(self, request: Any, context: Any) -> Any:
        """`cameras` hold descriptions as of `registered_at`, newer ones in `later`."""
        self._count(context)
        as_of = request.as_of.ToDatetime(tzinfo=UTC)
        self.as_of.append(as_of)
        camera = self.cameras.get(request.camera_id)
        if camera is None:
            _refuse(context, "CAMERA_NOT_FOUND", grpc.StatusCode.NOT_FOUND)
        if camera.HasField("registered_at") and as_of < camera.registered_at.ToDatetime(tzinfo=UTC):
            _refuse(context, "CAMERA_NOT_REGISTERED_THEN", grpc.StatusCode.FAILED_PRECONDITION)
        later = self.later.get(request.camera_id)
        if later is not None and as_of >= later.registered_at.ToDatetime(tzinfo=UTC):
            camera = later
        return cameras_pb2.GetCameraResponse(camera=camera)

    def GetReport(self, request: Any, context: Any) -> Any:
        self._count(context)
        self.purposes.append(purpose_in(dict(context.invocation_metadata())))
        report = self.reports.get(request.report_id)
        if report is None:
            _refuse(context, "REPORT_NOT_FOUND", grpc.StatusCode.NOT_FOUND)
        return reports_pb2.ReportDeskGetReportResponse(report=report)

    def ReadEvidence(self, request: Any, context: Any) -> Any:
        """In two pieces."""
        self._count(context)
        self.read.append((request.sha256, purpose_in(dict(context.invocation_metadata()))))
        if request.sha256 in self.held_back:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        frame = self.frames.get(request.sha256)
        if frame is None:
            _refuse(context, "EVIDENCE_NOT_FOUND", grpc.StatusCode.NOT_FOUND)
        shown_sha256, content = frame
        yield inference_pb2.ReadEvidenceResponse(
            content_type="image/jpeg",
            content=content[:5],
            sha256=shown_sha256,
            original_sha256=request.sha256,
            size_bytes=len(content),
        )
        yield inference_pb2.ReadEvidenceResponse(content=content[5:])

    def _count(self, context: Any) -> None:
        with self.lock:
            self.asked += 1
        if self.away:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")


def _refuse(context: Any, reason: str, status: grpc.StatusCode) -> NoReturn:
    kind = Kind.NOT_FOUND if status is grpc.StatusCode.NOT_FOUND else Kind.STATE
    # Its sentence is among the texts of the peer that refuses.
    owner = OWNERS[reason.partition("_")[0]]
    refusal = type("Gone", (Refusal,), {"kind": kind, "code": reason, "__module__": owner})()
    details = ((DETAILS_KEY, to_status(refusal).SerializeToString()),)
    context.set_trailing_metadata(details)
    context.abort(status, reason)
    raise AssertionError("abort raises")


def _handler_of(answer: Any) -> Any:
    if inspect.isgeneratorfunction(answer):
        return grpc.unary_stream_rpc_method_handler
    return grpc.unary_unary_rpc_method_handler


def _serve(server: grpc.Server, service: str, **methods: tuple[Any, type[Message]]) -> None:
    """The methods that violations calls, and no others."""
    handlers = {
        name: _handler_of(answer)(
            answer,
            request_deserializer=request.FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )
        for name, (answer, request) in methods.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))


@contextmanager
def serving_peers(engines: RunningTestMesh) -> Iterator[tuple[Peers, str]]:
    peers = Peers()
    pair = engines.certificates.service("camera-registry")
    credentials = grpc.ssl_server_credentials(
        [(pair.key.read_bytes(), pair.certificate.read_bytes())],
        engines.certificates.authority.read_bytes(),
        require_client_auth=True,
    )
    server = grpc.server(ThreadPoolExecutor(4))
    _serve(
        server,
        "tartip.cameras.v1.CameraRegistry",
        GetCamera=(peers.GetCamera, cameras_pb2.GetCameraRequest),
    )
    _serve(
        server,
        "tartip.reports.v1.ReportDesk",
        GetReport=(peers.GetReport, reports_pb2.ReportDeskGetReportRequest),
    )
    _serve(
        server,
        "tartip.inference.v1.Inference",
        ReadEvidence=(peers.ReadEvidence, inference_pb2.ReadEvidenceRequest),
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    yield peers, f"127.0.0.1:{port}"
    server.stop(None)
