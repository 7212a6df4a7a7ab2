"""Identifies and ends processes, and measures the memory and CPU time of process trees."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tartip_cli.home_identity import folder_key


@dataclass(frozen=True)
class ProcessId:
    """The identity of a process. It consists of the pid and the start time, since pids are used
    again."""

    pid: int
    started: str
    """Clock ticks from boot to the start of the process."""

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The identity of the process with this pid. None if there is no such process or it is a
        zombie."""
        try:  # the name before the state may contain anything
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        except OSError:
            return None
        return None if fields[0] == "Z" else cls(pid, fields[19])

    @classmethod
    def read(cls, path: Path) -> ProcessId | None:
        """Read the identity stored in a pid file.

        None if the file is missing or malformed, or was copied from another folder.
        """
        try:
            pid, started, folder = path.read_text().split()
            return cls(int(pid), started) if folder == folder_key(path.parent) else None
        except (OSError, ValueError):
            return None

    def write(self, path: Path) -> None:
        path.write_text(f"{self.pid} {self.started} {folder_key(path.parent)}\n")

    def alive(self) -> bool:
        return ProcessId.of(self.pid) == self


def signal_group(pid: int, number: int) -> None:
    """Send a signal to the process `pid` and to its process group. Does nothing if the process has
    ended.

    Each part leads a process group of its own, so that its child processes get the signal too.
    """
    for send in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            send(pid, number)


async def end(process: ProcessId, *, first: int, grace_seconds: float) -> None:
    """Send a process the signal `first`, wait up to `grace_seconds`, then kill its process group.

    Does nothing if the process has already ended, even if another process now has its pid.
    """
    if not process.alive():
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process.pid, first)
    deadline = time.monotonic() + grace_seconds
    while process.alive() and time.monotonic() < deadline:  # noqa: ASYNC110 (not our child)
        await asyncio.sleep(0.05)
    signal_group(process.pid, signal.SIGKILL)


def tree_pss_bytes(root: int) -> int:
    """The proportional set size (PSS) in bytes of a process and its descendants together.

    A page that several of these processes share is counted once.
    """
    return sum(_pss_bytes(process) for process in _tree(root))


def pss_bytes(pid: int) -> int:
    """The proportional set size of one process in bytes; 0 if it has ended."""
    with contextlib.suppress(psutil.Error):
        return _pss_bytes(psutil.Process(pid))
    return 0


def cpu_seconds(root: int) -> float:
    """The user and system time of a process tree, in seconds.

    Time of ended children is included if their parent has waited for them.
    """
    spent = 0.0
    for process in _tree(root):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            spent += times.user + times.system + times.children_user + times.children_system
    return spent


def _pss_bytes(process: psutil.Process) -> int:
    """The proportional set size, or the resident size if the kernel hides it (other users)."""
    with contextlib.suppress(psutil.NoSuchProcess):
        try:
            return int(process.memory_full_info().pss)
        except psutil.AccessDenied:
            return int(process.memory_info().rss)
    return 0


def _tree(root: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        first = psutil.Process(root)
        return [first, *first.children(recursive=True)]
    return []
