"""Measures how fast the camera register processes the reports of hubs on all connected cameras of a
country. A hub is a control centre that reports which cameras work.

Every hub reports once a minute; the reports are spread over the minute. Then one camera in a
hundred is reported as unreachable. Finally the hubs report more often, so that the register gets
the conditions of 20 000 cameras per second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any
from uuid import UUID

import asyncpg
from chassis.clock import system_clock
from law.regions import REGIONS
from tartip.cameras.v1 import hubs_pb2 as pb
from tartip.cameras.v1.events_pb2 import (
    CAMERA_CONDITION_UNREACHABLE,
    CAMERA_CONDITION_WORKING,
)
from tartip.cameras.v1.hubs_pb2_grpc import CameraHubsStub
from tartip_cli.clients.hub_reports import ReportingHub, publisher
from tartip_cli.failures import Exit, Failure
from tartip_cli.topology import CAMERA_REGISTRY

from tartip_bench.bench_mesh import BenchMesh
from tartip_bench.outcomes import Figure
from tartip_bench.run import Run

ID_BYTES = 16
# Of a hub; a report has room for 11 000.
CAMERAS_OF_HUB = 8000
INTERVAL_SECONDS = 60.0
COUNTED_SECONDS = 600.0
OUTAGE_EVERY = 100
FLOOD_A_SECOND = 20_000
CORES_MAX, MEMORY_MAX_MIB = 0.5, 400
BARE_AT_ONCE, BARE_SECONDS = 8000, 3.0
_PARTS = (CAMERA_REGISTRY.name, "postgres")


@dataclass
class ReportedHub:
    """A made-up hub. Its cameras are given by their ids, 16 bytes each, concatenated. The reported
    conditions (CameraCondition) are one byte per camera, in the same order."""

    hub: ReportingHub
    camera_ids: bytes = b""
    conditions: bytes = b""

    def __len__(self) -> int:
        return len(self.camera_ids) // ID_BYTES


@dataclass
class MadeUpHubs:
    """Made-up hubs by region. Within a region, each connected camera is assigned to the next hub in
    turn."""

    of_region: dict[str, list[ReportedHub]] = field(default_factory=dict)
    _turns: dict[str, Any] = field(default_factory=dict)

    @property
    def all(self) -> list[ReportedHub]:
        return [hub for hubs in self.of_region.values() for hub in hubs if len(hub)]

    async def register(self, bench: BenchMesh, connected: int) -> None:
        """Register the same number of hubs in every region. `connected` is the number of connected
        cameras in the country. The hubs of a region suffice for one sixth of `connected`, at
        CAMERAS_OF_HUB cameras per hub."""
        stub = CameraHubsStub(bench.outside.as_command_line(CAMERA_REGISTRY))
        for region in REGIONS:
            hubs = [
                ReportedHub(ReportingHub()) for _ in range(1 + connected // CAMERAS_OF_HUB // 6)
            ]
            for each in hubs:
                request = pb.RegisterHubRequest(
                    hub_id=str(each.hub.hub_id),
                    name="Made-up control centre",
                    region=region,
                    kind=pb.HUB_KIND_CONTROL_CENTRE,
                    public_key=each.hub.public_key,
                )
                await stub.RegisterHub(request, timeout=30)
            self.of_region[region] = hubs
            self._turns[region] = cycle(hubs)

    def next_of(self, region: str) -> str:
        """Return the id of the hub for the next camera of a region. The hubs of the region take
        turns."""
        return str(next(self._turns[region]).hub.hub_id)

    async def read_cameras(self, database: asyncpg.Connection[Any]) -> None:
        """Read the ids of each hub's cameras from the database, and set the reported condition of
        every camera to "working"."""
        rows = await database.fetch(
            "SELECT hub_id, string_agg(uuid_send(camera_id), ''::bytea) AS ids"
            " FROM camera_registry.cameras WHERE hub_id IS NOT NULL GROUP BY hub_id"
        )
        ids = {row["hub_id"]: row["ids"] for row in rows}
        for hubs in self.of_region.values():
            for each in hubs:
                each.camera_ids = ids.get(each.hub.hub_id, b"")
                each.conditions = bytes([CAMERA_CONDITION_WORKING]) * len(each)


@dataclass(frozen=True)
class Measured:
    """The results of `reports`.

    The fields `cores` (at one report a minute) and `flood_cores` (at the highest rate) are the
    processor cores used by the service and PostgreSQL together. The highest rate itself is
    `flood_rate`, in cameras per second.

    The fields `first_seconds` and `outage_seconds` count from the first report sent to the last
    status stored. The number of cameras reported as unreachable is `outage`. A bare SQL update
    takes `bare_microseconds` per camera. The field `missing` counts hubs whose last report was not
    stored.
    """

    cameras: int
    hubs: int
    first_seconds: float
    cores: float
    bare_microseconds: float
    outage: int
    outage_seconds: float
    flood_cores: float
    flood_rate: float
    missing: int
    memory_mib: float


async def reports(
    run: Run, bench: BenchMesh, database: asyncpg.Connection[Any], hubs: MadeUpHubs, minutes: int
) -> list[Figure]:
    """Send the hubs' reports in three phases, and return the figures.

    First, all cameras work for `minutes` minutes. Then one in OUTAGE_EVERY cameras becomes
    unreachable. Finally, for about a minute, FLOOD_A_SECOND cameras are reported per second. Raises
    Failure if the statuses in the register differ from the reported ones.
    """
    await hubs.read_cameras(database)
    given = hubs.all
    cameras = sum(map(len, given))
    bare = await _bare(database)
    async with publisher(bench.outside) as client:
        run.report(f"first reports on {cameras:,} cameras")
        began = time.monotonic()
        async with _reporting(client, given):
            await _counted(database, online=cameras, offline=0)
        first = time.monotonic() - began
        run.report(f"reports for {minutes} minutes")
        cores, _ = await _cores(bench, client, given, rounds=minutes, seconds=INTERVAL_SECONDS)
        run.report("a planned outage")
        planned, began = _fail(given), time.monotonic()
        await _round(client, given, seconds=0.0)
        async with _reporting(client, given):
            await _counted(database, online=cameras - planned, offline=planned)
        seen = time.monotonic() - began
        run.report("a flood")
        rounds = max(1, round(FLOOD_A_SECOND * INTERVAL_SECONDS / cameras))
        pause = INTERVAL_SECONDS / rounds
        flood, took = await _cores(bench, client, given, rounds=rounds, seconds=pause)
        missing = await _missing(database, given)
    memory = bench.memory_bytes(CAMERA_REGISTRY.name) / 2**20
    rate = rounds * cameras / took
    found = Measured(
        cameras, len(given), first, cores, bare, planned, seen, flood, rate, missing, memory
    )
    return _figures(found)


async def _cores(
    bench: BenchMesh, client: Any, hubs: list[ReportedHub], *, rounds: int, seconds: float
) -> tuple[float, float]:
    """Report some rounds; return how many cores the service and PostgreSQL took, and seconds."""
    before, began = bench.cpu_seconds(*_PARTS), time.monotonic()
    for _ in range(rounds):
        await _round(client, hubs, seconds=seconds)
    took = time.monotonic() - began
    return (bench.cpu_seconds(*_PARTS) - before) / took, took


def _figures(found: Measured) -> list[Figure]:
    rate = found.cameras / INTERVAL_SECONDS
    bare = found.bare_microseconds
    return [
        Figure(
            name="reports: the first on every camera, from first sent to last status stored",
            measured=f"{found.cameras:,} cameras of {found.hubs} hubs, {found.first_seconds:.0f} s",
        ),
        Figure(
            name="reports once a minute: processor of the service and PostgreSQL",
            measured=f"{found.cores:.3f} cores at {rate:,.0f} cameras a second",
            bare=f"{bare * rate / 1e6:.3f} cores, each camera written ({bare:.1f} µs)",
            target=f"under {CORES_MAX} cores",
            met=found.cores < CORES_MAX,
        ),
        Figure(
            name="reports: a planned outage of one camera in a hundred, from sent to stored",
            measured=f"{found.outage:,} cameras in {found.outage_seconds:.1f} s",
            target=f"all within {INTERVAL_SECONDS:.0f} s",
            met=found.outage_seconds < INTERVAL_SECONDS,
        ),
        Figure(
            name="reports as a flood: processor of the service and PostgreSQL",
            measured=f"{found.flood_cores:.3f} cores at {found.flood_rate:,.0f} cameras a second",
        ),
        Figure(
            name="reports: hubs whose last report is not the last that was sent",
            measured=str(found.missing),
            target="none",
            met=found.missing == 0,
            is_rule=True,
        ),
        Figure(
            name="reports: memory of the service",
            measured=f"{found.memory_mib:.0f} MiB",
            target=f"under {MEMORY_MAX_MIB} MiB",
            met=found.memory_mib < MEMORY_MAX_MIB,
        ),
    ]


def _fail(hubs: list[ReportedHub]) -> int:
    """Let one camera in OUTAGE_EVERY fail; return how many."""
    planned = 0
    for each in hubs:
        conditions = bytearray(each.conditions)
        for place in range(0, len(each), OUTAGE_EVERY):
            conditions[place] = CAMERA_CONDITION_UNREACHABLE
            planned += 1
        each.conditions = bytes(conditions)
    return planned


async def _round(client: Any, hubs: list[ReportedHub], *, seconds: float) -> None:
    """A report of every hub, spread over some seconds."""
    began = time.monotonic()
    for place, each in enumerate(hubs):
        await asyncio.sleep(max(0.0, began + place * seconds / len(hubs) - time.monotonic()))
        signed = each.hub.signed_ids(each.camera_ids, system_clock(), conditions=each.conditions)
        await client.publish(each.hub.subject, signed)
        await client.flush()
    await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))


@asynccontextmanager
async def _reporting(client: Any, hubs: list[ReportedHub]) -> AsyncIterator[None]:
    """Send a report of every hub once a minute while the block runs, as hubs do; a hub that stopped
    would be silent, and its cameras' statuses unknown, before the last status was stored."""

    async def report() -> None:
        while True:
            await _round(client, hubs, seconds=INTERVAL_SECONDS)

    reports = asyncio.create_task(report())
    try:
        yield
    finally:
        reports.cancel()
        with suppress(asyncio.CancelledError):
            await reports


async def _counted(database: asyncpg.Connection[Any], *, online: int, offline: int) -> None:
    """Wait until this many connected cameras are online and offline. Raises Failure after ten
    minutes."""
    query = (
        "SELECT count(*) FILTER (WHERE status = 'ONLINE') AS online,"
        " count(*) FILTER (WHERE status = 'OFFLINE') AS offline"
        " FROM camera_registry.cameras WHERE hub_id IS NOT NULL"
    )
    deadline = time.monotonic() + COUNTED_SECONDS
    while time.monotonic() < deadline:
        row = await database.fetchrow(query)
        assert row is not None
        if (row["online"], row["offline"]) == (online, offline):
            return
        await asyncio.sleep(0.5)
    raise Failure(
        f"after {COUNTED_SECONDS:.0f} s {row['online']:,} cameras were online and"
        f" {row['offline']:,} offline, not {online:,} and {offline:,}",
        Exit.PART_FAILED,
    )


async def _missing(database: asyncpg.Connection[Any], hubs: list[ReportedHub]) -> int:
    """How many hubs have stored another number than that of their last report, after a while."""
    wanted = {each.hub.hub_id: each.hub.number for each in hubs}
    missing = len(wanted)
    for _ in range(60):
        rows = await database.fetch("SELECT hub_id, number FROM camera_registry.hub_life")
        stored: dict[UUID, int] = {row["hub_id"]: row["number"] for row in rows}
        missing = sum(stored.get(hub_id) != number for hub_id, number in wanted.items())
        if not missing:
            return 0
        await asyncio.sleep(0.5)
    return missing


async def _bare(database: asyncpg.Connection[Any]) -> float:
    """Microseconds for a camera whose time of report is written by itself: rows of a narrow table,
    in statements of BARE_AT_ONCE rows."""
    await database.execute(
        "CREATE TABLE bare_life (camera_id uuid PRIMARY KEY, heard bigint NOT NULL)"
        " WITH (fillfactor = 50);"
        " INSERT INTO bare_life SELECT camera_id, 0 FROM camera_registry.cameras"
        " WHERE hub_id IS NOT NULL; ANALYZE bare_life"
    )
    rows = await database.fetch("SELECT camera_id FROM bare_life")
    ids = [row["camera_id"] for row in rows]
    written, began = 0, time.monotonic()
    while time.monotonic() - began < BARE_SECONDS:
        part = [ids[(written + place) % len(ids)] for place in range(min(BARE_AT_ONCE, len(ids)))]
        await database.execute(
            "UPDATE bare_life SET heard = heard + 1 FROM unnest($1::uuid[]) AS given(camera_id)"
            " WHERE bare_life.camera_id = given.camera_id",
            part,
        )
        written += len(part)
    return (time.monotonic() - began) / written * 1e6
