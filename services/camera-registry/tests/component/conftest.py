"""The real service as a process of its own, on real PostgreSQL and NATS, called over mutual TLS."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from camera_registry.model.camera import INTERVAL, INTERVALS_HEARD
from camera_registry.usecases.register import Register
from camera_registry.usecases.statistics import Statistics
from camera_registry.usecases.watch import Watch
from chassis.channels import Channels
from chassis.clock import new_id, to_timestamp
from chassis.db import Database
from google.protobuf.timestamp_pb2 import Timestamp
from host.migrations import migrate
from law.guards import load
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.cameras.v1 import cameras_pb2_grpc, hubs_pb2_grpc
from tartip.common.v1 import common_pb2
from tartip_testing.bounds import CALL_SECONDS
from tartip_testing.mesh import RunningTestMesh
from tartip_testing.service import migrated, serving
from vault.keyring import Keyring

from .own_register import OwnRegister

SERVICE = "camera-registry"
SCHEMA = "camera_registry"
MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


@pytest.fixture(scope="session")
def service(engines: RunningTestMesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the service, migrated and serving."""
    environment = migrated(engines, SERVICE, TARTIP_SEAL_EVERY_SECONDS="0.3")
    log = tmp_path_factory.mktemp("log") / "service.log"
    with serving(engines, SERVICE, environment, log) as address:
        yield address


@dataclass
class As:
    """Calls of one caller: a certificate and, where it speaks for an operator, a token."""

    channels: Channels
    address: str
    metadata: tuple[tuple[str, str], ...] = ()
    stub: Any = field(init=False)

    def __post_init__(self) -> None:
        self.stub = cameras_pb2_grpc.CameraRegistryStub(self.channels.to(self.address, SERVICE))

    async def call(self, method: str, request: Any) -> Any:
        call = getattr(self.stub, method)
        return await call(request, timeout=CALL_SECONDS, metadata=self.metadata)

    async def hub(self, method: str, request: Any) -> Any:
        """Call a method of CameraHubs."""
        stub = hubs_pb2_grpc.CameraHubsStub(self.channels.to(self.address, SERVICE))
        call = getattr(stub, method)
        return await call(request, timeout=CALL_SECONDS, metadata=self.metadata)


@pytest_asyncio.fixture
async def as_(engines: RunningTestMesh, service: str) -> AsyncIterator[Callable[..., As]]:
    """`as_("operator-gateway", operator="cameras-1")`, `as_("violations")`, …"""
    opened: list[Channels] = []

    def open_as(name: str, *, kind: str = "service", operator: str = "", token: str = "") -> As:
        pair = getattr(engines.certificates, kind)(name)
        channels = Channels(cert=pair.certificate, key=pair.key, ca=engines.certificates.authority)
        opened.append(channels)
        token = token or (engines.token(operator) if operator else "")
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        return As(channels, service, metadata)

    yield open_as
    for channels in opened:
        await channels.close()


@pytest.fixture
def administrator(as_: Callable[..., As]) -> As:
    return as_("operator-gateway", operator="cameras-1")


def _moment(year: int) -> Timestamp:
    stamp = to_timestamp(datetime(year, 1, 1, tzinfo=UTC))
    assert stamp is not None
    return stamp


@pytest.fixture
def describe() -> Callable[..., pb.CameraDescription]:
    """A valid description with a serial number of its own and the test's changes."""

    def make(**changes: Any) -> pb.CameraDescription:
        given: dict[str, Any] = {
            "name": "Abai and Dostyk",
            "kind": pb.CAMERA_KIND_SPEED_POINT,
            "serial": f"SN-{new_id()}",
            "make": "Sergek",
            "model": "S2",
            "azimuth_degrees": 12.5,
            "owner_bin": "100140000003",
            "connected": True,
            "functions": [pb.AI_FUNCTION_PLATE, pb.AI_FUNCTION_VEHICLE],
            "place": common_pb2.Place(
                latitude=43.24, longitude=76.95, region="KZ-75", address="Abai 1"
            ),
            "verifications": [
                pb.Verification(number="V-1", valid_from=_moment(2025), valid_until=_moment(2030))
            ],
            "device_key": bytes(range(32)),
            "certificate_number": "KZ.C.1",
            "speed_tolerance_kmh": 2.0,
            "dedupe_seconds": 300,
        }
        return pb.CameraDescription(**given | changes)

    return make


@pytest.fixture
def register(
    administrator: As, describe: Callable[..., pb.CameraDescription]
) -> Callable[..., Awaitable[pb.Camera]]:
    async def send(given: pb.CameraDescription | None = None, camera_id: str = "") -> pb.Camera:
        request = pb.RegisterCameraRequest(
            camera_id=camera_id or str(new_id()), description=given or describe()
        )
        camera: pb.Camera = (await administrator.call("RegisterCamera", request)).camera
        return camera

    return send


@dataclass(frozen=True)
class Scratch:
    """A database with only this service's schema: the addresses of its roles."""

    owner: str
    runtime: str
    work: str
    seal: str
    provisioner: str

    @property
    def log_ins(self) -> dict[str, str]:
        """As the service reads them."""
        return {
            "TARTIP_DATABASE_URL": self.runtime,
            "TARTIP_WORK_DATABASE_URL": self.work,
            "TARTIP_SEAL_DATABASE_URL": self.seal,
        }

    def migrate(self) -> None:
        migrate(MIGRATIONS, owner_url=self.owner, schema=SCHEMA)


@pytest.fixture
def empty_database(engines: RunningTestMesh) -> Iterator[Scratch]:
    """Before any migration."""
    name = f"scratch_{uuid4().hex}"

    def on(url: str) -> str:
        return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))

    def execute(url: str, *statements: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(url)
            for statement in statements:
                await connection.execute(statement)
            await connection.close()

        asyncio.run(run())

    database = engines.database
    execute(database.url, f"CREATE DATABASE {name}")
    scratch = Scratch(
        on(database.owner_url(SCHEMA)),
        on(database.runtime_url(SCHEMA)),
        on(database.work_url(SCHEMA)),
        on(database.seal_url(SCHEMA)),
        on(database.url),
    )
    execute(
        scratch.provisioner,
        f"CREATE SCHEMA {SCHEMA} AUTHORIZATION {SCHEMA}_owner",
        f"GRANT USAGE ON SCHEMA {SCHEMA} TO {SCHEMA}_runtime, {SCHEMA}_work, {SCHEMA}_seal",
    )
    yield scratch
    execute(database.url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def scratch(empty_database: Scratch) -> Scratch:
    empty_database.migrate()
    return empty_database


@asynccontextmanager
async def opened(address: str, describe: Any, keys: Path) -> AsyncIterator[OwnRegister]:
    """A register of its own on the database at an address, with its keys in a folder."""
    db = Database(address, service="test", keyring=Keyring(keys), clock=lambda: datetime.now(UTC))
    start = datetime.now(UTC)
    register = Register(db, lambda: found.now, interval=INTERVAL)
    counted = Statistics(db, lambda: found.now, interval=INTERVAL, convert=lambda regions: regions)
    watch = Watch(
        db,
        silence=INTERVAL * INTERVALS_HEARD,
        measures_speed=load().at(start).camera_kinds.measures_speed,
    )
    async with watch.alone() as lease:
        reports = await watch.begin(lease)
        found = OwnRegister(db, register, watch, lease, reports, start, start, describe, counted)
        await found.open()
        yield found
    await db.close()


@pytest_asyncio.fixture
async def own(scratch: Scratch, describe: Any, tmp_path: Path) -> AsyncIterator[OwnRegister]:
    async with opened(scratch.work, describe, tmp_path) as found:
        yield found
