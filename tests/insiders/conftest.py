"""A camera registry of its own, whose database insiders may damage."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from chassis.clock import new_id, system_clock
from chassis.db import Database
from chassis.event import Event
from chassis.transaction import SYSTEM
from host.key_destruction import schedule_destruction
from tartip.cameras.v1 import events_pb2
from tartip_cli.settings import inherited_environment
from tartip_testing.mesh import RunningTestMesh, running_mesh_in
from tartip_testing.service import migrated, serving
from vault.keyring import Keyring

SERVICE, SCHEMA = "camera-registry", "camera_registry"
SEAL_SECONDS = "0.5"


@dataclass(frozen=True)
class Decision:
    """What one transaction wrote: an audit entry, its event, a data key, and work for tomorrow."""

    entry_id: UUID
    event_id: UUID
    key_id: UUID
    work_key: str


@dataclass(frozen=True)
class Registry:
    engines: RunningTestMesh

    @asynccontextmanager
    async def opened(self, role: str) -> AsyncIterator[asyncpg.Connection]:
        """A connection as "calls", "work", "seal", "owner" or "superuser"."""
        database = self.engines.database
        urls = {
            "calls": database.runtime_url(SCHEMA),
            "work": database.work_url(SCHEMA),
            "seal": database.seal_url(SCHEMA),
            "owner": database.owner_url(SCHEMA),
            "superuser": database.url,
        }
        settings = {"search_path": SCHEMA}
        connection = await asyncpg.connect(urls[role], server_settings=settings)
        try:
            yield connection
        finally:
            await connection.close()

    async def execute(self, role: str, statement: str, *values: object) -> None:
        async with self.opened(role) as connection:
            await connection.execute(statement, *values)

    @asynccontextmanager
    async def calls(self) -> AsyncIterator[Database]:
        """The service's database with the log-in for calls, and its keys."""
        db = Database(
            self.engines.database.runtime_url(SCHEMA),
            service="insiders",
            keyring=Keyring(self.engines.keys.folder / SERVICE, new_id=new_id),
            clock=system_clock,
        )
        yield db
        await db.close()

    async def destroy(self, key_id: UUID) -> None:
        """Have the service destroy a key, which it records by an entry that no event names."""
        async with self.calls() as db, db.begin(SYSTEM) as tx:
            await schedule_destruction(tx, key_id)

    async def decide(self) -> Decision:
        """Write as a use case does."""
        camera = f"camera:{new_id()}"
        event = Event("cameras.v1.changed", camera, 1, "KZ-75", events_pb2.CameraChanged())
        async with self.calls() as db, db.begin(SYSTEM) as tx:
            key = await tx.keys.new("streams")
            tx.emit(event)
            await tx.schedule("watched", camera, system_clock() + timedelta(days=1))
            entry = tx.audit("change_camera", camera, region="KZ-75")
        return Decision(entry.entry_id, event.event_id, key.key_id, camera)

    async def settled(self) -> Decision:
        """A decision that is sealed, and whose event is published."""
        made = await self.decide()
        async with self.opened("superuser") as connection:
            async with asyncio.timeout(30):
                while not await connection.fetchval(_SETTLED, made.entry_id, made.event_id):
                    await asyncio.sleep(0.1)
        return made

    async def verify(self) -> list[str]:
        """What `tartip verify` says is wrong."""
        arguments = ("verify", "--service", SERVICE, "--json")
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "tartip_cli", *arguments],
            env={**inherited_environment(), "TARTIP_HOME": str(self.engines.home.path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        [log] = json.loads(done.stdout)["logs"]
        assert bool(log["wrong"]) == (done.returncode != 0), done.stderr
        return list(log["wrong"])


_SETTLED = (
    "SELECT EXISTS (SELECT FROM audit_leaves WHERE entry_id = $1)"
    " AND EXISTS (SELECT FROM outbox WHERE event_id = $2 AND published_at IS NOT NULL)"
)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    home = tmp_path_factory.mktemp("insiders")
    for engines in running_mesh_in(home, without=("services", "triton")):
        environment = migrated(engines, SERVICE, TARTIP_SEAL_EVERY_SECONDS=SEAL_SECONDS)
        with serving(engines, SERVICE, environment, home / "registry.log"):
            yield Registry(engines)
