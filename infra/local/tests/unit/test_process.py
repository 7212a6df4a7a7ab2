"""A process is its pid and its start; what has ended holds nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tartip_cli.supervisor.process import (
    ProcessId,
    cpu_seconds,
    end,
    pss_bytes,
    tree_pss_bytes,
)

WITH_A_CHILD = """
import subprocess, sys
code = "import signal; print(1, flush=True); signal.pause()"
child = subprocess.Popen([sys.executable, "-c", code])
print("ready", flush=True)
child.wait()
"""


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_A_CHILD], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    assert {process.stdout.readline().strip() for _ in range(2)} == {b"1", b"ready"}
    yield process
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_a_process_is_found_again_from_its_file(tmp_path: Path) -> None:
    own = ProcessId.of(os.getpid())
    assert own is not None and own.alive()
    own.write(tmp_path / "own.pid")
    assert ProcessId.read(tmp_path / "own.pid") == own


def test_the_same_pid_with_another_start_is_another_process() -> None:
    own = ProcessId.of(os.getpid())
    assert own is not None and not replace(own, started=f"{own.started}0").alive()


def test_a_process_whose_exit_code_nobody_has_read_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert ProcessId.of(process.pid) is None
        assert pss_bytes(process.pid) == 0


def test_memory_and_time_of_a_tree_are_those_of_all_in_it(
    parent: subprocess.Popen[bytes],
) -> None:
    alone = pss_bytes(parent.pid)
    assert 0 < alone < tree_pss_bytes(parent.pid)
    assert cpu_seconds(parent.pid) > 0


def test_what_is_not_there_holds_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    assert (pss_bytes(process.pid), tree_pss_bytes(process.pid), cpu_seconds(process.pid)) == (
        0,
        0,
        0.0,
    )


async def test_an_end_takes_the_children_along(parent: subprocess.Popen[bytes]) -> None:
    process = ProcessId.of(parent.pid)
    assert process is not None
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.to_thread(parent.wait))
        group.create_task(end(process, first=signal.SIGTERM, grace_seconds=10))
    with pytest.raises(ProcessLookupError):
        async with asyncio.timeout(60):  # until the killed child is buried
            while True:
                os.killpg(parent.pid, 0)
                await asyncio.sleep(0.02)


async def test_an_end_does_not_touch_a_stranger_with_the_same_pid(
    parent: subprocess.Popen[bytes],
) -> None:
    process = ProcessId.of(parent.pid)
    assert process is not None
    await end(replace(process, started="1"), first=signal.SIGKILL, grace_seconds=0)
    assert process.alive()
