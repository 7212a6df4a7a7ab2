"""A full disk under NATS: reports are taken all the while, and their events follow later."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from tartip.reports.v1 import reports_pb2 as reports
from tartip_cli.clients.journeys import ReportToAnswer, open_report, patiently
from tartip_cli.clients.partner import Outside
from tartip_cli.provision.vehicles import synthetic_iin
from tartip_cli.topology import CITIZEN_REPORTS, SERVICES
from tartip_testing.mesh import RunningTestMesh, running_mesh_in, wait_until

pytestmark = [pytest.mark.mesh, pytest.mark.nightly]

DISK_MIB = 704  # a data folder needs 512 at its start
FULL_SECONDS = 30.0
OTHERS = ("triton", *(service.name for service in SERVICES if service is not CITIZEN_REPORTS))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=0755", "tmpfs", str(disk)]
    )
    if mounted.returncode != 0:
        pytest.skip("left out: only root may mount a small file system")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture
def alone(small_disk: Path) -> Iterator[RunningTestMesh]:
    """Citizens' reports and what they need; as root, PostgreSQL's files are on another disk."""
    yield from running_mesh_in(small_disk / "home", without=OTHERS)


async def test_events_of_a_full_disk_follow_when_there_is_room(
    alone: RunningTestMesh, small_disk: Path
) -> None:
    filling = small_disk / "filling"
    handed_in = 0
    async with Outside(home=alone.home, ports=alone.ports, oidc_issuer=alone.oidc_issuer) as app:
        await hand_in(app)
        await asyncio.to_thread(fill, filling)
        end = time.monotonic() + FULL_SECONDS
        while time.monotonic() < end:
            await hand_in(app)
            handed_in += 1
        waiting = await unpublished(alone)
        assert waiting > 0, "the disk was not full"
        states = {part["name"]: part["state"] for part in alone.status()["parts"]}
        assert states["nats"] == "degraded"
        filling.unlink()
        began = time.monotonic()
        while await unpublished(alone):
            assert time.monotonic() < began + 120, await unpublished(alone)
            await asyncio.sleep(0.5)
    seconds = time.monotonic() - began
    print(f"disk full {FULL_SECONDS:.0f} s: {handed_in} reports taken, {waiting} events waited and")
    print(f"were published {seconds:.1f} s after there was room")
    wait_until(lambda: bool(alone.status()["ready"]), seconds=60)


async def hand_in(app: Outside) -> None:
    draw = random.Random()
    reporter = reports.Reporter(
        iin=synthetic_iin(draw), name="Sample Witness", phone="+77000000000"
    )
    request = open_report(
        category=reports.CATEGORY_ROAD_ACCIDENT,
        text=f"Sample {draw.randrange(10**9)}",
        reporter=reporter,
        address="Sample crossing",
    )
    report = ReportToAnswer(app, request, b"")
    await patiently(report.open, seconds=60)
    await patiently(report.submit, seconds=60)


async def unpublished(mesh: RunningTestMesh) -> int:
    connection = await asyncpg.connect(mesh.database.owner_url("citizen_reports"))
    count = await connection.fetchval(
        "SELECT count(*) FROM citizen_reports.outbox WHERE published_at IS NULL"
    )
    await connection.close()
    return int(count)


def fill(path: Path) -> None:
    for piece in (1 << 20, 4096):
        with path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(piece))
