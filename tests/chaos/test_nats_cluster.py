"""The leader of a NATS cluster is killed (kill -9) while reports are handed in.

Nobody waits for it, nothing is lost, and the three replicas of each stream stay, whatever the
setting says later.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError
from tartip.reports.v1 import reports_pb2 as reports
from tartip_cli.clients.journeys import ReportToAnswer, open_report
from tartip_cli.clients.partner import Outside
from tartip_cli.provision.vehicles import synthetic_iin
from tartip_testing.mesh import RunningTestMesh, start_mesh
from tartip_testing.nats_cluster import NatsCluster, running_cluster

pytestmark = [pytest.mark.mesh, pytest.mark.nightly]

SERVER_COUNT = 3
KILLS = 16 if os.environ.get("TARTIP_NIGHTLY") else 1
# The longest call that was measured while a leader was killed (ADR 30); it may take three times
# as long.
PROMISED_SECONDS = 0.71
CITIZENS, LOAD_SECONDS, SECONDS = 2, 3.0, 120.0
PAUSE_SECONDS = 0.2
LEFT_OUT = (
    "triton",
    "camera-registry",
    "inference-gateway",
    "violations",
    "fines",
    "operator-gateway",
)


@contextmanager
def mesh_on(cluster: NatsCluster, home: Path, replicas: int) -> Iterator[RunningTestMesh]:
    settings = {
        "TARTIP_NATS_URL": cluster.url,
        "TARTIP_NATS_CA": str(cluster.authority),
        "TARTIP_NATS_REPLICAS": str(replicas),
    }
    mesh = start_mesh(home, without=LEFT_OUT, environment=settings)
    try:
        mesh.wait_ready()
        yield mesh
    finally:
        mesh.stop()


class Citizens:
    """Hand reports in, one after the other, and note how long each call took."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self.seconds: list[float] = []
        self.report_ids: list[str] = []

    async def keep_handing_in(self) -> None:
        while True:
            reporter = reports.Reporter(
                iin=synthetic_iin(random.Random()), name="Sample Witness", phone="+77000000001"
            )
            request = open_report(
                category=reports.CATEGORY_INCIDENT, text="Шум во дворе.", reporter=reporter
            )
            journey = ReportToAnswer(self._outside, request)
            await self._timed(journey.open)
            await self._timed(journey.submit)
            self.report_ids.append(journey.report_id)
            await asyncio.sleep(PAUSE_SECONDS)  # a partner has its share of calls

    async def _timed(self, call: Callable[[], Any]) -> None:
        began = time.monotonic()
        await call()
        self.seconds.append(time.monotonic() - began)


@asynccontextmanager
async def handing_in(citizens: Citizens) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(citizens.keep_handing_in()) for _ in range(CITIZENS)]
        yield
        for task in tasks:
            task.cancel()


@asynccontextmanager
async def provisioner(mesh: RunningTestMesh) -> AsyncIterator[Client]:
    client = await mesh.nats_client("provisioner")
    try:
        yield client
    finally:
        await client.close()


async def test_a_killed_leader_delays_nobody_and_loses_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (tmp_path / "nats").mkdir()
    with running_cluster(tmp_path / "nats", home, size=SERVER_COUNT) as cluster:
        with mesh_on(cluster, home, SERVER_COUNT) as mesh:
            async with Outside(
                home=mesh.home, ports=mesh.ports, oidc_issuer=mesh.oidc_issuer
            ) as outside:
                citizens = Citizens(outside)
                async with handing_in(citizens):
                    for _ in range(KILLS):
                        await kill_the_leader(mesh, cluster)
            await until_published(mesh)
            assert await replicas(mesh) == {SERVER_COUNT}
            assert set(citizens.report_ids) <= await handed_in(mesh), "an answered report is lost"
            assert set((await told(mesh)).values()) == {1}
        print(
            f"{KILLS} kills, {len(citizens.seconds)} calls, {max(citizens.seconds):.2f} s at most"
        )
        assert max(citizens.seconds) <= 3 * PROMISED_SECONDS
        with mesh_on(cluster, home, 1) as mesh:
            assert await replicas(mesh) == {SERVER_COUNT}, "raised replicas were lowered"


async def kill_the_leader(mesh: RunningTestMesh, cluster: NatsCluster) -> None:
    """Kill the server that leads the stream of reports, and start it again under load."""
    leader = cluster.node(await leader_of_reports(mesh, besides=""))
    await asyncio.sleep(LOAD_SECONDS)
    await asyncio.to_thread(leader.kill)
    await leader_of_reports(mesh, besides=leader.name)
    await asyncio.sleep(LOAD_SECONDS)
    leader.start()
    await asyncio.to_thread(cluster.wait_healthy)


async def leader_of_reports(mesh: RunningTestMesh, *, besides: str) -> str:
    """The server that leads the stream of reports, once it is another than `besides`."""
    async with asyncio.timeout(SECONDS):
        while True:
            with suppress(NatsError, APIError, OSError):
                async with provisioner(mesh) as client:
                    cluster = (await client.jetstream().stream_info("REPORTS")).cluster
                if cluster is not None and cluster.leader not in (None, "", besides):
                    return str(cluster.leader)
            await asyncio.sleep(0.2)


async def replicas(mesh: RunningTestMesh) -> set[int]:
    """The replicas that each stream has, and each consumer for which a number was set."""
    found: set[int] = set()
    async with provisioner(mesh) as client:
        js = client.jetstream()
        for stream in mesh.description.streams.streams:
            info = await js.stream_info(stream.name or "")
            found.add(info.config.num_replicas or 0)
            for consumer in await js.consumers_info(stream.name or ""):
                servers = 1 + len((consumer.cluster and consumer.cluster.replicas) or [])
                found.add(servers)
    return found


async def told(mesh: RunningTestMesh) -> Counter[str]:
    """How often each event of the outbox is in the stream of reports, by its id."""
    rows = await asked(mesh, "SELECT event_id FROM outbox WHERE subject LIKE 'reports.%'")
    found = Counter({str(row["event_id"]): 0 for row in rows})
    async with provisioner(mesh) as client:
        js = client.jetstream()
        state = (await js.stream_info("REPORTS")).state
        for number in range(state.first_seq, state.last_seq + 1):
            found[((await js.get_msg("REPORTS", number)).headers or {})["Nats-Msg-Id"]] += 1
    return found


async def handed_in(mesh: RunningTestMesh) -> set[str]:
    rows = await asked(mesh, "SELECT report_id FROM reports WHERE number <> ''")
    return {str(row["report_id"]) for row in rows}


async def until_published(mesh: RunningTestMesh) -> None:
    async with asyncio.timeout(SECONDS):
        while await asked(mesh, "SELECT 1 FROM outbox WHERE published_at IS NULL"):
            await asyncio.sleep(0.5)


async def asked(mesh: RunningTestMesh, query: str) -> list[Any]:
    connection = await asyncpg.connect(mesh.database.url)
    try:
        await connection.execute("SET search_path = citizen_reports")
        return list(await connection.fetch(query))
    finally:
        await connection.close()
