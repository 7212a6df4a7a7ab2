"""Parts that stand still for a while, as on a host that is starved or a disk that hangs."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import psutil

from tartip_testing.mesh import RunningTestMesh


@contextlib.contextmanager
def standing_still(mesh: RunningTestMesh, part: str) -> Iterator[None]:
    """Stop all processes of a part (SIGSTOP) while the block runs; the supervisor may restart it.

    Some of them, like PostgreSQL's, are in process groups of their own.
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
