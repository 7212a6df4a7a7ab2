"""Starts the parts of the mesh in order, keeps them running, stops them in the opposite order."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from chassis.clock import system_clock
from law.notices import notices
from law.yearly import read_yearly_tables

from tartip_cli.failures import Failure
from tartip_cli.parts.mesh import Mesh
from tartip_cli.parts.part import OutsidePart, Part
from tartip_cli.supervisor.children import OnChange, RunningPart, State, Watched, WatchedOutsidePart
from tartip_cli.supervisor.heads import HeadKeeper
from tartip_cli.supervisor.http import SupervisorHttp
from tartip_cli.supervisor.lock import Lock, RunningMesh, end_orphans
from tartip_cli.supervisor.process import pss_bytes

SUPERVISOR = "supervisor"
_PARALLEL_MIGRATIONS = 2

log = logging.getLogger(__name__)


class Supervisor:
    """Runs all parts of a mesh: `run` returns after `request_stop`, once all parts have stopped."""

    def __init__(self, mesh: Mesh, on_change: OnChange = lambda name, state: None) -> None:
        self.mesh = mesh
        self.ready = asyncio.Event()
        self._stop = asyncio.Event()
        self._at_once = False
        self._on_change = on_change
        self._yearly_tables = read_yearly_tables(assume_years=mesh.settings.assumes_years)
        self._stages = [[self._watch(part) for part in stage] for stage in mesh.stages]

    @property
    def watched(self) -> list[Watched]:
        return [part for stage in self._stages for part in stage]

    def request_stop(self) -> None:
        """Ask `run` to stop all parts in order. A second request kills them without waiting."""
        if self._stop.is_set():
            self._at_once = True
            for part in self.watched:
                if part.pid is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(part.pid, signal.SIGKILL)
        self._stop.set()

    async def run(self) -> None:
        home = self.mesh.home
        lock = Lock(home)
        lock.take()
        try:
            await end_orphans(home)
            self.mesh.require_free_ports()
            lock.describe(self._description())
            async with self._signals():
                await self._run()
        finally:
            lock.release()

    def status(self) -> dict[str, object]:
        """The state of all parts and the services' clock, as `tartip status --json` prints them."""
        own = {
            "name": SUPERVISOR,
            "state": State.READY,
            "address": f"127.0.0.1:{self.mesh.ports.supervisor}",
            "pid": os.getpid(),
            "rss_bytes": pss_bytes(os.getpid()),
        }
        states = [part.state for part in self.watched]  # at one moment: measuring memory takes time
        parts = [
            {
                "name": part.name,
                "state": state,
                "address": part.part.address,
                "pid": part.pid,
                "rss_bytes": part.pss_bytes(),
            }
            for part, state in zip(self.watched, states, strict=True)
        ]
        ready = all(state is State.READY for state in states)
        return {"ready": ready, "parts": [*parts, own], **self._time()}

    def _time(self) -> dict[str, object]:
        """The services' clock, and notices: a moved clock, assumed years, missing tables."""
        now, offset = system_clock(), self.mesh.settings.clock_offset
        found = notices(now, self._yearly_tables, offset)
        return {
            "now": now.isoformat(),
            "clock_offset_seconds": offset.total_seconds(),
            "notices": [
                {"code": notice.code, "text": notice.message.en, **notice.facts} for notice in found
            ],
        }

    async def _run(self) -> None:
        self.mesh.prepare()
        http = SupervisorHttp(self.mesh, self.status)
        keepers: list[asyncio.Task[None]] = []
        async with http.serving(), asyncio.TaskGroup() as group:
            try:
                starting = group.create_task(self._start(group, keepers))
                await self._stop.wait()
                starting.cancel()
            finally:
                await self._stop_all()
                for keeper in keepers:
                    keeper.cancel()

    async def _start(self, group: asyncio.TaskGroup, keepers: list[asyncio.Task[None]]) -> None:
        engines, services = self._stages[0], self._stages[1:]
        keepers += [group.create_task(part.keep()) for part in engines]
        await _until_ready([part for part in engines if part.name in self.mesh.needed_first])
        turns = asyncio.Semaphore(_PARALLEL_MIGRATIONS)
        for part in itertools.chain.from_iterable(services):
            keepers.append(group.create_task(self._migrate_and_keep(part, turns)))
        keepers.append(group.create_task(HeadKeeper(self.mesh).run()))
        await _until_ready(self.watched)
        self.ready.set()

    async def _migrate_and_keep(self, part: Watched, turns: asyncio.Semaphore) -> None:
        """Migrate the schema of a service and start it, without waiting for other services."""
        if part.name in self.mesh.migrated_services:
            async with turns:
                if self._stop.is_set():
                    return
                self._on_change(part.name, State.MIGRATING)
                try:
                    await self.mesh.migrate(part.name)
                except Failure:
                    if self._stop.is_set():  # its database was stopped
                        return
                    raise
        await part.keep()

    async def _stop_all(self) -> None:
        for stage in reversed(self._stages):
            await asyncio.gather(*(part.stop(at_once=self._at_once) for part in stage))

    def _watch(self, part: Part | OutsidePart) -> Watched:
        if isinstance(part, OutsidePart):
            return WatchedOutsidePart(part, self._on_change)
        return RunningPart(part, self._on_change, pid_folder=self.mesh.home.run)

    def _description(self) -> RunningMesh:
        ports = self.mesh.ports
        return RunningMesh(
            pid=os.getpid(),
            port_base=ports.base,
            gateway_port=ports.gateway,
            clock_offset_seconds=self.mesh.settings.clock_offset.total_seconds(),
        )

    @asynccontextmanager
    async def _signals(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        for number in numbers:
            loop.add_signal_handler(number, self.request_stop)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)


async def _until_ready(parts: Sequence[Watched]) -> None:
    await asyncio.gather(*(part.was_ready.wait() for part in parts))
