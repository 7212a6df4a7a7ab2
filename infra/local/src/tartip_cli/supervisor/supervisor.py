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
from dataclasses import asdict
from typing import Any

from chassis.clock import system_clock
from law.notices import notices
from law.yearly import read_yearly_tables

from tartip_cli.failures import Failure
from tartip_cli.parts.mesh import Mesh
from tartip_cli.parts.part import OutsidePart, Part
from tartip_cli.supervisor.certificates import certificate_states, ending_soon, keep_renewed
from tartip_cli.supervisor.children import OnChange, RunningPart, State, Watched, WatchedOutsidePart
from tartip_cli.supervisor.disk import Disk, disks_of
from tartip_cli.supervisor.heads import HeadKeeper
from tartip_cli.supervisor.http import SupervisorHttp
from tartip_cli.supervisor.lock import Lock, RunningMesh, end_orphans
from tartip_cli.supervisor.logs import TURN_SECONDS, turn_over
from tartip_cli.supervisor.measures import SupervisorMeasures
from tartip_cli.supervisor.process import pss_bytes
from tartip_cli.supervisor.synthetic import SyntheticCalls

SUPERVISOR = "supervisor"
_PARALLEL_MIGRATIONS = 2

log = logging.getLogger(__name__)


class Supervisor:
    """Runs all parts of a mesh. `run` returns when all parts have stopped after `request_stop`."""

    def __init__(self, mesh: Mesh, on_change: OnChange = lambda name, state: None) -> None:
        self.mesh = mesh
        self.ready = asyncio.Event()
        self._stop = asyncio.Event()
        self._at_once = False
        self._on_change = on_change
        self._yearly_tables = read_yearly_tables(assume_years=mesh.settings.assumes_years)
        self._measures: SupervisorMeasures | None = None
        self._lock = Lock(mesh.home)
        # The tasks that keep parts and run beside them, in the group of `run`.
        self._group: asyncio.TaskGroup | None = None
        self._keepers: list[asyncio.Task[None]] = []
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
        self._lock.take()
        try:
            await end_orphans(self.mesh.home)
            self.mesh.require_free_ports()
            self._lock.describe(self._description())
            async with self._signals():
                await self._run()
        finally:
            self._lock.release()

    async def restart_services(self, mesh: Mesh) -> None:
        """Stop all services, then start them as `mesh` describes them, and wait until they are
        ready. The engines keep running; `mesh` must describe the same ones. To be called while
        `run` runs, once all parts are ready."""
        assert self._group is not None
        for stage in reversed(self._stages[1:]):
            await asyncio.gather(*(part.stop() for part in stage))
        if self._stop.is_set():
            return
        self.mesh = mesh
        self._lock.describe(self._description())
        self._stages[1:] = [[self._watch(part) for part in stage] for stage in mesh.stages[1:]]
        for part in itertools.chain.from_iterable(self._stages[1:]):
            self._keepers.append(self._group.create_task(part.keep()))
        await _until_ready(self.watched)

    def status(self) -> dict[str, object]:
        """Return the state of all parts, disks and certificates, and the clock of the services.

        `tartip status --json` prints the result.
        """
        own = {
            "name": SUPERVISOR,
            "state": State.READY,
            "address": f"127.0.0.1:{self.mesh.ports.supervisor}",
            "pid": os.getpid(),
            "rss_bytes": pss_bytes(os.getpid()),
            "reasons": (),
            "restarts": 0,
            "restart_reason": None,
        }
        # At one moment: measuring memory takes time.
        found = [(part, part.state, part.reasons) for part in self.watched]
        parts = [
            {
                "name": part.name,
                "state": state,
                "address": part.part.address,
                "pid": part.pid,
                "rss_bytes": part.pss_bytes(),
                "reasons": reasons,
                "restarts": part.restarts,
                "restart_reason": part.restart_reason,
            }
            for part, state, reasons in found
        ]
        disks = disks_of(self.mesh.home)
        certificates = certificate_states(self.mesh.certificates)
        status: dict[str, Any] = {
            "ready": all(state.serves for _, state, _ in found),
            "parts": [*parts, own],
            "disks": [asdict(disk) for disk in disks],
            "certificates": certificates,
            **self._time(disks),
        }
        status["notices"] += ending_soon(certificates)
        return status

    def _time(self, disks: Sequence[Disk]) -> dict[str, object]:
        """The services' clock, and notices: a moved clock, assumed years, missing tables, disks
        that are nearly full."""
        now, offset = system_clock(), self.mesh.settings.clock_offset
        found = notices(now, self._yearly_tables, offset)
        return {
            "now": now.isoformat(),
            "clock_offset_seconds": offset.total_seconds(),
            "notices": [
                *(
                    {"code": notice.code, "text": notice.message.en, **notice.facts}
                    for notice in found
                ),
                *(disk.notice() for disk in disks if disk.is_nearly_full),
            ],
        }

    async def _run(self) -> None:
        self.mesh.prepare()
        measures = SupervisorMeasures(
            self.mesh, lambda: {part.name: part.state for part in self.watched}
        )
        self._measures = measures
        synthetic = SyntheticCalls(self.mesh, measures.meter)
        http = SupervisorHttp(self.mesh, self.status, measures.read)
        keepers = self._keepers
        async with http.serving(), asyncio.TaskGroup() as group:
            self._group = group
            keepers.append(group.create_task(self._turn_logs_over()))
            try:
                keepers.append(group.create_task(keep_renewed(self.mesh, self._tell_renewed)))
                starting = group.create_task(self._start(group))
                keepers.append(group.create_task(synthetic.keep(self.ready)))
                await self._stop.wait()
                starting.cancel()
            finally:
                await self._stop_all()
                for keeper in keepers:
                    keeper.cancel()
                await asyncio.to_thread(measures.close)

    async def _start(self, group: asyncio.TaskGroup) -> None:
        keepers, engines, services = self._keepers, self._stages[0], self._stages[1:]
        keepers += [group.create_task(part.keep()) for part in engines]
        await _until_ready([part for part in engines if part.name in self.mesh.needed_first])
        turns = asyncio.Semaphore(_PARALLEL_MIGRATIONS)
        for part in itertools.chain.from_iterable(services):
            keepers.append(group.create_task(self._migrate_and_keep(part, turns)))
        keepers.append(group.create_task(HeadKeeper(self.mesh).run()))
        await _until_ready(self.watched)
        self.ready.set()

    async def _migrate_and_keep(self, part: Watched, turns: asyncio.Semaphore) -> None:
        """Migrate a service's schema, if it has one, then start the service and watch it until it
        is stopped.

        `turns` limits how many services migrate at a time. Does not wait until other services are
        ready. Raises Failure if the migration fails, or if the service never becomes ready.
        """
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

    async def _turn_logs_over(self) -> None:
        while True:
            await asyncio.sleep(TURN_SECONDS)
            for path in self.mesh.home.logs.glob("*.log"):
                await asyncio.to_thread(turn_over, path)

    async def _stop_all(self) -> None:
        for stage in reversed(self._stages):
            await asyncio.gather(*(part.stop(at_once=self._at_once) for part in stage))

    def _tell_renewed(self, certificates: list[str]) -> None:
        for part in self.watched:
            if isinstance(part, RunningPart):
                part.renewed(certificates)

    def _watch(self, part: Part | OutsidePart) -> Watched:
        if isinstance(part, OutsidePart):
            return WatchedOutsidePart(part, self._changed)
        return RunningPart(part, self._changed, pid_folder=self.mesh.home.run)

    def _changed(self, name: str, state: State) -> None:
        if self._measures is not None:
            self._measures.note(name, state)
        self._on_change(name, state)

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
