"""The real service as a process of its own, on real PostgreSQL and NATS; its two peers are small
gRPC servers here, under the peers' own certificates."""

import asyncio
import inspect
import itertools
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import asyncpg
import grpc
import pytest
import pytest_asyncio
from chassis.channels import Channels
from chassis.clock import new_id, system_clock, to_timestamp
from chassis.purpose import purpose_in, purpose_metadata
from chassis.refusals import Kind, Refusal
from chassis.statuses import DETAILS_KEY, to_status
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from tartip.cameras.v1 import cameras_pb2
from tartip.common.v1 import common_pb2
from tartip.inference.v1 import events_pb2 as inference_events
from tartip.inference.v1 import inference_pb2
from tartip.reports.v1 import reports_pb2
from tartip.violations.v1 import violations_pb2 as pb
from tartip.violations.v1 import violations_pb2_grpc
from tartip_cli.service_testing import migrated, serving
from tartip_cli.testing import RunningTestMesh

SERVICE = "violations"


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
    refusal = type("Gone", (Refusal,), {"kind": kind, "code": reason})()
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


@pytest.fixture(scope="session")
def peer_server(engines: RunningTestMesh) -> Iterator[tuple[Peers, str]]:
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


@pytest.fixture(scope="session")
def service(
    engines: RunningTestMesh,
    peer_server: tuple[Peers, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The address of the service, migrated and serving."""
    _, address = peer_server
    environment = migrated(
        engines,
        SERVICE,
        TARTIP_CAMERA_REGISTRY_ADDRESS=address,
        TARTIP_CITIZEN_REPORTS_ADDRESS=address,
        TARTIP_INFERENCE_GATEWAY_ADDRESS=address,
    )
    log = tmp_path_factory.mktemp("log") / "service.log"
    with serving(engines, SERVICE, environment, log) as address:
        yield address


@pytest.fixture
def peers(peer_server: tuple[Peers, str]) -> Peers:
    return peer_server[0]


@dataclass
class As:
    """Calls of one caller: a certificate and, where it speaks for an operator, a token."""

    channels: Channels
    address: str
    metadata: tuple[tuple[str, str | bytes], ...] = ()
    stub: Any = field(init=False)

    def __post_init__(self) -> None:
        self.stub = violations_pb2_grpc.ViolationsStub(self.channels.to(self.address, SERVICE))

    async def call(self, method: str, request: Message) -> Any:
        return await getattr(self.stub, method)(request, timeout=5, metadata=self.metadata)

    async def open(self, violation_id: str, sha256: str) -> list[pb.OpenEvidenceResponse]:
        request = pb.OpenEvidenceRequest(violation_id=violation_id, sha256=sha256)
        answers = self.stub.OpenEvidence(request, timeout=5, metadata=self.metadata)
        return [answer async for answer in answers]


@pytest_asyncio.fixture
async def as_(engines: RunningTestMesh, service: str) -> AsyncIterator[Callable[..., As]]:
    opened: list[Channels] = []

    def open_as(
        name: str = "operator-gateway",
        *,
        kind: str = "service",
        operator: str = "",
        purpose: str = "test",
    ) -> As:
        pair = getattr(engines.certificates, kind)(name)
        channels = Channels(cert=pair.certificate, key=pair.key, ca=engines.certificates.authority)
        opened.append(channels)
        metadata: list[tuple[str, str | bytes]] = []
        if operator:
            metadata.append(("authorization", f"Bearer {engines.token(operator)}"))
        metadata += purpose_metadata(purpose)
        return As(channels, service, tuple(metadata))

    yield open_as
    for channels in opened:
        await channels.close()


@pytest.fixture
def inspector(as_: Callable[..., As]) -> As:
    return as_(operator="inspector-almaty")


@pytest.fixture
def new_camera(peers: Peers) -> Callable[..., cameras_pb2.Camera]:
    """A verified speed camera in Almaty with a tolerance of 2 km/h; what is given differs."""

    def make(**given: Any) -> cameras_pb2.Camera:
        now = system_clock()
        place = common_pb2.Place(latitude=43.24, longitude=76.95, region="KZ-75", address="Abai 1")
        verification = cameras_pb2.Verification(
            number="V-1",
            valid_from=stamp(now - timedelta(days=100)),
            valid_until=stamp(now + timedelta(days=100)),
        )
        usual = {
            "name": "Abai",
            "serial": f"SN-{new_id()}",
            "make": "Sergek",
            "model": "S2",
            "kind": cameras_pb2.CAMERA_KIND_SPEED_POINT,
            "certificate_number": "KZ.C.1",
            "speed_tolerance_kmh": 2.0,
            "dedupe_seconds": 600,
            "place": place,
            "verifications": [verification],
        }
        made = cameras_pb2.Camera(
            camera_id=str(new_id()),
            description=cameras_pb2.CameraDescription(**(usual | given)),  # type: ignore[arg-type]
        )
        peers.cameras[made.camera_id] = made
        return made

    return make


@pytest.fixture
def camera(new_camera: Callable[..., cameras_pb2.Camera]) -> cameras_pb2.Camera:
    """The camera of a test, which may change it."""
    return new_camera()


@dataclass(frozen=True)
class Publisher:
    """Publishes as the service that owns the subject, with the headers that its relay gives."""

    engines: RunningTestMesh

    async def send(
        self, subject: str, message: Message, *, user: str, event_id: str = "", story: str = ""
    ) -> str:
        client = await self.engines.nats_client(user)
        told = event_id or str(new_id())
        headers = {
            "ce-id": told,
            "ce-type": subject,
            "tartip-aggregate": str(new_id()),
            "tartip-version": "1",
            "tartip-region": "KZ-75",
            "tartip-story": story or "ab" * 16,
            "traceparent": f"00-{story or 'ab' * 16}-{'cd' * 8}-01",
        }
        await client.jetstream().publish(
            subject, message.SerializeToString(), headers=headers, timeout=5
        )
        await client.close()
        return told

    async def read(self, event: inference_events.PlateRead, **headers: str) -> str:
        return await self.send(
            "inference.v1.plate_read", event, user="inference-gateway", **headers
        )


@pytest.fixture
def publisher(engines: RunningTestMesh, service: str) -> Publisher:
    return Publisher(engines)


_numbers = itertools.count()


def next_plate() -> str:
    """A plate that no other read of this session has."""
    number = next(_numbers)
    letters = "".join(chr(ord("A") + number // 1000 // 26**place % 26) for place in (1, 0))
    return f"{number % 1000:03d}P{letters}02"


@pytest.fixture
def new_plate() -> Callable[[], str]:
    return next_plate


@pytest.fixture
def plate() -> str:
    return next_plate()


@pytest.fixture
def plate_read(camera: cameras_pb2.Camera) -> Callable[..., inference_events.PlateRead]:
    """A read of a speeding car; `plate` and readings as the test wants them. Frames that tell no
    `arrived_at` arrive as they are measured, each with a picture of its own."""

    def make(
        plate: str = "",
        *,
        at: datetime | None = None,
        plate_type: str = "car_person",
        confidence: float = 0.97,
        measured: bool = True,
        by: cameras_pb2.Camera = camera,
        arrived_at: datetime | None = None,
        evidence: str = "",
        **readings: Any,
    ) -> inference_events.PlateRead:
        moment = at or system_clock()
        event = inference_events.PlateRead(
            read_id=str(new_id()),
            camera_id=by.camera_id,
            region=by.description.place.region,
            captured_at=stamp(moment),
            received_at=stamp(arrived_at or moment),
            evidence_sha256=evidence or new_id().hex * 2,
            models_fingerprint="sha256:m",
            plate=inference_pb2.Plate(
                text=plate or next_plate(),
                confidence=confidence,
                box=inference_pb2.Box(x=1, y=2, width=3, height=4),
                character_confidences=[confidence] * 8,
                country="KZ",
                plate_type=plate_type,
            ),
        )
        if measured:
            given = {"speed_kmh": 92.0, "speed_limit_kmh": 60.0} | readings
            event.readings.CopyFrom(
                inference_pb2.Readings(
                    device_serial=by.description.serial,
                    device_time=stamp(moment),
                    counter=1,
                    frame_sha256=b"\x01" * 32,
                    **given,
                )
            )
        return event

    return make


Wait = Callable[..., Awaitable[list[pb.Violation]]]
Outcome = Callable[[str], Awaitable[asyncpg.Record]]


@pytest.fixture
def outcome_of(engines: RunningTestMesh) -> Outcome:
    """The row of a read, once something has come of it."""

    async def wait(read_id: str) -> asyncpg.Record:
        query = "SELECT * FROM violations.reads WHERE read_id = $1 AND outcome IS NOT NULL"
        connection = await asyncpg.connect(engines.database.url)
        try:
            async with asyncio.timeout(20):
                while True:
                    row = await connection.fetchrow(query, read_id)
                    if row is not None:
                        return row
                    await asyncio.sleep(0.1)
        finally:
            await connection.close()

    return wait


@pytest.fixture
def audited(engines: RunningTestMesh) -> Callable[[str], Awaitable[list[dict[str, Any]]]]:
    """The audit entries about one object, in order."""

    async def read(object_ref: str) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(engines.database.url)
        rows = await connection.fetch("SELECT canonical FROM violations.audit ORDER BY position")
        await connection.close()
        entries = [json.loads(row["canonical"]) for row in rows]
        return [entry for entry in entries if entry["object"] == object_ref]

    return read


@pytest.fixture
def facts_about(engines: RunningTestMesh) -> Callable[..., Awaitable[list[Any]]]:
    """Messages of the stream VIOLATIONS about one violation, in order, once there are that many."""

    async def wait(aggregate: str, *, count: int) -> list[Any]:
        client = await engines.nats_client("provisioner")
        try:
            async with asyncio.timeout(20):
                while True:
                    found = await _messages(client.jetstream(), aggregate)
                    if len(found) >= count:
                        return found
                    await asyncio.sleep(0.1)
        finally:
            await client.close()

    return wait


async def _messages(jetstream: Any, aggregate: str) -> list[Any]:
    last = (await jetstream.stream_info("VIOLATIONS")).state.last_seq
    messages = [await jetstream.get_msg("VIOLATIONS", number) for number in range(1, last + 1)]
    return [msg for msg in messages if (msg.headers or {})["tartip-aggregate"] == aggregate]


@pytest.fixture
def violations_of(inspector: As) -> Wait:
    """The violations that one camera (or report) led to, once there are that many."""

    async def wait(
        camera_id: str = "", *, report_id: str = "", count: int = 1, caller: As | None = None
    ) -> list[pb.Violation]:
        async with asyncio.timeout(20):
            while True:
                found = await _all(caller or inspector)
                chosen = [
                    one
                    for one in found
                    if (camera_id and one.camera_id == camera_id)
                    or (report_id and one.report_id == report_id)
                ]
                if len(chosen) >= count:
                    return chosen
                await asyncio.sleep(0.1)

    return wait


async def _all(caller: As) -> list[pb.Violation]:
    found: list[pb.Violation] = []
    token = ""
    while True:
        page = common_pb2.Page(size=200, token=token)
        answer = await caller.call("ListViolations", pb.ListViolationsRequest(page=page))
        found += answer.violations
        token = answer.next_page_token
        if not token:
            return found


@dataclass(frozen=True)
class Signer:
    """An officer's browser or card."""

    engines: RunningTestMesh

    def sign(self, canonical: bytes, officer: str = "inspector-almaty") -> tuple[bytes, bytes]:
        """Signature and certificate."""
        pair = self.engines.certificates.officer(officer)
        key = serialization.load_pem_private_key(pair.key.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        signature = key.sign(canonical, ec.ECDSA(hashes.SHA256()))
        return signature, pair.certificate.read_bytes()


@pytest.fixture
def signer(engines: RunningTestMesh) -> Signer:
    return Signer(engines)


@pytest.fixture
def prepared(inspector: As, signer: Signer) -> Callable[..., Awaitable[Any]]:
    """A request for a decision, prepared and signed as an inspector's client does it."""

    async def make(
        violation_id: str,
        *,
        verdict: pb.Verdict.ValueType = pb.VERDICT_CONFIRM,
        reason: str = "",
        officer: str = "inspector-almaty",
    ) -> Any:
        request = pb.PrepareDecisionRequest(
            violation_id=violation_id,
            verdict=verdict,
            reason=reason,
        )
        canonical = (await inspector.call("PrepareDecision", request)).canonical
        signature, certificate = signer.sign(canonical, officer)
        shape = (
            pb.ConfirmViolationRequest
            if verdict == pb.VERDICT_CONFIRM
            else pb.RejectViolationRequest
        )
        return shape(
            decision_id=str(new_id()),
            violation_id=violation_id,
            canonical=canonical,
            signature=signature,
            certificate=certificate,
        )

    return make
