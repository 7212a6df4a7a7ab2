"""Parts die (kill -9) while cameras are imported and hubs report on them: no status is invented.

Two hubs report all their cameras as working, so the register may call these ONLINE, or UNKNOWN
where it heard nothing, and nothing else. A third hub is silent from before the first kill.
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from chassis.clock import new_id, system_clock
from nats.aio.client import Client
from nats.errors import Error as BrokerError
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.cameras.v1 import events_pb2, hubs_pb2
from tartip.cameras.v1.cameras_pb2_grpc import CameraRegistryStub
from tartip.cameras.v1.hubs_pb2_grpc import CameraHubsStub
from tartip_cli.clients import country
from tartip_cli.clients.camera_import import BATCH, send_all
from tartip_cli.clients.hub_reports import ReportingHub
from tartip_cli.clients.journeys import patiently
from tartip_cli.clients.partner import Outside
from tartip_cli.parts.part import launched
from tartip_cli.settings import inherited_environment
from tartip_cli.topology import CAMERA_REGISTRY, COMMAND_LINE
from tartip_testing.mesh import RunningTestMesh, running_mesh_in
from tartip_testing.service import migrated

pytestmark = [pytest.mark.mesh, pytest.mark.nightly]

SEED = 78
KILLED = (CAMERA_REGISTRY.name, "postgres", "nats")
KILLS = 10
# Rows of the import before the kills, and of each import in the middle of which a part dies.
ROWS_BEFORE, ROWS = 3 * BATCH, 4 * BATCH
# Silence is one and a half of it: longer than any part needs to come back.
INTERVAL_SECONDS = 20
REPORT_EVERY_SECONDS = 1.0
SECONDS = 180.0
# The regions of the three hubs. The last is the one that stops.
REGIONS = ("KZ-75", "KZ-61", "KZ-71")
ONLINE, UNKNOWN = pb.CAMERA_STATUS_ONLINE, pb.CAMERA_STATUS_UNKNOWN


class OwnService:
    """The camera registry with a shorter interval of reports; the test kills and starts it."""

    def __init__(self, engines: RunningTestMesh) -> None:
        self._log = engines.home.log_of(CAMERA_REGISTRY.name)
        given = migrated(engines, CAMERA_REGISTRY.name, TARTIP_REPORT_SECONDS=str(INTERVAL_SECONDS))
        settings = {name: given[name] for name in given if name != "TARTIP_OWNER_DATABASE_URL"}
        self._environment = inherited_environment() | settings
        self._process = self._started()

    def kill_and_start(self) -> None:
        self.kill()
        self._process = self._started()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        command = (sys.executable, "-m", CAMERA_REGISTRY.package, "serve")
        with self._log.open("ab") as output:
            return subprocess.Popen(
                launched(command, user=None, death_signal=signal.SIGKILL),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )


@dataclass
class ReportedHub:
    """A hub and all the cameras that it will ever have, which it reports as working."""

    region: str
    hub: ReportingHub = field(default_factory=ReportingHub)
    camera_ids: list[UUID] = field(default_factory=list)

    @property
    def hub_id(self) -> UUID:
        return self.hub.hub_id

    async def register(self, outside: Outside) -> None:
        request = hubs_pb2.RegisterHubRequest(
            hub_id=str(self.hub_id),
            name="Hub",
            region=self.region,
            kind=hubs_pb2.HUB_KIND_EDGE_BOX,
            public_key=self.hub.public_key,
        )
        stub = CameraHubsStub(outside.as_command_line(CAMERA_REGISTRY))
        await stub.RegisterHub(request, timeout=10)

    @asynccontextmanager
    async def reporting(self, client: Client) -> AsyncIterator[None]:
        """Report once a second during the block, whether or not anybody can hear it."""
        conditions = dict.fromkeys(self.camera_ids, int(events_pb2.CAMERA_CONDITION_WORKING))

        async def keep_reporting() -> None:
            while True:
                with suppress(BrokerError, OSError):
                    report = self.hub.report(conditions, system_clock())
                    await client.publish(self.hub.subject, report)
                await asyncio.sleep(REPORT_EVERY_SECONDS)

        task = asyncio.create_task(keep_reporting())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTestMesh]:
    """PostgreSQL and NATS for this register alone."""
    home: Path = tmp_path_factory.mktemp("alone")
    yield from running_mesh_in(home, without=("services", "triton"))


@pytest.fixture
async def outside_alone(alone: RunningTestMesh) -> AsyncIterator[Outside]:
    async with Outside(home=alone.home, ports=alone.ports, oidc_issuer=alone.oidc_issuer) as found:
        yield found


@pytest.fixture
def service(alone: RunningTestMesh) -> Iterator[OwnService]:
    found = OwnService(alone)
    yield found
    found.kill()


async def test_no_status_is_invented_though_parts_are_killed(
    alone: RunningTestMesh, outside_alone: Outside, service: OwnService
) -> None:
    hubs = [ReportedHub(region) for region in REGIONS]
    *lasting, stopping = hubs
    imports = planned(hubs)
    channel = outside_alone.as_command_line(CAMERA_REGISTRY)
    await asyncio.wait_for(channel.channel_ready(), SECONDS)
    for hub in hubs:
        await hub.register(outside_alone)
    client = await alone.nats_client(
        COMMAND_LINE, allow_reconnect=True, max_reconnect_attempts=-1, reconnect_time_wait=0.5
    )
    try:
        async with lasting[0].reporting(client), lasting[1].reporting(client):
            [(first, rows), *others] = imports.items()
            async with stopping.reporting(client):
                await import_all(outside_alone, first, rows)
                for hub in hubs:
                    await until_all(alone, hub, "ONLINE")
            for number, (import_id, rows) in enumerate(others):
                await import_and_kill(
                    alone, outside_alone, service, import_id, rows, KILLED[number % len(KILLED)]
                )
                await until_heard_again(alone, lasting)
            for hub in lasting:
                await until_all(alone, hub, "ONLINE")
            await until_all(alone, stopping, "UNKNOWN")
            await until_published(alone)
            await assert_counted(alone, outside_alone)
            await assert_imported_once(alone, imports)
            await assert_nothing_invented(alone, lasting, stopping)
    finally:
        await client.close()


def planned(hubs: list[ReportedHub]) -> dict[str, list[pb.ImportedCamera]]:
    """The rows of each import, by its id. Each import has cameras of every region.

    Cameras whose status depends on a verification have no hub. The last hub has cameras in the
    first import alone.
    """
    cameras = list(country.cameras(ROWS_BEFORE + KILLS * ROWS, SEED))
    random.Random(SEED).shuffle(cameras)
    starts = [0, *range(ROWS_BEFORE, len(cameras), ROWS)]
    ends = [*starts[1:], len(cameras)]
    of_region = {hub.region: hub for hub in hubs}
    for place, camera in enumerate(cameras):
        hub = of_region.get(camera.description.place.region)
        if hub is None or camera.description.kind == pb.CAMERA_KIND_SPEED_POINT:
            continue
        if hub is hubs[-1] and place >= ROWS_BEFORE:
            continue
        camera.description.hub_id = str(hub.hub_id)
        hub.camera_ids.append(UUID(camera.camera_id))
    imports = {}
    for start, end in zip(starts, ends, strict=True):
        imports[str(new_id())] = rows = cameras[start:end]
        for number, camera in enumerate(rows, 1):
            camera.row = number
    return imports


async def import_all(
    outside: Outside,
    import_id: str,
    rows: list[pb.ImportedCamera],
    answered: asyncio.Event | None = None,
) -> None:
    """Import all rows; `answered` is set when some of them are answered."""
    stub = CameraRegistryStub(outside.as_command_line(CAMERA_REGISTRY))

    def after_each(_: int) -> None:
        if answered is not None:
            answered.set()

    result = await patiently(
        lambda: send_all(stub, import_id, lambda: rows, after_each=after_each), seconds=SECONDS
    )
    assert (result.added, result.changed, result.unchanged) == (len(rows), 0, 0)
    assert result.refused == []


async def import_and_kill(
    alone: RunningTestMesh,
    outside: Outside,
    service: OwnService,
    import_id: str,
    rows: list[pb.ImportedCamera],
    victim: str,
) -> None:
    """Kill a part when the first batch of the import is answered; finish the import."""
    answered = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        importing = group.create_task(import_all(outside, import_id, rows, answered))
        await asyncio.wait_for(answered.wait(), SECONDS)
        assert not importing.done(), "the import ended before the kill"
        if victim == CAMERA_REGISTRY.name:
            await asyncio.to_thread(service.kill_and_start)
        else:
            await asyncio.to_thread(alone.kill_and_wait, victim)


async def asked(alone: RunningTestMesh, query: str, *values: object) -> list[Any]:
    """Rows of the service's schema, seen by the provisioner whom no row is hidden from."""
    connection = await asyncpg.connect(alone.database.url)
    try:
        await connection.execute("SET search_path = camera_registry")
        return list(await connection.fetch(query, *values))
    finally:
        await connection.close()


async def until(
    alone: RunningTestMesh, what: str, query: str, *values: object, wanted: object
) -> None:
    """Wait until a query's only value is the wanted one."""
    found: object = None
    try:
        async with asyncio.timeout(SECONDS):
            while found != wanted:
                await asyncio.sleep(0.2)
                [[found]] = await asked(alone, query, *values)
    except TimeoutError:
        raise AssertionError(f"{what}: {found}, not {wanted}") from None


async def until_all(alone: RunningTestMesh, hub: ReportedHub, status: str) -> None:
    """Wait until all cameras of the hub that are registered have this status."""
    others = "SELECT count(*) FROM cameras WHERE hub_id = $1 AND status <> $2"
    what = f"cameras of the hub in {hub.region} that are not {status}"
    await until(alone, what, others, hub.hub_id, status, wanted=0)


async def until_heard_again(alone: RunningTestMesh, hubs: list[ReportedHub]) -> None:
    """Wait until the register has followed reports that were sent after now."""
    now: datetime = system_clock()
    heard = "SELECT count(*) FROM hub_life WHERE hub_id = ANY($1) AND heard_at > $2"
    ids = [hub.hub_id for hub in hubs]
    await until(alone, "hubs that are heard", heard, ids, now, wanted=len(hubs))


async def until_published(alone: RunningTestMesh) -> None:
    waiting = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
    await until(alone, "events that wait", waiting, wanted=0)


async def assert_imported_once(
    alone: RunningTestMesh, imports: dict[str, list[pb.ImportedCamera]]
) -> None:
    """Every row is there once, and every event is in the stream once."""
    ids = sorted(camera.camera_id for rows in imports.values() for camera in rows)
    found = await asked(alone, "SELECT camera_id::text AS id, version FROM cameras ORDER BY 1")
    assert [(row["id"], row["version"]) for row in found] == [(each, 1) for each in ids]
    assert await asked(alone, "SELECT camera_id FROM camera_versions") == []
    for import_id, rows in imports.items():
        query = "SELECT version FROM outbox WHERE aggregate = $1 ORDER BY version"
        told = [row["version"] for row in await asked(alone, query, f"import:{import_id}")]
        assert told == list(range(1, len(rows) // BATCH + 1))
    events = await asked(alone, "SELECT event_id FROM outbox WHERE subject LIKE 'cameras.%'")
    assert await in_stream(alone) == Counter(str(row["event_id"]) for row in events)


async def in_stream(alone: RunningTestMesh) -> Counter[str]:
    """How often each event is in JetStream, by its id."""
    client, told = await alone.nats_client("provisioner"), Counter[str]()
    try:
        jetstream = client.jetstream()
        last = (await jetstream.stream_info("CAMERAS")).state.last_seq
        for number in range(1, last + 1):
            message = await jetstream.get_msg("CAMERAS", number)
            told[(message.headers or {})["Nats-Msg-Id"]] += 1
    finally:
        await client.close()
    return told


async def assert_nothing_invented(
    alone: RunningTestMesh, lasting: list[ReportedHub], stopping: ReportedHub
) -> None:
    """Published statuses are what the hubs said, or UNKNOWN, each in a version of its own."""
    for hub in lasting:
        changes = await published(alone, hub)
        assert changes.keys() == set(hub.camera_ids)
        for told in changes.values():
            # From UNKNOWN at the registration, each is another one than before.
            alternating = [(n, ONLINE if n % 2 else UNKNOWN) for n in range(1, len(told) + 1)]
            assert told == alternating
            assert told[-1][1] == ONLINE
    changes = await published(alone, stopping)
    once_online = [(1, ONLINE), (2, UNKNOWN)]
    assert changes == {camera_id: once_online for camera_id in stopping.camera_ids}
    last = "SELECT camera_id, status_version FROM cameras WHERE hub_id = ANY($1)"
    stored = await asked(alone, last, [hub.hub_id for hub in (*lasting, stopping)])
    for hub in lasting:
        changes |= await published(alone, hub)
    assert {row["camera_id"]: row["status_version"] for row in stored} == {
        camera_id: told[-1][0] for camera_id, told in changes.items()
    }
    # Of the silent hub, if the register has listened for long enough; of no other one ever.
    incidents = await asked(alone, "SELECT hub_id FROM hub_incidents")
    assert [row["hub_id"] for row in incidents] in ([], [stopping.hub_id])


async def published(alone: RunningTestMesh, hub: ReportedHub) -> dict[UUID, list[tuple[int, int]]]:
    """The published statuses of each camera of a hub in their order, with their versions."""
    query = (
        "SELECT payload FROM outbox WHERE aggregate = $1"
        " AND subject = 'cameras.v1.status_changed' ORDER BY position"
    )
    changes: dict[UUID, list[tuple[int, int]]] = {}
    for row in await asked(alone, query, f"hub:{hub.hub_id}"):
        event = events_pb2.CameraStatusChanged.FromString(row["payload"])
        for place, change in enumerate(zip(event.versions, event.statuses, strict=True)):
            camera_id = UUID(bytes=event.camera_ids[16 * place : 16 * place + 16])
            changes.setdefault(camera_id, []).append(change)
    return changes


async def assert_counted(alone: RunningTestMesh, outside: Outside) -> None:
    """The statistics equal a full count of the register, by region and status."""
    full = "SELECT region, status, count(*) AS cameras FROM cameras GROUP BY region, status"
    counted = {(row["region"], row["status"]): row["cameras"] for row in await asked(alone, full)}
    reader = outside.channel(outside.certificates.service("violations"), CAMERA_REGISTRY)
    kept = await CameraRegistryStub(reader).GetStatistics(pb.GetStatisticsRequest(), timeout=10)
    told = {
        (region.region, status.upper()): getattr(region, status)
        for region in kept.regions
        for status in ("online", "offline", "unknown", "degraded", "tampered")
        if getattr(region, status)
    }
    assert told == counted
    registered = sum(region.registered for region in kept.regions)
    assert registered == sum(counted.values())
