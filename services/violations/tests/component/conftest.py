"""The real service as a process of its own, on real PostgreSQL and NATS; its two peers are small
gRPC servers here, under the peers' own certificates."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from chassis.channels import Channels
from chassis.clock import new_id, system_clock
from chassis.purpose import purpose_metadata
from tartip.cameras.v1 import cameras_pb2
from tartip.common.v1 import common_pb2
from tartip.inference.v1 import events_pb2 as inference_events
from tartip.inference.v1 import inference_pb2
from tartip.violations.v1 import violations_pb2 as pb
from tartip_testing.mesh import RunningTestMesh
from tartip_testing.service import migrated, serving

from .callers import SERVICE, As, Publisher, Signer
from .peers import Peers, serving_peers, stamp


@pytest.fixture(scope="session")
def peer_server(engines: RunningTestMesh) -> Iterator[tuple[Peers, str]]:
    with serving_peers(engines) as served:
        yield served


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
            async with asyncio.timeout(60):
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
            async with asyncio.timeout(60):
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
        async with asyncio.timeout(60):
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


@pytest_asyncio.fixture
async def violation_id(
    publisher: Publisher,
    plate_read: Callable[..., inference_events.PlateRead],
    camera: cameras_pb2.Camera,
    violations_of: Wait,
) -> str:
    """A violation in review."""
    await publisher.read(plate_read())
    return (await violations_of(camera.camera_id))[0].violation_id
