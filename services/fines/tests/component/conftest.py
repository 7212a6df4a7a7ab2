"""The real service as a process, on real PostgreSQL and NATS; violations answers from here."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
import pytest_asyncio
from chassis.channels import Channels, peers_refusals
from chassis.clock import new_id
from chassis.db import Database
from chassis.purpose import purpose_metadata
from chassis.refusals import Refusal
from fines.clients.vehicles import VehicleFile
from google.protobuf.message import Message
from tartip.audit.v1 import audit_pb2_grpc
from tartip.fines.v1 import fines_pb2_grpc
from tartip.partners.v1 import partners_pb2_grpc
from tartip.violations.v1 import violations_pb2, violations_pb2_grpc
from tartip_testing.bounds import CALL_SECONDS
from tartip_testing.mesh import RunningTestMesh
from tartip_testing.service import migrated, serving

from .bench import Bench, TurnedClock, keyring_of
from .facts import REGION, STORY, Vehicles, ViolationsPeer, a_violation, confirmed

SERVICE = "fines"
# Where a service of this database is running.
_serving: list[str] = []


@pytest.fixture(scope="session")
def peer(engines: RunningTestMesh) -> Iterator[ViolationsPeer]:
    pair = engines.certificates.service("violations")
    credentials = grpc.ssl_server_credentials(
        [(pair.key.read_bytes(), pair.certificate.read_bytes())],
        engines.certificates.authority.read_bytes(),
        require_client_auth=True,
    )
    answers = ViolationsPeer()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    violations_pb2_grpc.add_ViolationsServicer_to_server(answers, server)
    answers.address = f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', credentials)}"
    server.start()
    yield answers
    server.stop(1).wait()


@pytest.fixture(scope="session")
def vehicles(tmp_path_factory: pytest.TempPathFactory) -> Vehicles:
    found = Vehicles(tmp_path_factory.mktemp("register") / "vehicles.json")
    found.register("000AAA01")
    return found


@pytest.fixture(scope="session")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("letters")


@pytest.fixture(scope="session")
def environment(
    engines: RunningTestMesh, peer: ViolationsPeer, vehicles: Vehicles, letters: Path
) -> dict[str, str]:
    """The settings of the service's process, on a migrated database."""
    return migrated(
        engines,
        SERVICE,
        TARTIP_VEHICLES_FILE=str(vehicles.path),
        TARTIP_LETTERS_DIR=str(letters),
        TARTIP_VIOLATIONS_ADDRESS=peer.address,
        TARTIP_PARTNERS_REFRESH_SECONDS="0.5",
        TARTIP_SEAL_EVERY_SECONDS="1",
    )


@pytest.fixture(scope="module")
def service(
    engines: RunningTestMesh,
    environment: dict[str, str],
    peer: ViolationsPeer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The address of the service while this module runs."""
    log = tmp_path_factory.mktemp("log") / "service.log"
    with serving(engines, SERVICE, environment, log) as address:
        _serving.append(address)
        yield address
        _serving.remove(address)


@dataclass
class As:
    """Calls of one caller: a certificate and, where it speaks for an operator, a token."""

    channels: Channels
    address: str
    metadata: tuple[tuple[str, str | bytes], ...] = ()

    async def call(self, method: str, request: Any) -> Any:
        channel = self.channels.to(self.address, SERVICE)
        stubs = (
            fines_pb2_grpc.FinesStub(channel),
            fines_pb2_grpc.FinePaymentsStub(channel),
            partners_pb2_grpc.PartnersStub(channel),
            audit_pb2_grpc.WitnessesStub(channel),
        )
        stub = next(found for found in stubs if hasattr(found, method))
        with peers_refusals():
            call = getattr(stub, method)
            return await call(request, timeout=CALL_SECONDS, metadata=self.metadata)

    async def refused(self, method: str, request: Any) -> Refusal:
        with pytest.raises(Refusal) as refused:
            await self.call(method, request)
        return refused.value


@pytest_asyncio.fixture
async def as_(engines: RunningTestMesh, service: str) -> AsyncIterator[Callable[..., As]]:
    """`as_("operator-gateway", operator="finance-1")`, `as_("kaspi", kind="partner")`."""
    opened: list[Channels] = []

    def open_as(
        name: str, *, kind: str = "service", operator: str = "", purpose: str = "test"
    ) -> As:
        pair = getattr(engines.certificates, kind)(name)
        channels = Channels(cert=pair.certificate, key=pair.key, ca=engines.certificates.authority)
        opened.append(channels)
        token = engines.token(operator) if operator else ""
        signed_in = (("authorization", f"Bearer {token}"),) if token else ()
        return As(channels, service, (*signed_in, *purpose_metadata(purpose)))

    yield open_as
    for channels in opened:
        await channels.close()


@pytest.fixture
def kaspi(as_: Callable[..., As]) -> As:
    return as_("kaspi", kind="partner")


@pytest.fixture
def halyk(as_: Callable[..., As]) -> As:
    return as_("halyk", kind="partner")


@pytest.fixture
def operator(as_: Callable[..., As]) -> Callable[[str], As]:
    return lambda name: as_("operator-gateway", operator=name)


@pytest_asyncio.fixture
async def publish(engines: RunningTestMesh) -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """Publishes a fact as the violations service does; gives the event's id."""
    client = await engines.nats_client("violations")
    stream = client.jetstream()

    async def send(fact: str, message: Message, *, event_id: str = "") -> str:
        event_id = event_id or str(new_id())
        await stream.publish(
            f"violations.v1.{fact}",
            message.SerializeToString(),
            headers={
                "ce-id": event_id,
                "ce-type": f"violations.v1.{fact}",
                "ce-source": "violations",
                "ce-specversion": "1.0",
                "content-type": "application/protobuf",
                "traceparent": f"00-{STORY}-b7ad6b7169203331-01",
                "tartip-aggregate": "violation",
                "tartip-version": "2",
                "tartip-region": REGION,
                "tartip-story": STORY,
            },
        )
        return event_id

    yield send
    await client.close()


@pytest_asyncio.fixture
async def database(engines: RunningTestMesh, environment: dict[str, str]) -> AsyncIterator[Any]:
    """Reads every row as the database's administrator, past row security."""
    connection = await asyncpg.connect(engines.database.url)
    await connection.execute("SET search_path = fines")
    yield connection
    await connection.close()


async def until(found: Callable[[], Awaitable[Any]], *, seconds: float = 20.0) -> Any:
    """The first result of `found` that is not empty."""
    deadline = time.monotonic() + seconds
    while True:
        value = await found()
        if value:
            return value
        assert time.monotonic() < deadline, "not so in time"
        await asyncio.sleep(0.1)


@pytest.fixture
def fine_of(database: Any) -> Callable[..., Awaitable[Any]]:
    """The row of a violation's fine, once it is in that state."""

    async def find(violation: violations_pb2.Violation, state: str = "delivered") -> Any:
        async def row() -> Any:
            return await database.fetchrow(
                "SELECT * FROM fines WHERE violation_id = $1 AND state = $2",
                violation.violation_id,
                state,
            )

        return await until(row)

    return find


_plates = iter(f"{number:03d}TST02" for number in range(1, 999))


@pytest.fixture
def plate(vehicles: Vehicles) -> str:
    """A plate of this test alone, with one owner."""
    text = next(_plates)
    vehicles.register(text)
    return text


@pytest_asyncio.fixture
async def a_fine(
    plate: str,
    peer: ViolationsPeer,
    publish: Callable[..., Awaitable[str]],
    fine_of: Callable[..., Awaitable[Any]],
    service: str,
) -> Any:
    """The row of a delivered fine."""
    violation = a_violation(plate)
    peer.known[violation.violation_id] = violation
    await publish("confirmed", confirmed(violation))
    return await fine_of(violation)


@pytest_asyncio.fixture
async def bench(
    engines: RunningTestMesh,
    environment: dict[str, str],
    peer: ViolationsPeer,
    vehicles: Vehicles,
    tmp_path: Path,
    database: Any,
) -> AsyncIterator[Bench]:
    # A service beside it lives later, finds the bench's work overdue, and does it first.
    assert not _serving, "tests on the bench stand in modules that run no service"
    clock, keyring = TurnedClock(), keyring_of(environment)
    url = engines.database.work_url(SERVICE)
    db = Database(url, service=SERVICE, keyring=keyring, clock=clock)
    pair = engines.certificates.service(SERVICE)
    channels = Channels(cert=pair.certificate, key=pair.key, ca=engines.certificates.authority)
    found = Bench(db, clock, peer, VehicleFile(vehicles.path), tmp_path, channels)
    yield found
    # Nothing that is due in this clock is left to a service that runs later, in another.
    await database.execute("DELETE FROM work WHERE key = ANY($1::text[])", found.numbers)
    await channels.close()
    await db.close()
