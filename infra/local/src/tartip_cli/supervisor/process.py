"""Processes: who is alive, what a tree of them holds and has spent, how to end one.

A pid alone is not an identity, since the kernel gives it out again; pid and start time are. The
start time is the kernel's own count since boot and not psutil's moment of the calendar: a clock
that is set while the mesh runs must not make its parts strangers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class ProcessId:
    pid: int
    started: str
    """Clock ticks from boot to the start of the process."""

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The process with this pid now; None if there is none, or only its exit code is left."""
        try:  # the name, which comes before the state, may hold anything
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        except OSError:
            return None
        return None if fields[0] == "Z" else cls(pid, fields[19])

    @classmethod
    def read(cls, path: Path) -> ProcessId | None:
        """From a pid file; None if it is absent or half written."""
        try:
            pid, started = path.read_text().split()
            return cls(int(pid), started)
        except (OSError, ValueError):
            return None

    def write(self, path: Path) -> None:
        path.write_text(f"{self.pid} {self.started}\n")

    def alive(self) -> bool:
        return ProcessId.of(self.pid) == self


def signal_group(pid: int, number: int) -> None:
    """To a part and its children: each part leads a process group of its own."""
    for send in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            send(pid, number)


async def end(process: ProcessId, *, first: int, grace_seconds: float) -> None:
    """Signal, wait, then kill. A process with the same pid and another start is left alone."""
    if not process.alive():
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process.pid, first)
    deadline = time.monotonic() + grace_seconds
    while process.alive() and time.monotonic() < deadline:  # noqa: ASYNC110 (not our child)
        await asyncio.sleep(0.05)
    signal_group(process.pid, signal.SIGKILL)


def tree_pss_bytes(root: int) -> int:
    """Proportional set size of a process and all below it: shared pages are counted once."""
    return sum(_pss_bytes(process) for process in _tree(root))


def pss_bytes(pid: int) -> int:
    """Of one process; 0 if it has ended."""
    with contextlib.suppress(psutil.Error):
        return _pss_bytes(psutil.Process(pid))
    return 0


def cpu_seconds(root: int) -> float:
    """Processor time, user's and system's, that a process and all below it have spent.

    What children spent that have ended is in it as far as their parent has waited for them.
    """
    spent = 0.0
    for process in _tree(root):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            spent += times.user + times.system + times.children_user + times.children_system
    return spent


def _pss_bytes(process: psutil.Process) -> int:
    """Where the kernel does not say (another user's process), the resident size stands in."""
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
