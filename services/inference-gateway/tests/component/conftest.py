"""The real service as a process of its own on real PostgreSQL, NATS and Triton; the one peer, the
register of cameras, is a small server in this process that speaks over the same mutual TLS."""

import asyncio
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from chassis.clock import new_id
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import HealthServicer
from tartip.cameras.v1 import cameras_pb2_grpc
from tartip.cameras.v1 import events_pb2 as camera_events
from tartip.inference.v1 import events_pb2, inference_pb2, inference_pb2_grpc
from tartip_cli.parts.health import Health
from tartip_cli.parts.triton import Triton
from tartip_cli.settings import find_checkout, inherited_environment
from tartip_scenes.scenes import Light, draw_scene
from tartip_testing.mesh import RunningTestMesh

from .callers import As
from .peers import SERVICE, Device, Register, credentials
from .processes import START_SECONDS, Process
from .streams_holder import db as db
from .streams_holder import holder as holder
from .streams_holder import owner as owner
from .watchlist_officers import as_officer as as_officer
from .watchlist_officers import in_force as in_force
from .watchlist_officers import one as one
from .watchlist_officers import other as other
from .watchlist_officers import third as third

PACKAGE = "inference_gateway"
FRAMES = inference_pb2.DESCRIPTOR.services_by_name["Inference"].full_name


@pytest.fixture(scope="package")
def register(engines: RunningTestMesh) -> Iterator[tuple[Register, str]]:
    """The peer and its address."""
    servicer, server = Register(), grpc.server(ThreadPoolExecutor(4))
    cameras_pb2_grpc.add_CameraRegistryServicer_to_server(servicer, server)
    health_pb2_grpc.add_HealthServicer_to_server(HealthServicer(), server)
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


@pytest.fixture(scope="package")
def triton(
    engines: RunningTestMesh, service: Process, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    """Serves all models, and `service` has seen it: until then it answers MODELS_AWAY."""
    folder = find_checkout() / ".triton"
    if not (folder / "fingerprints.json").exists():
        pytest.skip("left out: Triton's models are not built, run `make setup`")
    part = Triton(
        folder=folder,
        home=engines.home,
        address=f"127.0.0.1:{engines.ports.triton}",
        metrics_port=engines.ports.triton_metrics,
        certificates=engines.certificates,
        client=engines.certificates.triton_caller("tartip-cli"),
    ).part()
    assert part.prepare is not None
    asyncio.run(_done(part.prepare()))
    process = Process(
        part.command,
        {**inherited_environment(), **part.environment},
        tmp_path_factory.mktemp("triton") / "triton.log",
        lambda: _answers(part.probe) and _serves(engines, FRAMES),
        part.user,
    )
    process.start()
    yield process
    process.stop()


async def _done(step: Any) -> None:
    await step


def _answers(probe: Callable[[], Any]) -> bool:
    async def ask() -> bool:
        health: Health = await probe()
        return health.serves

    try:
        return asyncio.run(ask())
    except Exception:
        return False


@pytest.fixture(scope="package")
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
        lambda: _serves(engines, ""),
    )
    process.start()
    yield process
    assert process.stop() == 0, process.log.read_text()[-3000:]


def _serves(engines: RunningTestMesh, part: str) -> bool:
    secured = credentials(engines, "service", "tartip-cli")
    with grpc.secure_channel(engines.address(SERVICE), secured) as channel:
        try:
            request = health_pb2.HealthCheckRequest(service=part)
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=1)
        except grpc.RpcError:
            return False
    return answer.status == health_pb2.HealthCheckResponse.SERVING  # type: ignore[no-any-return]


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


@pytest.fixture(scope="package")
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
            async with asyncio.timeout(60):
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
