"""Parts die in the middle of an import (kill -9): each row that was answered is there, once."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter

import asyncpg
import pytest
from chassis.clock import new_id
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.cameras.v1.cameras_pb2_grpc import CameraRegistryStub
from tartip_cli.clients import country
from tartip_cli.clients.camera_import import BATCH, send_all
from tartip_cli.clients.journeys import wait_for
from tartip_cli.clients.partner import Outside
from tartip_cli.topology import CAMERA_REGISTRY
from tartip_testing.mesh import RunningTestMesh

pytestmark = pytest.mark.mesh

SEED = 77
KILLED = ("camera-registry", "postgres", "nats")
# By day each part once; by night ten times in all. The cameras stay for the tests that follow.
KILLS, BATCHES = (10, 16) if os.environ.get("TARTIP_NIGHTLY") else (len(KILLED), 5)
COUNT = BATCHES * BATCH
SECONDS = 120.0


async def test_an_import_loses_and_doubles_no_row_though_parts_are_killed(
    mesh: RunningTestMesh, outside: Outside
) -> None:
    mesh.wait_ready()
    draw = random.Random(SEED)
    victims = [KILLED[number % len(KILLED)] for number in range(KILLS)]
    taken = asyncio.Semaphore(0)

    async def kill() -> None:
        for victim in victims:
            await taken.acquire()
            await asyncio.sleep(draw.uniform(0, 0.3))
            await asyncio.to_thread(mesh.kill_and_wait, victim)

    stub = CameraRegistryStub(outside.as_command_line(CAMERA_REGISTRY))
    import_id = str(new_id())
    killing = asyncio.create_task(kill())
    result = await send_all(
        stub,
        import_id,
        lambda: country.cameras(COUNT, SEED),
        after_each=lambda _: taken.release(),
    )
    await killing
    assert (result.added, result.changed, result.unchanged, result.refused) == (COUNT, 0, 0, [])
    standing = await stub.GetImport(pb.GetImportRequest(import_id=import_id), timeout=10)
    assert (standing.last_number, standing.added) == (COUNT // BATCH, COUNT)
    connection = await asyncpg.connect(mesh.database.url)
    await connection.execute("SET search_path = camera_registry")
    try:
        ids = [camera.camera_id for camera in country.cameras(COUNT, SEED)]
        for table, count in (("cameras", COUNT), ("camera_versions", 0)):
            there = f"SELECT count(*) FROM {table} WHERE camera_id = ANY($1::uuid[])"
            assert await connection.fetchval(there, ids) == count
        events = "SELECT version FROM outbox WHERE aggregate = $1"
        told = [row["version"] for row in await connection.fetch(events, f"import:{import_id}")]
        assert sorted(told) == list(range(1, COUNT // BATCH + 1))
        full = "SELECT region, count(*) FROM cameras WHERE retired_at IS NULL GROUP BY region"
        counted = Counter({row["region"]: row["count"] for row in await connection.fetch(full)})

        async def published() -> bool | None:
            waiting = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
            return None if await connection.fetchval(waiting) else True

        await wait_for("the events", published, seconds=SECONDS)
    finally:
        await connection.close()
    reader = outside.channel(outside.certificates.service("violations"), CAMERA_REGISTRY)
    kept = await CameraRegistryStub(reader).GetStatistics(pb.GetStatisticsRequest(), timeout=10)
    assert {region.region: region.registered for region in kept.regions} == counted
