"""Lets only one supervisor run in a data folder. Cleans up after a supervisor that was killed."""

from __future__ import annotations

import asyncio
import datetime as dt
import fcntl
import json
import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

from tartip_cli.data_dir import DataDir, write_private
from tartip_cli.failures import Exit, Failure
from tartip_cli.supervisor.process import ProcessId, end

_ORPHAN_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class RunningMesh:
    """The mesh that runs from a data folder: its supervisor's pid, its ports and its clock
    offset."""

    pid: int
    port_base: int
    gateway_port: int
    clock_offset_seconds: float = 0.0

    def share_clock(self) -> None:
        """Move the clock of this process by the mesh's offset. The process then has the services'
        time."""
        from chassis.clock import move_clock

        move_clock(dt.timedelta(seconds=self.clock_offset_seconds))


class Lock:
    """The lock of a data folder. The supervisor holds it as long as the supervisor runs.

    It is a file lock, which the kernel releases when the process ends.
    """

    def __init__(self, home: DataDir) -> None:
        self._home = home
        self._descriptor: int | None = None

    def take(self) -> None:
        descriptor = os.open(self._home.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            mesh = running_mesh(self._home)
            who = f" (pid {mesh.pid})" if mesh else ""
            raise Failure(
                f"the mesh of {self._home.path} already runs{who}: use it, stop it with "
                "`tartip down`, or set TARTIP_HOME and TARTIP_PORT_BASE for a second one",
                Exit.ALREADY_RUNNING,
            ) from None
        # It describes a mesh that was killed, or that of the folder that this one was copied from.
        _description(self._home).unlink(missing_ok=True)
        self._descriptor = descriptor

    def describe(self, mesh: RunningMesh) -> None:
        write_private(_description(self._home), json.dumps(asdict(mesh)).encode())

    def release(self) -> None:
        _description(self._home).unlink(missing_ok=True)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_locked(home: DataDir) -> bool:
    try:
        descriptor = os.open(home.lock, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def running_mesh(home: DataDir) -> RunningMesh | None:
    """Return the mesh that runs from this data folder. None if no mesh runs, or if its description
    cannot be read."""
    if not is_locked(home):
        return None
    try:
        return RunningMesh(**json.loads(_description(home).read_text()))
    except (OSError, ValueError, TypeError):
        return None


async def end_orphans(home: DataDir) -> None:
    """End the processes of parts that a killed supervisor left behind, and delete their pid files.
    The caller must hold the lock of the folder."""
    left = [(path, ProcessId.read(path)) for path in home.run.glob("*.pid")]
    async with asyncio.TaskGroup() as group:
        for path, process in left:
            if process is not None and process.alive():
                first = signal.SIGINT if path.stem == "postgres" else signal.SIGTERM
                group.create_task(end(process, first=first, grace_seconds=_ORPHAN_SECONDS))
    for path, _ in left:
        path.unlink(missing_ok=True)


def _description(home: DataDir) -> Path:
    return home.run / "mesh.json"
