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
from tartip_cli.parts.part import OutsidePart, Part, launched
from tartip_cli.settings import inherited_environment
from tartip_cli.supervisor.health import PROBE_SECONDS, answers, raise_if_cancelled, verdict_of
from tartip_cli.supervisor.process import ProcessId, signal_group, tree_pss_bytes

STOP_SECONDS = 45.0
_START_SECONDS = 120.0
_OUTSIDE_SECONDS = 10.0
_FIRST_START_TRIES = 3
_IMPATIENT_PROBE_SECONDS = 0.1
_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_SETTLED_SECONDS = 30.0
_LOG_BYTES = 20 * 1024 * 1024

log = logging.getLogger(__name__)


class State(enum.StrEnum):
    WAITING = "waiting"
    MIGRATING = "migrating"
    STARTING = "starting"
    READY = "ready"
    UNREADY = "unready"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"


OnChange = Callable[[str, State], None]


class Watched(ABC):
    """A supervised part of the mesh and its state; `was_ready` is set when the part becomes ready
    for the first time."""

    def __init__(self, part: Part | OutsidePart, on_change: OnChange) -> None:
        self.part = part
        self.state = State.WAITING
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
        """Start the part (or wait until an external one answers) and watch it until it is stopped.

        Raises Failure if the part never becomes ready.
        """

    async def stop(self, *, at_once: bool = False) -> None:
        self._become(State.STOPPED)

    async def _provisioned(self) -> bool:
        """Provision after a start. Errors are raised before the first readiness, later retried."""
        if self.part.provision is None:
            return True
        try:
            await asyncio.wait_for(self.part.provision(), _START_SECONDS)
        except Exception as error:  # any error of a library means: not yet
            raise_if_cancelled()
            if isinstance(error, Failure) and not self.was_ready.is_set():
                raise
            log.warning("%s: provisioning: %r", self.name, error)
            return False
        return True

    def _become(self, state: State) -> None:
        if state is not self.state:
            log.info("%s: %s", self.name, state)
            self.state = state
            self._on_change(self.name, state)
        if state is State.READY:
            self.was_ready.set()


class WatchedOutsidePart(Watched):
    """A part that runs outside the mesh: it is probed and, whenever it becomes available,
    provisioned, but never started or stopped."""

    async def keep(self) -> None:
        self._become(State.STARTING)
        deadline = time.monotonic() + _OUTSIDE_SECONDS
        while True:
            answered = await answers(self.part.probe)
            if not answered and not self.was_ready.is_set() and time.monotonic() > deadline:
                raise Failure(
                    f"{self.name} does not answer at {self.part.address}: is it running?",
                    Exit.PART_FAILED,
                )
            if answered and self.state is not State.READY:
                answered = await self._provisioned()
            if answered:
                self._become(State.READY)
            elif self.was_ready.is_set():
                self._become(State.UNREADY)
            await asyncio.sleep(PROBE_SECONDS if answered else 0.5)


class RunningPart(Watched):
    """A part that runs as a child process."""

    part: Part

    def __init__(self, part: Part, on_change: OnChange, *, pid_folder: Path) -> None:
        super().__init__(part, on_change)
        self._pid_file = pid_folder / f"{part.name}.pid"
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def pss_bytes(self) -> int:
        return tree_pss_bytes(self.pid) if self.pid is not None else 0

    async def keep(self) -> None:
        """Run the part until it is stopped. Raises Failure only if it never became ready."""
        deaths = 0
        while not self._stopping:
            began = time.monotonic()
            await self._run_once()
            if self._stopping:
                return
            deaths = 0 if time.monotonic() - began > _SETTLED_SECONDS else deaths + 1
            if not self.was_ready.is_set() and deaths >= _FIRST_START_TRIES:
                raise self._did_not_start("stopped at once")
            self._become(State.RESTARTING)
            await asyncio.sleep(_PAUSES[min(max(deaths - 1, 0), len(_PAUSES) - 1)])

    def renewed(self, certificates: Collection[str]) -> None:
        """Send the part its `renew_signal` if its certificate is one of these, which were renewed;
        they are given as "kind/name"."""
        if self.pid is not None and self.part.certificate in certificates:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, self.part.renew_signal)

    async def stop(self, *, at_once: bool = False) -> None:
        """Send the part its stop signal, wait up to STOP_SECONDS, then kill its process group. With
        `at_once`, kill the group immediately. Sends no signal if the part does not run."""
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            self._become(State.STOPPING)
            await _end(process, self.part.stop_signal, 0 if at_once else STOP_SECONDS)
        self._pid_file.unlink(missing_ok=True)
        self._become(State.STOPPED)

    async def _run_once(self) -> None:
        self._become(State.STARTING)
        if self.part.prepare is not None and not await self._prepared(self.part.prepare):
            return
        if self._stopping:
            return
        try:
            process = await self._spawn()
        except OSError as error:
            if not self.was_ready.is_set():
                raise
            log.error("%s: cannot be started: %s", self.name, error)
            return
        if self._stopping:  # the stop was requested during the start
            await _end(process, self.part.stop_signal, STOP_SECONDS)
        async with asyncio.TaskGroup() as group:
            attending = group.create_task(self._attend(process))
            code = await process.wait()
            attending.cancel()
        log.info("%s: ended with %s", self.name, code)
        # Processes left in its group would hold its port or its files.
        signal_group(process.pid, signal.SIGKILL)
        self._pid_file.unlink(missing_ok=True)

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
        _turn_log_over(part.log)
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

    async def _attend(self, process: asyncio.subprocess.Process) -> None:
        """Probe until ready, then at intervals; end the process if its probe reports a hang."""
        deadline = time.monotonic() + _START_SECONDS
        while not await self._comes_up():
            if time.monotonic() > deadline:
                if not self.was_ready.is_set():
                    raise self._did_not_start(f"was not ready after {_START_SECONDS:.0f} s")
                await _end(process, self.part.stop_signal, STOP_SECONDS)
                return
            await asyncio.sleep(_IMPATIENT_PROBE_SECONDS)
        self._become(State.READY)
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            verdict = await verdict_of(self.part.probe)
            if verdict is False:
                log.warning("%s: reports that it must be restarted", self.name)
                await _end(process, self.part.stop_signal, STOP_SECONDS)
                return
            if not self._stopping:
                self._become(State.READY if verdict else State.UNREADY)

    async def _comes_up(self) -> bool:
        return await answers(self.part.probe) and await self._provisioned()

    def _did_not_start(self, what: str) -> Failure:
        reason = _last_line(self.part.log)
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


def _turn_log_over(path: Path) -> None:
    if path.exists() and path.stat().st_size > _LOG_BYTES:
        path.rename(path.with_suffix(".log.1"))


def _last_line(path: Path) -> str:
    """The last line that is not empty, which most likely gives the reason of a failure."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 8192))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return "no log"
    return lines[-1].strip()[:300] if lines else "it wrote nothing"
