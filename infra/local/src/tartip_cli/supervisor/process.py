"""Processes seen through /proc: who is alive, what a tree of them holds, how to end one.

A pid alone is not an identity, since the kernel gives it out again; pid and start time are.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class ProcessId:
    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        fields = _stat(pid)
        return None if fields is None or fields[0] == "Z" else cls(pid, fields[19])

    @classmethod
    def read(cls, path: Path) -> ProcessId | None:
        """From a pid file; nothing if it is absent or half written."""
        try:
            pid, started = path.read_text().split()
            return cls(int(pid), started)
        except (OSError, ValueError):
            return None

    def write(self, path: Path) -> None:
        path.write_text(f"{self.pid} {self.started}\n")

    def alive(self) -> bool:
        return ProcessId.of(self.pid) == self

    def signal_group(self, number: int) -> None:
        """To the part and its children: each part leads a process group of its own."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, number)


async def end(process: ProcessId, *, first: int, grace_seconds: float) -> None:
    """Ask, wait, then force."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process.pid, first)
    deadline = time.monotonic() + grace_seconds
    while process.alive() and time.monotonic() < deadline:  # noqa: ASYNC110 (not our child)
        await asyncio.sleep(0.05)
    process.signal_group(signal.SIGKILL)


def tree_pss_bytes(root: int) -> int:
    """Proportional set size of a process and all below it: shared pages are counted once.

    Where the kernel does not tell (another user's process), the resident size stands in.
    """
    return sum(pss_bytes(pid) for pid in _tree(root))


def pss_bytes(pid: int) -> int:
    for file, label in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        with contextlib.suppress(OSError):
            for line in (_PROC / str(pid) / file).read_text().splitlines():
                if line.startswith(label):
                    return int(line.split()[1]) * 1024
    return 0


def cpu_seconds(root: int) -> float:
    """Processor time, user's and system's, that a process and all below it have spent.

    What children spent that have ended is in it as far as their parent has waited for them.
    """
    ticks = 0
    for pid in _tree(root):
        fields = _stat(pid)
        ticks += sum(map(int, fields[11:15])) if fields is not None else 0
    return ticks / os.sysconf("SC_CLK_TCK")


def _tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))) is not None:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting.extend(children.get(pid, []))
    return found


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/<pid>/stat from the state on (the name before may hold anything)."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
