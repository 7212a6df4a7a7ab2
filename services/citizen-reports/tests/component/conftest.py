"""The real service as a process of its own on real PostgreSQL and NATS, called over mutual TLS.

The peers it calls, the evidence store and the camera register, are a small gRPC server here.
"""

import asyncio
import hashlib
import io
import itertools
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from chassis.channels import Channels
from chassis.clock import new_id, system_clock, to_timestamp
from chassis.db import Database
from chassis.grpc_status import from_error
from chassis.purpose import purpose_metadata
from chassis.refusals import RemoteRefusal
from PIL import Image
from tartip.cameras.v1 import cameras_pb2_grpc
from tartip.common.v1 import common_pb2
from tartip.inference.v1 import inference_pb2_grpc
from tartip.partners.v1 import partners_pb2_grpc
from tartip.reports.v1 import personnel_pb2_grpc, reports_pb2_grpc, routing_pb2_grpc
from tartip.reports.v1 import reports_pb2 as pb
from tartip_testing.bounds import CALL_SECONDS, SOON_SECONDS
from tartip_testing.mesh import RunningTestMesh
from tartip_testing.service import migrated, serving
from vault.keyring import Keyring

from .evidence_peer import CameraRegister as CameraRegister
from .evidence_peer import Evidence as Evidence

SERVICE = "citizen-reports"
PACKAGE = "citizen_reports"
TRIES_MAX = 20


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


# Of the banks' servers in test_webhooks: the service is told at its start whom it may call.
WEBHOOK_PORT = _free_port()


@pytest.fixture(scope="session")
def camera_register() -> CameraRegister:
    return CameraRegister()


@pytest.fixture(scope="session")
def evidence(engines: RunningTestMesh, camera_register: CameraRegister) -> Iterator[Evidence]:
    kept = Evidence()
    pair = engines.certificates.service("inference-gateway")
    server = grpc.server(ThreadPoolExecutor(4))
    inference_pb2_grpc.add_InferenceServicer_to_server(kept, server)
    cameras_pb2_grpc.add_CameraRegistryServicer_to_server(camera_register, server)
    credentials = grpc.ssl_server_credentials(
        [(pair.key.read_bytes(), pair.certificate.read_bytes())],
        engines.certificates.authority.read_bytes(),
        require_client_auth=True,
    )
    kept.address = f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', credentials)}"
    server.start()
    yield kept
    server.stop(None)


@pytest.fixture(scope="session")
def service(
    engines: RunningTestMesh, evidence: Evidence, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of the service, migrated and serving."""
    environment = migrated(
        engines,
        SERVICE,
        TARTIP_INFERENCE_GATEWAY_ADDRESS=evidence.address,
        TARTIP_CAMERA_REGISTRY_ADDRESS=evidence.address,
        TARTIP_PARTNERS_REFRESH_SECONDS="0.5",
        TARTIP_SEAL_EVERY_SECONDS="1",
        TARTIP_WEBHOOK_HOSTS=f"127.0.0.1:{WEBHOOK_PORT}",
        TARTIP_WEBHOOK_CA=str(engines.certificates.authority),
        TARTIP_TRIAL_OFFICERS="security-1:internal-security:Nurpeisova:Saule;"
        "security-2:inspectorate:Akhmetov:Bolat;dispatcher-almaty:KZ-75-duty:Serikova:Aigul",
    )
    log = tmp_path_factory.mktemp("log") / "service.log"
    with serving(engines, SERVICE, environment, log) as address:
        yield address


@dataclass
class As:
    """Calls of one caller: a certificate and, where it speaks for an operator, a token."""

    channels: Channels
    address: str
    metadata: tuple[tuple[str, str | bytes], ...] = ()
    apps: Any = field(init=False)
    desk: Any = field(init=False)
    partners: Any = field(init=False)
    personnel: Any = field(init=False)
    complaints: Any = field(init=False)
    routing: Any = field(init=False)

    def __post_init__(self) -> None:
        channel = self.channels.to(self.address, SERVICE)
        self.apps = reports_pb2_grpc.CitizenReportsStub(channel)
        self.desk = reports_pb2_grpc.ReportDeskStub(channel)
        self.partners = partners_pb2_grpc.PartnersStub(channel)
        self.personnel = personnel_pb2_grpc.PersonnelStub(channel)
        self.complaints = personnel_pb2_grpc.ComplaintsStub(channel)
        self.routing = routing_pb2_grpc.RoutingStub(channel)

    async def app(self, method: str, request: Any) -> Any:
        """Like a bank's client: beyond its share it waits as RetryInfo says, and sends again. On a
        quick machine tests one after the other go beyond it."""
        for _ in range(TRIES_MAX):
            try:
                call = getattr(self.apps, method)
                return await call(request, timeout=CALL_SECONDS, metadata=self.metadata)
            except grpc.aio.AioRpcError as error:
                refusal = from_error(error)
                if refusal.code != "SHARE_EXCEEDED":
                    raise
                await asyncio.sleep(refusal.retry_seconds or 0.0)
        raise AssertionError(f"{method} is still beyond the share after {TRIES_MAX} tries")

    async def at_desk(self, method: str, request: Any) -> Any:
        call = getattr(self.desk, method)
        return await call(request, timeout=CALL_SECONDS, metadata=self.metadata)

    async def of_partners(self, method: str, request: Any) -> Any:
        call = getattr(self.partners, method)
        return await call(request, timeout=CALL_SECONDS, metadata=self.metadata)

    async def of_personnel(self, method: str, request: Any) -> Any:
        call = getattr(self.personnel, method)
        return await call(request, timeout=CALL_SECONDS, metadata=self.metadata)

    async def of_complaints(self, method: str, request: Any) -> Any:
        call = getattr(self.complaints, method)
        return await call(request, timeout=CALL_SECONDS, metadata=self.metadata)

    async def of_routing(self, method: str, request: Any) -> Any:
        call = getattr(self.routing, method)
        return await call(request, timeout=CALL_SECONDS, metadata=self.metadata)

    async def open_media(
        self, report_id: str, media_id: str, **asked: bool
    ) -> list[pb.OpenEvidenceResponse]:
        request = pb.OpenEvidenceRequest(report_id=report_id, media_id=media_id, **asked)
        answers = self.desk.OpenEvidence(request, timeout=CALL_SECONDS, metadata=self.metadata)
        return [answer async for answer in answers]

    def watch(self, token: str) -> Any:
        return self.apps.WatchReports(pb.WatchReportsRequest(resume_token=token))


@pytest_asyncio.fixture
async def as_(engines: RunningTestMesh, service: str) -> AsyncIterator[Callable[..., As]]:
    """`as_("kaspi")`, `as_(operator="dispatcher-almaty")`, `as_("violations", kind="service")`"""
    opened: list[Channels] = []

    def open_as(
        name: str = "operator-gateway",
        *,
        kind: str = "",
        operator: str = "",
        purpose: str = "case 12",
    ) -> As:
        kind = kind or ("service" if operator else "partner")
        pair = getattr(engines.certificates, kind)(name)
        channels = Channels(cert=pair.certificate, key=pair.key, ca=engines.certificates.authority)
        opened.append(channels)
        metadata: tuple[tuple[str, str | bytes], ...] = purpose_metadata(purpose)
        if operator:
            metadata = (("authorization", f"Bearer {engines.token(operator)}"), *metadata)
        return As(channels, service, metadata)

    yield open_as
    for channels in opened:
        await channels.close()


@pytest.fixture
def kaspi(as_: Callable[..., As]) -> As:
    return as_("kaspi")


@pytest.fixture
def halyk(as_: Callable[..., As]) -> As:
    return as_("halyk")


@pytest.fixture
def dispatcher(as_: Callable[..., As]) -> As:
    return as_(operator="dispatcher-almaty")


@pytest.fixture
def administrator(as_: Callable[..., As]) -> As:
    return as_(operator="personnel-1")


@pytest.fixture
def security(as_: Callable[..., As]) -> As:
    return as_(operator="security-1")


@pytest_asyncio.fixture
async def db(engines: RunningTestMesh, service: str) -> AsyncIterator[Database]:
    """The service's own database with its log-in for work, for looking behind its answers."""
    environment = engines.environment(SERVICE)
    database = Database(
        environment["TARTIP_WORK_DATABASE_URL"],
        service="test",
        keyring=Keyring(Path(environment["TARTIP_KEYS_DIR"])),
        clock=system_clock,
    )
    yield database
    await database.close()


# 100 m apart: none is a possible duplicate of another unless its test says so.
_PLACES = itertools.cycle(
    (43.1 + row * 0.001, 76.92 + column * 0.01) for column in range(4) for row in range(250)
)


def draft(**changes: Any) -> pb.OpenReportRequest:
    """A right report of a traffic violation in Almaty, and what the test changes in it."""
    occurred = changes.pop("occurred", system_clock() - timedelta(minutes=2))
    latitude, longitude = next(_PLACES)
    given: dict[str, Any] = {
        "report_id": str(new_id()),
        "category": pb.CATEGORY_TRAFFIC_VIOLATION,
        "place": common_pb2.Place(
            latitude=latitude,
            longitude=longitude,
            region="KZ-75",
            address="Abai 44",
        ),
        "occurred_at": to_timestamp(occurred),
        "text": "drove through the red light",
        "reporter": pb.Reporter(iin="900101300017", name="Test Person", phone="+77010000000"),
        "language": "ru",
    }
    return pb.OpenReportRequest(**given | changes)


def complaint(**changes: Any) -> pb.OpenReportRequest:
    return draft(
        **{"category": pb.CATEGORY_COMPLAINT_ABOUT_OFFICER, "officer": "badge 4711, unit Almaly"}
        | changes
    )


Register = Callable[..., Awaitable[tuple[str, pb.Receipt]]]


@pytest.fixture
def register(kaspi: As) -> Register:
    """Opens and submits; gives id and receipt."""

    async def send(given: pb.OpenReportRequest | None = None, *, by: As | None = None) -> Any:
        given, by = given or draft(), by or kaspi
        await by.app("OpenReport", given)
        request = pb.SubmitReportRequest(report_id=given.report_id)
        return given.report_id, (await by.app("SubmitReport", request)).receipt

    return send


def jpeg(side: int = 64, *, noise: bool = False) -> bytes:
    picture = Image.effect_noise((side, side), 80) if noise else Image.new("RGB", (side, side), 7)
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=95)
    return written.getvalue()


def pieces_of(
    report_id: str, content: bytes, *, size: int = 512 * 1024, **changes: Any
) -> list[pb.PutMediaRequest]:
    told: dict[str, Any] = {
        "report_id": report_id,
        "media_id": str(new_id()),
        "total_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "content_type": "image/jpeg",
    } | changes
    return [
        pb.PutMediaRequest(**told, offset=start, content=content[start : start + size])
        for start in range(0, len(content), size)
    ]


async def refused(call: Awaitable[object]) -> RemoteRefusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    refusal = from_error(caught.value)
    assert isinstance(refusal, RemoteRefusal)
    assert refusal.message.ru and refusal.message.kk
    return refusal


async def until(look: Callable[[], Awaitable[Any]]) -> Any:
    """What `look` gives, once it gives something."""
    deadline = time.monotonic() + SOON_SECONDS
    while True:
        found = await look()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.1)
