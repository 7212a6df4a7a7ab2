"""The running listener: killed, cut off, flooded, doubled. Hubs report every two seconds here."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import grpc
import pytest
from camera_registry import consumers
from camera_registry.consumers import ReportListener
from camera_registry.model.camera import INTERVALS_HEARD
from camera_registry.usecases.watch import Watch
from chassis.channels import Channels
from chassis.clock import from_timestamp, new_id
from chassis.db import Database
from host.broker import Broker, client_tls
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.cameras.v1 import cameras_pb2_grpc, events_pb2, hubs_pb2, hubs_pb2_grpc
from tartip_cli.clients.hub_reports import ReportingHub
from tartip_testing.bounds import CALL_SECONDS
from tartip_testing.mesh import RunningTestMesh
from vault.keyring import Keyring

SERVICE = "camera-registry"
INTERVAL = timedelta(seconds=2)
SILENCE = INTERVALS_HEARD * INTERVAL
LOOK = timedelta(seconds=consumers.LOOK_SECONDS)
UNKNOWN, ONLINE = pb.CAMERA_STATUS_UNKNOWN, pb.CAMERA_STATUS_ONLINE


class Copy:
    """A copy of the service on the scratch database, which a test may kill and start again."""

    def __init__(self, engines: RunningTestMesh, environment: dict[str, str], log: Path) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self._environment = environment | {"TARTIP_GRPC_ADDRESS": self.address}
        self._log = log
        self._engines = engines
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "camera_registry", "serve"],
                env=self._environment,
                stdout=output,
                stderr=output,
            )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def says(self, text: str) -> None:
        async with asyncio.timeout(60):
            while not self.lines_with(text):
                await asyncio.sleep(0.1)

    def lines_with(self, text: str) -> list[str]:
        return [line for line in self._log.read_text().splitlines() if text in line]


@contextmanager
def copy_of(engines: RunningTestMesh, scratch: Any, log: Path, **variables: str) -> Iterator[Copy]:
    environment = {**os.environ, **engines.environment(SERVICE)}
    environment |= {
        **scratch.log_ins,
        "TARTIP_REPORT_SECONDS": str(INTERVAL.total_seconds()),
        **variables,
    }
    copy = Copy(engines, environment, log)
    copy.start()
    try:
        yield copy
    finally:
        copy.kill()


class Register:
    """The register as an administrator reaches it, and a camera's hub of its own."""

    def __init__(self, engines: RunningTestMesh, copy: Copy, describe: Any, edge: Any) -> None:
        pair = engines.certificates.service("operator-gateway")
        self._channels = Channels(
            cert=pair.certificate, key=pair.key, ca=engines.certificates.authority
        )
        self._engines = engines
        self._describe = describe
        self._edge = edge
        self._hubs: dict[str, ReportingHub] = {}
        channel = self._channels.to(copy.address, SERVICE)
        self._stub: Any = cameras_pb2_grpc.CameraRegistryStub(channel)
        self._hub_stub: Any = hubs_pb2_grpc.CameraHubsStub(channel)

    async def ask(self, method: str, request: Any, stub: Any = None) -> Any:
        """Repeats a call while the service is away."""
        call = getattr(stub or self._stub, method)
        metadata = (("authorization", f"Bearer {self._engines.token('cameras-1')}"),)
        async with asyncio.timeout(60):
            while True:
                try:
                    return await call(request, timeout=CALL_SECONDS, metadata=metadata)
                except grpc.aio.AioRpcError as error:
                    if error.code() is not grpc.StatusCode.UNAVAILABLE:
                        raise
                    await asyncio.sleep(0.1)

    async def camera(self) -> str:
        """Register a camera with a hub."""
        camera_id, hub = str(new_id()), ReportingHub()
        given = hubs_pb2.RegisterHubRequest(
            hub_id=str(hub.hub_id),
            name="Hub",
            region="KZ-75",
            kind=hubs_pb2.HUB_KIND_EDGE_BOX,
            public_key=hub.public_key,
        )
        await self.ask("RegisterHub", given, self._hub_stub)
        description = self._describe(hub_id=str(hub.hub_id))
        request = pb.RegisterCameraRequest(camera_id=camera_id, description=description)
        await self.ask("RegisterCamera", request)
        self._hubs[camera_id] = hub
        return camera_id

    def share(self, camera_id: str, other: "Register") -> None:
        """Let another register's client report on a camera too."""
        other._hubs[camera_id] = self._hubs[camera_id]

    async def incident(self, camera_id: str) -> bool:
        """Whether the camera's hub has an open incident."""
        request = hubs_pb2.ListHubsRequest(silent=True)
        found = (await self.ask("ListHubs", request, self._hub_stub)).hubs
        return str(self._hubs[camera_id].hub_id) in [hub.hub_id for hub in found]

    async def until_incident(self, camera_id: str) -> None:
        async with asyncio.timeout(60):
            while not await self.incident(camera_id):
                await asyncio.sleep(0.1)

    async def changes(self, scratch: Any, camera_id: str) -> list[tuple[int, datetime]]:
        """The published statuses of a camera, in order, each with its `as_of`."""
        return await facts(scratch, self._hubs[camera_id])

    async def status(self, camera_id: str) -> int:
        answer = await self.ask("GetCamera", pb.GetCameraRequest(camera_id=camera_id))
        return int(answer.camera.status)

    async def until(self, camera_id: str, status: int) -> None:
        async with asyncio.timeout(60):
            while await self.status(camera_id) != status:
                await asyncio.sleep(0.1)

    async def heard_since(self, camera_id: str, moment: datetime) -> None:
        request = pb.GetCameraRequest(camera_id=camera_id)
        async with asyncio.timeout(60):
            while True:
                camera = (await self.ask("GetCamera", request)).camera
                if camera.status == ONLINE and from_timestamp(camera.status_as_of) > moment:
                    return
                await asyncio.sleep(0.1)

    async def beat(self, camera_id: str) -> datetime:
        sent_at, hub = datetime.now(UTC), self._hubs[camera_id]
        await self._edge.publish(hub.subject, hub.report({UUID(camera_id): 1}, sent_at))
        await self._edge.flush()
        return sent_at

    @asynccontextmanager
    async def beating(self, camera_id: str) -> AsyncIterator[None]:
        async def keep_beating() -> None:
            while True:
                await self.beat(camera_id)
                await asyncio.sleep(0.3)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(keep_beating())
            yield
            task.cancel()

    async def close(self) -> None:
        await self._channels.close()


@pytest.fixture
async def reach(
    engines: RunningTestMesh, describe: Any
) -> AsyncIterator[Callable[[Copy], Register]]:
    edge = await engines.nats_client("edge-1")
    opened: list[Register] = []

    def open_to(copy: Copy) -> Register:
        opened.append(Register(engines, copy, describe, edge))
        return opened[-1]

    yield open_to
    for register in opened:
        await register.close()
    await edge.close()


async def facts(scratch: Any, hub: ReportingHub) -> list[tuple[int, datetime]]:
    """The published statuses of the only camera of a hub, in order, each with its `as_of`."""
    connection = await asyncpg.connect(scratch.provisioner)
    rows = await connection.fetch(
        "SELECT payload FROM camera_registry.outbox WHERE aggregate = $1"
        " AND subject = 'cameras.v1.status_changed' ORDER BY position",
        f"hub:{hub.hub_id}",
    )
    await connection.close()
    events = [events_pb2.CameraStatusChanged.FromString(row["payload"]) for row in rows]
    return [(event.statuses[0], from_timestamp(event.as_of)) for event in events]


async def test_after_a_kill_what_is_silent_is_unknown_and_has_an_incident_once_we_have_listened(
    engines: RunningTestMesh, scratch: Any, reach: Any, tmp_path: Path
) -> None:
    with copy_of(engines, scratch, tmp_path / "log") as copy:
        register = reach(copy)
        silent, alive = await register.camera(), await register.camera()
        async with register.beating(alive):
            last = await until_heard(register, silent)
            copy.kill()
            await asyncio.sleep(SILENCE.total_seconds())  # nobody looks
            copy.start()
            await register.until(alive, ONLINE)
            await register.until_incident(silent)
        changes = await register.changes(scratch, silent)
        assert changes == [(ONLINE, changes[0][1]), (UNKNOWN, last)]
        assert not await register.incident(alive)


async def until_heard(register: Register, camera_id: str) -> datetime:
    """Report until the register has heard it, for it must know the hub first; when that was."""
    async with asyncio.timeout(60):
        while await register.status(camera_id) != ONLINE:
            last = await register.beat(camera_id)
            await asyncio.sleep(2 * LOOK.total_seconds())
    return last


class Gate:
    """A connection to the broker that can be closed and opened."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition("//")[2].rpartition(":")
        self._target = (host, int(port))
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = True
        self.port = 0

    async def serve(self) -> asyncio.Server:
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def close(self) -> None:
        self._open = False
        for writer in self._writers:
            writer.transport.abort()

    def open(self) -> None:
        self._open = True

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection(*self._target)
        self._writers |= {writer, back}
        await asyncio.gather(copied(reader, back), copied(there, writer))


async def copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while content := await reader.read(65536):
            writer.write(content)
            await writer.drain()
    writer.close()


async def test_while_the_broker_is_away_what_is_silent_is_unknown_and_no_incident(
    engines: RunningTestMesh, scratch: Any, reach: Any, tmp_path: Path
) -> None:
    gate = Gate(engines.nats_url)
    server = await gate.serve()
    url = f"tls://127.0.0.1:{gate.port}"
    with copy_of(engines, scratch, tmp_path / "log", TARTIP_NATS_URL=url) as copy:
        register = reach(copy)
        camera = await register.camera()
        async with register.beating(camera):
            await register.until(camera, ONLINE)
            await copy.says("hearing heartbeats again")
            gate.close()
            async with asyncio.timeout(60):
                # A reader may be told so before the watch has stored it.
                while (await register.changes(scratch, camera))[-1][0] != UNKNOWN:
                    await asyncio.sleep(0.1)
            assert not await register.incident(camera)
            gate.open()
            await register.until(camera, ONLINE)
        statuses = [status for status, _ in await register.changes(scratch, camera)]
        assert statuses == [ONLINE, UNKNOWN, ONLINE]
        assert len(copy.lines_with("deaf to heartbeats: the broker is away")) == 1
        assert len(copy.lines_with("deaf to heartbeats")) == 2  # and at the beginning
    server.close()


async def test_one_copy_listens_and_another_takes_over_when_it_dies(
    engines: RunningTestMesh, scratch: Any, reach: Any, tmp_path: Path
) -> None:
    with copy_of(engines, scratch, tmp_path / "first") as first:
        of_first = reach(first)
        camera = await of_first.camera()
        async with of_first.beating(camera):
            await of_first.until(camera, ONLINE)
            with copy_of(engines, scratch, tmp_path / "second") as second:
                register = reach(second)
                of_first.share(camera, register)
                await register.status(camera)  # it serves
                await register.heard_since(camera, datetime.now(UTC) + 3 * LOOK)
                assert not second.lines_with("deaf to heartbeats")
                first.kill()
                await register.heard_since(camera, datetime.now(UTC))
                assert second.lines_with("deaf to heartbeats: it has just begun")


async def test_lost_heartbeats_are_counted_and_make_the_listener_deaf_with_one_line_each_time(
    engines: RunningTestMesh,
    scratch: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A flood in one packet finds room for five: the rest is lost and counted."""
    counted: Counter[str] = Counter()

    class Metric:
        def add(self, count: int, labels: dict[str, str]) -> None:
            counted[labels["outcome"]] += count

    monkeypatch.setattr(consumers, "heartbeats", Metric())
    caplog.set_level(logging.WARNING)
    db = Database(
        scratch.work, service="test", keyring=Keyring(tmp_path), clock=lambda: datetime.now(UTC)
    )
    pair = engines.certificates.service(SERVICE)
    broker = await Broker.connect(
        engines.nats_url,
        name=SERVICE,
        seed_file=engines.keys.nats_seed(SERVICE),
        tls=client_tls(pair.certificate, pair.key, engines.certificates.authority),
    )
    edge = await engines.nats_client("edge-1")
    watch = Watch(db, silence=SILENCE, measures_speed=lambda _: False)
    listener = ReportListener(broker, watch, lambda: datetime.now(UTC), pending_max=5)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(listener.run())
        await said(caplog, "hearing heartbeats again; 0 were lost")
        before = listener.hears_since
        for _ in range(500):
            await edge.publish("cameras.heartbeats.any", b"\xff no report")
        await edge.flush()
        await said(caplog, "deaf to heartbeats: reports were lost")
        await said(caplog, "hearing heartbeats again", times=2)
        after = listener.hears_since
        task.cancel()
    assert before is not None and after is not None and after > before
    lines = [record.getMessage() for record in caplog.records]
    assert (
        len([line for line in lines if "deaf" in line]) == 2
    )  # at the beginning, and by the flood
    assert not [line for line in lines if "SlowConsumer" in line]
    [lost] = [line.split("; ")[1].split()[0] for line in lines if "again" in line][1:]
    assert 0 < int(lost) == counted["lost"] == 500 - counted["unreadable"]
    for opened in (broker, edge, db):
        await opened.close()


async def said(caplog: pytest.LogCaptureFixture, text: str, *, times: int = 1) -> None:
    async with asyncio.timeout(30):
        while len([r for r in caplog.records if text in r.getMessage()]) < times:
            await asyncio.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
