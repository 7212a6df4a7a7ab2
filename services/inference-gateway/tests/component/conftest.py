"""The real service as a process of its own on real PostgreSQL, NATS and Triton; the one peer, the
register of cameras, is a small server in this process that speaks over the same mutual TLS."""

import asyncio
import contextlib
import hashlib
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from chassis.clock import new_id, to_timestamp
from chassis.grpc_status import from_error
from chassis.purpose import purpose_metadata
from chassis.refusals import Refusal
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grpc_health.v1 import health_pb2, health_pb2_grpc
from inference_gateway.readings import Readings
from tartip.cameras.v1 import cameras_pb2, cameras_pb2_grpc
from tartip.cameras.v1 import events_pb2 as camera_events
from tartip.common.v1 import common_pb2
from tartip.inference.v1 import events_pb2, inference_pb2, inference_pb2_grpc
from tartip_cli.parts.part import launched
from tartip_cli.parts.triton import Triton
from tartip_cli.provision.users import UnixUser
from tartip_cli.settings import find_checkout, inherited_environment
from tartip_scenes.scenes import Light, draw_scene
from tartip_testing.mesh import RunningTestMesh

SERVICE = "inference-gateway"
PACKAGE = "inference_gateway"
START_SECONDS = 180.0
CALL_SECONDS = 40.0


def credentials(engines: RunningTestMesh, kind: str, name: str) -> grpc.ChannelCredentials:
    pair = getattr(engines.certificates, kind)(name)
    return grpc.ssl_channel_credentials(
        engines.certificates.authority.read_bytes(),
        pair.key.read_bytes(),
        pair.certificate.read_bytes(),
    )


@dataclass
class Device:
    """A camera in the register and the device in it that signs."""

    camera_id: str = field(default_factory=lambda: str(new_id()))
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    serial: str = field(default_factory=lambda: f"SN-{new_id()}")
    region: str = "KZ-75"
    counter: int = 0

    def sign(self, picture: bytes, at: datetime, **changes: Any) -> inference_pb2.SignedReadings:
        self.counter += 1
        told: dict[str, Any] = {
            "device_serial": self.serial,
            "device_time": at,
            "counter": self.counter,
            "frame_sha256": hashlib.sha256(picture).digest(),
            "speed_kmh": 88.0,
            "speed_limit_kmh": 60.0,
            **changes,
        }
        readings = inference_pb2.Readings(**{**told, "device_time": to_timestamp(at)})
        signature = self.key.sign(Readings(**told).canonical())
        return inference_pb2.SignedReadings(readings=readings, signature=signature)


class Register(cameras_pb2_grpc.CameraRegistryServicer):
    """The peer: answers what the test put in, and counts how often it was asked."""

    def __init__(self) -> None:
        self.cameras: dict[str, cameras_pb2.Camera] = {}
        self.asked: list[str] = []

    def add(self, device: Device, *, version: int = 1, retired: bool = False) -> None:
        self.cameras[device.camera_id] = cameras_pb2.Camera(
            camera_id=device.camera_id,
            version=version,
            status=cameras_pb2.CAMERA_STATUS_RETIRED
            if retired
            else cameras_pb2.CAMERA_STATUS_UNSPECIFIED,
            description=cameras_pb2.CameraDescription(
                serial=device.serial,
                device_key=device.key.public_key().public_bytes_raw(),
                place=common_pb2.Place(region=device.region),
            ),
        )

    def GetCamera(
        self, request: cameras_pb2.GetCameraRequest, context: grpc.ServicerContext
    ) -> cameras_pb2.GetCameraResponse:
        self.asked.append(request.camera_id)
        if request.camera_id not in self.cameras:
            context.abort(grpc.StatusCode.NOT_FOUND, "CAMERA_NOT_FOUND")
        return cameras_pb2.GetCameraResponse(camera=self.cameras[request.camera_id])


@pytest.fixture(scope="session")
def register(engines: RunningTestMesh) -> Iterator[tuple[Register, str]]:
    """The peer and its address."""
    servicer, server = Register(), grpc.server(ThreadPoolExecutor(4))
    cameras_pb2_grpc.add_CameraRegistryServicer_to_server(servicer, server)
    pair = engines.certificates.service("camera-registry")
    secured = grpc.ssl_server_credentials(
        [(pair.key.read_bytes(), pair.certificate.read_bytes())],
        engines.certificates.authority.read_bytes(),
        require_client_auth=True,
    )
    port = server.add_secure_port("127.0.0.1:0", secured)
    server.start()
    yield servicer, f"127.0.0.1:{port}"
    server.stop(1)


@dataclass
class Process:
    """A child that a test may kill and start again."""

    command: tuple[str, ...]
    environment: dict[str, str]
    log: Path
    ready: Callable[[], bool]
    user: UnixUser | None = None
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.child = subprocess.Popen(
                launched(self.command, user=self.user, death_signal=signal.SIGKILL),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            assert self.child.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.1)

    def kill(self) -> None:
        """With whatever it started: a killed Triton's stubs do not always notice."""
        assert self.child is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """With whatever it started: its sockets stay open, and nothing answers."""
        assert self.child is not None
        os.killpg(self.child.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.child.pid, signal.SIGCONT)

    def stop(self) -> int:
        assert self.child is not None
        self.child.terminate()
        return self.child.wait(60)


@pytest.fixture(scope="session")
def triton(engines: RunningTestMesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = find_checkout() / ".triton"
    if not (folder / "fingerprints.json").exists():
        pytest.skip("left out: Triton's models are not built, run `make setup`")
    part = Triton(
        folder=folder,
        home=engines.home,
        address=f"127.0.0.1:{engines.ports.triton}",
        metrics_port=engines.ports.triton_metrics,
        certificates=engines.certificates,
        client=engines.certificates.service("tartip-cli"),
    ).part()
    assert part.prepare is not None
    asyncio.run(_done(part.prepare()))
    process = Process(
        part.command,
        {**inherited_environment(), **part.environment},
        tmp_path_factory.mktemp("triton") / "triton.log",
        lambda: _answers(part.probe),
        part.user,
    )
    process.start()
    yield process
    process.stop()


async def _done(step: Any) -> None:
    await step


def _answers(probe: Callable[[], Any]) -> bool:
    async def ask() -> bool:
        return bool(await probe())

    try:
        return asyncio.run(ask())
    except Exception:
        return False


@pytest.fixture(scope="session")
def service(
    engines: RunningTestMesh,
    register: tuple[Register, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Process]:
    """Migrated and serving; Triton need not be there for that."""
    environment = {
        **os.environ,
        **engines.owner_environment(SERVICE),
        "TARTIP_CAMERA_REGISTRY_ADDRESS": register[1],
        "TARTIP_SEAL_EVERY_SECONDS": "0.3",
    }
    run = (sys.executable, "-m", PACKAGE)
    subprocess.run([*run, "migrate"], env=environment, check=True, timeout=START_SECONDS)
    process = Process(
        (*run, "serve"),
        environment,
        tmp_path_factory.mktemp("service") / "service.log",
        lambda: _serves(engines),
    )
    process.start()
    yield process
    assert process.stop() == 0, process.log.read_text()[-3000:]


def _serves(engines: RunningTestMesh) -> bool:
    secured = credentials(engines, "service", "tartip-cli")
    with grpc.secure_channel(engines.address(SERVICE), secured) as channel:
        try:
            request = health_pb2.HealthCheckRequest()
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=1)
        except grpc.RpcError:
            return False
    return answer.status == health_pb2.HealthCheckResponse.SERVING  # type: ignore[no-any-return]


@dataclass
class As:
    """Calls of one caller: a certificate and, where it speaks for an operator, a token."""

    stub: Any
    metadata: tuple[tuple[str, str], ...]
    shown: str = ""

    def ingest(
        self,
        device: Device,
        picture: bytes,
        *,
        frame_id: str | None = None,
        at: datetime | None = None,
        readings: inference_pb2.SignedReadings | None = None,
    ) -> inference_pb2.FrameResult:
        request = inference_pb2.IngestFrameRequest(
            frame_id=frame_id or str(new_id()),
            camera_id=device.camera_id,
            captured_at=to_timestamp(at or datetime.now(UTC)),
            picture=picture,
            readings=readings,
        )
        answer = self.stub.IngestFrame(request, timeout=CALL_SECONDS, metadata=self.metadata)
        return answer.result  # type: ignore[no-any-return]

    def show(self, device: Device, film: bytes, **told: Any) -> list[Any]:
        """The answers that hold a result; see `show_all`."""
        return [a for a in self.show_all(device, film, **told) if a.HasField("result")]

    def show_all(
        self, device: Device, film: bytes, *, film_id: str, at: datetime, rate: float = 4.0
    ) -> list[inference_pb2.IngestFilmResponse]:
        """With the account at the end."""

        def parts() -> Iterator[inference_pb2.IngestFilmRequest]:
            header = inference_pb2.FilmHeader(
                film_id=film_id,
                camera_id=device.camera_id,
                started_at=to_timestamp(at),
                frames_per_second=rate,
            )
            yield inference_pb2.IngestFilmRequest(header=header)
            for start in range(0, len(film), 500_000):
                yield inference_pb2.IngestFilmRequest(content=film[start : start + 500_000])

        return list(self.stub.IngestFilm(parts(), timeout=120, metadata=self.metadata))

    def watch(
        self, device: Device, address: str, *, max_frames: int
    ) -> list[inference_pb2.FrameResult]:
        request = inference_pb2.WatchStreamRequest(
            camera_id=device.camera_id,
            address=address,
            max_frames=max_frames,
            frames_per_second=5.0,
        )
        answers = self.stub.WatchStream(request, timeout=60, metadata=self.metadata)
        return [answer.result for answer in answers]

    def store(
        self,
        content: bytes,
        *,
        sha256: str | None = None,
        region: str = "KZ-75",
        role: str = "",
        confidential: bool = False,
    ) -> str:
        """Leaves the hash of the shown form in `shown`."""

        def parts() -> Iterator[inference_pb2.StoreEvidenceRequest]:
            header = inference_pb2.EvidenceHeader(
                sha256=sha256 or hashlib.sha256(content).hexdigest(),
                content_type="image/jpeg",
                region=region,
                only_role=role,
                confidential=confidential,
            )
            yield inference_pb2.StoreEvidenceRequest(header=header)
            for start in range(0, len(content), 500_000):
                yield inference_pb2.StoreEvidenceRequest(content=content[start : start + 500_000])

        answer = self.stub.StoreEvidence(parts(), timeout=CALL_SECONDS, metadata=self.metadata)
        assert answer.size_bytes == len(content)
        self.shown = str(answer.shown_sha256)
        return str(answer.sha256)

    def read(
        self, sha256: str, *, purpose: str = "test", confidential: bool = False
    ) -> tuple[str, bytes]:
        """The content type and the shown form; what the first message says of it must be true."""
        request = inference_pb2.ReadEvidenceRequest(sha256=sha256, confidential=confidential)
        metadata = (*self.metadata, *purpose_metadata(purpose))
        answers = list(self.stub.ReadEvidence(request, timeout=CALL_SECONDS, metadata=metadata))
        first, content = answers[0], b"".join(answer.content for answer in answers)
        assert first.sha256 == hashlib.sha256(content).hexdigest()
        assert (first.original_sha256, first.size_bytes) == (sha256, len(content))
        return first.content_type, content


@pytest.fixture
def as_(engines: RunningTestMesh, service: Process) -> Iterator[Callable[..., As]]:
    """`as_("operator-gateway", operator="cameras-1")`, `as_("edge-1", kind="device")`, …"""
    channels: list[grpc.Channel] = []

    def open_as(name: str, *, kind: str = "service", operator: str = "") -> As:
        channel = grpc.secure_channel(
            engines.address(SERVICE),
            credentials(engines, kind, name),
            options=[("grpc.max_send_message_length", -1), ("grpc.enable_http_proxy", 0)],
        )
        channels.append(channel)
        token = engines.token(operator) if operator else ""
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        return As(inference_pb2_grpc.InferenceStub(channel), metadata)

    yield open_as
    for channel in channels:
        channel.close()


@pytest.fixture
def edge(as_: Callable[..., As]) -> As:
    return as_("edge-1", kind="device")


@pytest.fixture
def command_line(as_: Callable[..., As]) -> As:
    return as_("tartip-cli")


@pytest.fixture
def device(register: tuple[Register, str]) -> Device:
    """A camera that the register knows."""
    made = Device()
    register[0].add(made)
    return made


@contextmanager
def refused(reason: str) -> Iterator[list[Refusal]]:
    """The block is refused by this name; the refusal is left in the list."""
    told: list[Refusal] = []
    try:
        yield told
    except grpc.RpcError as error:
        told.append(from_error(error))  # type: ignore[arg-type]
        assert told[0].reason == reason, told[0].message.en
    else:
        raise AssertionError(f"not refused; {reason} was expected")


@pytest.fixture(scope="session")
def scene() -> bytes:
    return picture_of("463DXA02", seed=21)


def picture_of(text: str, *, seed: int) -> bytes:
    return draw_scene(seed, text=text, light=Light.DAY).jpeg


def retaken(jpeg: bytes) -> bytes:
    """The same scene as another file, as a device gives it for each measurement: a comment in the
    head makes its digest another one."""
    comment = str(new_id()).encode()
    return jpeg[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + jpeg[2:]


@dataclass
class Plates:
    """What went out on the stream that violations alone may read."""

    engines: RunningTestMesh

    def of(self, device: Device, *, at_least: int) -> list[events_pb2.PlateRead]:
        """All plates told of this camera."""
        return asyncio.run(self._of(device.camera_id, at_least))

    async def _of(self, camera_id: str, at_least: int) -> list[events_pb2.PlateRead]:
        client = await self.engines.nats_client("provisioner")
        try:
            async with asyncio.timeout(20):
                while len(found := await _told(client, camera_id)) < at_least:
                    await asyncio.sleep(0.1)
            # A little longer, to see what should not come.
            await asyncio.sleep(0.8)
            return await _told(client, camera_id) or found
        finally:
            await client.close()


async def _told(client: Any, camera_id: str) -> list[events_pb2.PlateRead]:
    jetstream = client.jetstream()
    last = (await jetstream.stream_info("INFERENCE")).state.last_seq
    messages = [await jetstream.get_msg("INFERENCE", number) for number in range(1, last + 1)]
    reads = [events_pb2.PlateRead.FromString(message.data or b"") for message in messages]
    return [read for read in reads if read.camera_id == camera_id]


@pytest.fixture
def plates(engines: RunningTestMesh) -> Plates:
    return Plates(engines)


@pytest.fixture
def tell(engines: RunningTestMesh) -> Callable[..., None]:
    """Publishes a fact of the register, as the register does."""

    def publish(fact: str, event: Any) -> None:
        async def send() -> None:
            client = await engines.nats_client("camera-registry")
            headers = {
                "ce-id": str(new_id()),
                "tartip-aggregate": event.camera_id,
                "tartip-version": "1",
                "tartip-region": event.region,
                "tartip-story": "",
            }
            await client.jetstream().publish(
                f"cameras.v1.{fact}", event.SerializeToString(), headers=headers
            )
            await client.close()

        asyncio.run(send())

    return publish


def retired_event(device: Device) -> camera_events.CameraRetired:
    return camera_events.CameraRetired(camera_id=device.camera_id, region=device.region)


def changed_event(device: Device, version: int) -> camera_events.CameraChanged:
    return camera_events.CameraChanged(
        camera_id=device.camera_id, region=device.region, version=version
    )


@pytest.fixture
def rows(engines: RunningTestMesh) -> Callable[[str], list[Any]]:
    """What stands in the schema, seen by the provisioner whom no row is hidden from."""

    def select(query: str) -> list[Any]:
        import asyncpg

        async def fetch() -> list[Any]:
            connection = await asyncpg.connect(engines.database.url)
            await connection.execute("SET search_path = inference")
            found = await connection.fetch(query)
            await connection.close()
            return list(found)

        return asyncio.run(fetch())

    return select
