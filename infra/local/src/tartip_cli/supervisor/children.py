"""Starts, probes, restarts (with growing pauses) and stops the parts of the mesh."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

from tartip_cli.failures import Exit, Failure
from tartip_cli.parts.health import Condition, Health, unready
from tartip_cli.parts.part import START_SECONDS, OutsidePart, Part, launched
from tartip_cli.settings import inherited_environment
from tartip_cli.supervisor.health import (
    AGAIN_SECONDS,
    PROBE_SECONDS,
    Judge,
    health_by,
    raise_if_cancelled,
)
from tartip_cli.supervisor.logs import last_line
from tartip_cli.supervisor.process import ProcessId, signal_group, tree_pss_bytes

STOP_SECONDS = 45.0
HUNG_STOP_SECONDS = 5.0
"""What is hung rarely heeds a signal: it is killed after so long."""
_OUTSIDE_SECONDS = 10.0
_FIRST_START_TRIES = 3
_IMPATIENT_PROBE_SECONDS = 0.1
_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_SETTLED_SECONDS = 30.0

log = logging.getLogger(__name__)


class State(enum.StrEnum):
    WAITING = "waiting"
    MIGRATING = "migrating"
    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    UNREADY = "unready"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"

    @property
    def serves(self) -> bool:
        return self in (State.READY, State.DEGRADED)


_FOUND = {Condition.READY: State.READY, Condition.DEGRADED: State.DEGRADED}
OnChange = Callable[[str, State], None]


class Watched(ABC):
    """A supervised part of the mesh and its state.

    The event `was_ready` is set when the part becomes ready for the first time.
    """

    def __init__(self, part: Part | OutsidePart, on_change: OnChange) -> None:
        self.part = part
        self.state = State.WAITING
        self.reasons: tuple[str, ...] = ()
        """Why the part is not ready, or degraded."""
        self.restarts = 0
        self.restart_reason: str | None = None
        """Why the part was last restarted."""
        self.was_ready = asyncio.Event()
        self._on_change = on_change

    @property
    def name(self) -> str:
        return self.part.name

    @property
    def pid(self) -> int | None:
        return None

    def pss_bytes(self) -> int:
        return 0

    @abstractmethod
    async def keep(self) -> None:
        """Start the part and watch it until it is stopped. An external part is not started, but
        waited for.

        Raises Failure if the part never becomes ready.
        """

    async def stop(self, *, at_once: bool = False) -> None:
        self._become(State.STOPPED)

    async def _provisioned(self) -> bool:
        """Provision after a start. Errors are raised before the first readiness, later retried."""
        if self.part.provision is None:
            return True
        try:
            await asyncio.wait_for(self.part.provision(), START_SECONDS)
        except Exception as error:  # any error of a library means: not yet
            raise_if_cancelled()
            if isinstance(error, Failure) and not self.was_ready.is_set():
                raise
            log.warning("%s: provisioning: %r", self.name, error)
            return False
        return True

    def _become(self, state: State, reasons: tuple[str, ...] = ()) -> None:
        changed = state is not self.state
        if changed or reasons != self.reasons:
            log.info("%s: %s", self.name, "; ".join((state, *reasons)))
            self.state, self.reasons = state, reasons
        if changed:
            self._on_change(self.name, state)
        if state.serves:
            self.was_ready.set()

    def _learn(self, health: Health) -> None:
        """Take over what a probe found of a part that has been ready before."""
        self._become(_FOUND.get(health.condition, State.UNREADY), health.reasons)


class WatchedOutsidePart(Watched):
    """A part that runs outside the mesh, such as an external database.

    The supervisor probes the part, and provisions it whenever it becomes available. The supervisor
    never starts or stops it.
    """

    async def keep(self) -> None:
        self._become(State.STARTING)
        deadline = time.monotonic() + _OUTSIDE_SECONDS
        while True:
            health = await health_by(self.part.probe)
            if health.serves and not self.state.serves and not await self._provisioned():
                health = unready("it cannot be provisioned yet")
            elif not health.serves and not self.was_ready.is_set() and time.monotonic() > deadline:
                raise Failure(
                    f"{self.name} does not answer at {self.part.address}: is it running? "
                    f"({health.reason})",
                    Exit.PART_FAILED,
                )
            if health.serves or self.was_ready.is_set():
                self._learn(health)
            await asyncio.sleep(PROBE_SECONDS if health.serves else AGAIN_SECONDS)


class RunningPart(Watched):
    """A part that runs as a child process."""

    part: Part

    def __init__(self, part: Part, on_change: OnChange, *, pid_folder: Path) -> None:
        super().__init__(part, on_change)
        self._pid_file = pid_folder / f"{part.name}.pid"
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._end_reason: str | None = None

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def pss_bytes(self) -> int:
        return tree_pss_bytes(self.pid) if self.pid is not None else 0

    async def keep(self) -> None:
        """Run the part until `stop` is called, and start it again whenever it ends.

        Raises Failure if the part does not become ready in its first few starts. After it has been
        ready, the number of starts is not limited.
        """
        deaths = failed_starts = 0
        while not self._stopping:
            began = time.monotonic()
            came_up = await self._run_once(self._start_limit(failed_starts))
            if self._stopping:
                return
            deaths = 0 if time.monotonic() - began > _SETTLED_SECONDS else deaths + 1
            failed_starts = 0 if came_up else failed_starts + 1
            if not self.was_ready.is_set() and failed_starts >= _FIRST_START_TRIES:
                raise self._did_not_start(self._end_reason or "stopped at once")
            self._become(State.RESTARTING)
            await asyncio.sleep(_PAUSES[min(max(deaths - 1, 0), len(_PAUSES) - 1)])

    def renewed(self, certificates: Collection[str]) -> None:
        """Send the part its `renew_signal` if its certificate was renewed.

        `certificates` are the names ("kind/name") of the renewed certificates. Does nothing if the
        part does not run.
        """
        if self.pid is not None and self.part.certificate in certificates:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, self.part.renew_signal)

    async def stop(self, *, at_once: bool = False) -> None:
        """Send the part its stop signal, wait up to STOP_SECONDS, then kill its process group. With
        `at_once`, kill the process group immediately. Does nothing to a part that does not run."""
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            self._become(State.STOPPING)
            await _end(process, self.part.stop_signal, 0 if at_once else STOP_SECONDS)
        self._pid_file.unlink(missing_ok=True)
        self._become(State.STOPPED)

    def _start_limit(self, failed_starts: int) -> float:
        return float(min(self.part.start_seconds * 2**failed_starts, START_SECONDS))

    async def _run_once(self, start_limit: float) -> bool:
        """Start the part and wait for its end; return whether it came up."""
        self._become(State.STARTING)
        self._end_reason = None
        if self.part.prepare is not None and not await self._prepared(self.part.prepare):
            return False
        if self._stopping:
            return False
        try:
            process = await self._spawn()
        except OSError as error:
            if not self.was_ready.is_set():
                raise
            log.error("%s: cannot be started: %s", self.name, error)
            return False
        if self._stopping:  # the stop was requested during the start
            await _end(process, self.part.stop_signal, STOP_SECONDS)
        came_up = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            attending = group.create_task(self._attend(process, start_limit, came_up))
            code = await process.wait()
            attending.cancel()
        # Processes left in its group would hold its port or its files.
        signal_group(process.pid, signal.SIGKILL)
        self._pid_file.unlink(missing_ok=True)
        self._note_end(code)
        return came_up.is_set()

    async def _prepared(self, step: Callable[[], Awaitable[None]]) -> bool:
        """Run a step before a start. Errors are raised before the first readiness, later
        retried."""
        try:
            await step()
        except (Failure, OSError) as error:  # for instance a full disk
            if not self.was_ready.is_set():
                raise
            log.error("%s: %s", self.name, error)
            return False
        return True

    async def _spawn(self) -> asyncio.subprocess.Process:
        part = self.part
        # Children append, so that the supervisor may cut the file while they write.
        with part.log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *launched(part.command, user=part.user, death_signal=part.stop_signal),
                env={**inherited_environment(), **part.environment},
                cwd=part.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # the supervisor handles Ctrl-C and stops parts in order
            )
        self._process = process
        if identity := ProcessId.of(process.pid):
            try:
                identity.write(self._pid_file)
            except (
                OSError
            ) as error:  # it runs; only an `up` after a crash of the supervisor needs the file
                log.error("%s: its pid file cannot be written: %s", self.name, error)
        return process

    async def _attend(
        self, process: asyncio.subprocess.Process, start_limit: float, came_up: asyncio.Event
    ) -> None:
        """Probe until it serves, then at intervals; end the process if its start takes longer than
        `start_limit` seconds, or if it is hung or broken."""
        deadline = time.monotonic() + start_limit
        while not await self._comes_up():
            if time.monotonic() > deadline:
                await self._end_late(process, start_limit)
                return
            await asyncio.sleep(_IMPATIENT_PROBE_SECONDS)
        came_up.set()
        judge = Judge(self.part.hung_after_probes)
        while True:
            await asyncio.sleep(PROBE_SECONDS if self.state.serves else AGAIN_SECONDS)
            health = await health_by(self.part.probe)
            if self._stopping:
                return
            self._learn(health)
            if reason := judge.verdict(health):
                self._end_reason = reason
                log.warning("%s: is restarted: %s", self.name, reason)
                await _end(process, self.part.stop_signal, HUNG_STOP_SECONDS)
                return

    async def _comes_up(self) -> bool:
        health = await health_by(self.part.probe)
        if not health.serves:
            self._become(State.STARTING, health.reasons)
            return False
        if not await self._provisioned():
            await asyncio.sleep(AGAIN_SECONDS)
            return False
        self._learn(health)
        return True

    async def _end_late(self, process: asyncio.subprocess.Process, start_limit: float) -> None:
        reason = f"was not ready after {start_limit:.0f} s"
        self._end_reason = "; ".join((reason, *self.reasons))
        log.warning("%s: is restarted: %s", self.name, self._end_reason)
        await _end(process, self.part.stop_signal, HUNG_STOP_SECONDS)

    def _note_end(self, code: int) -> None:
        """Log and count an end that nobody has requested."""
        log.info("%s: ended with %s", self.name, code)
        if not self._stopping:
            self.restarts += 1
            self.restart_reason = self._end_reason or f"it ended with {code}"

    def _did_not_start(self, what: str) -> Failure:
        reason = last_line(self.part.log)
        return Failure(f"{self.name} {what}: {reason} (log: {self.part.log})", Exit.PART_FAILED)


async def _end(
    process: asyncio.subprocess.Process, first: signal.Signals, grace_seconds: float
) -> None:
    if grace_seconds > 0:
        try:
            os.kill(process.pid, first)
            await asyncio.wait_for(process.wait(), grace_seconds)
        except (TimeoutError, ProcessLookupError):
            log.warning("pid %s did not stop in %.0f s and is killed", process.pid, grace_seconds)
    signal_group(process.pid, signal.SIGKILL)
    await process.wait()
