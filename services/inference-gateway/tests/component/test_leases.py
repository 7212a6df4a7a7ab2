"""What one copy of the service does at a time is done under a lease; who lost it writes nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from chassis.clock import system_clock
from chassis.db import Database
from chassis.transaction import SYSTEM
from host.leases import Lease, LeaseLost, hold
from inference_gateway.evidence.storage import BlobStore
from inference_gateway.evidence.usecases import EvidenceStore
from inference_gateway.probes.rounds import Prober, Times
from sqlalchemy import text
from tartip_testing.mesh import RunningTestMesh
from vision.faces.detector import FaceDetector

from .peers import SERVICE
from .processes import Process
from .watchlist_officers import Officer, beside, face

NAME = "work of a test"
Rows = Callable[[str], list[Any]]


@asynccontextmanager
async def lost(db: Database) -> AsyncIterator[Lease]:
    """A lease that another copy has taken over, as this one does not know yet."""
    async with hold(db, NAME) as lease:
        async with db.begin(SYSTEM) as tx:
            taken_over = "generation = generation + 1, expires_at = '-infinity'"
            await tx.execute(text(f"UPDATE leases SET {taken_over} WHERE name = '{NAME}'"))
        yield lease


async def test_a_sweeper_of_evidence_that_lost_its_lease_deletes_nothing(
    engines: RunningTestMesh, db: Database
) -> None:
    objects = BlobStore(engines.environment(SERVICE)["TARTIP_EVIDENCE_URL"])
    evidence_store = EvidenceStore(db, objects, system_clock)
    orphan = await evidence_store.seal(face(), "image/jpeg")
    async with lost(db) as lease:
        with pytest.raises(LeaseLost):
            await evidence_store.sweep(lease, orphan_age=timedelta(0), suspected_seconds=0.0)
    assert (engines.home.evidence / orphan.object_path).exists()


async def test_probes_that_lost_their_lease_change_no_function(db: Database, rows: Rows) -> None:
    standings = "SELECT * FROM probed_functions ORDER BY function"
    before = await asyncio.to_thread(rows, standings)
    no_models: Any = None  # no probes, no inference: all functions have nothing right
    prober = Prober(db, no_models, FaceDetector(no_models), system_clock, (), Times(0, 3600, 60, 5))
    async with lost(db) as lease:
        with pytest.raises(LeaseLost):
            await prober.round(lease)
    assert await asyncio.to_thread(rows, standings) == before


def test_a_sweeper_of_watch_lists_that_lost_its_lease_expires_no_entry(
    engines: RunningTestMesh, one: Officer, rows: Rows
) -> None:
    entry_id = one.ask().entry_id

    async def sweep() -> None:
        async with beside(engines, later=timedelta(days=400)) as parts, lost(parts.db) as lease:
            with pytest.raises(LeaseLost):
                await parts.desk.sweep(lease)

    asyncio.run(sweep())
    [entry] = rows(f"SELECT closed_at FROM watch_entries WHERE entry_id = '{entry_id}'")
    assert entry["closed_at"] is None


def test_each_of_its_single_workers_holds_a_lease(service: Process, rows: Rows) -> None:
    service.stop()
    probing = replace(
        service, environment={**service.environment, "TARTIP_PROBE_FIRST_AFTER_SECONDS": "0.1"}
    )
    probing.start()
    wanted = {"relay", "sealer", "evidence sweeper", "watch-list sweeper", "golden probes"}
    held = set[str]()
    try:
        deadline = time.monotonic() + 30
        while not wanted <= held and time.monotonic() < deadline:
            found = rows("SELECT name FROM leases WHERE expires_at > clock_timestamp()")
            held = {row["name"] for row in found}
            time.sleep(0.2)
    finally:
        probing.stop()
        service.start()
    assert wanted <= held
