"""Pauses parts of a mesh for a while, as on an overloaded host or with a hanging disk."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import psutil

from tartip_testing.mesh import RunningTestMesh


@contextlib.contextmanager
def standing_still(mesh: RunningTestMesh, part: str) -> Iterator[None]:
    """Pause all processes of a part with SIGSTOP during the block, then continue them (SIGCONT).

    The supervisor may restart the part meanwhile. Child processes with process groups of their own,
    such as PostgreSQL's, are paused too.
    """
    pid = mesh.pid(part)
    assert pid is not None, f"{part} does not run"
    first = psutil.Process(pid)
    pids = [pid, *(child.pid for child in first.children(recursive=True))]
    _signal(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(pids, signal.SIGCONT)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
