"""One child at run time: it crashes, hangs, is killed, will not go; and comes back or is ended."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tartip_cli.failures import Failure
from tartip_cli.parts.health import READY, Health
from tartip_cli.parts.part import Part
from tartip_cli.supervisor import children
from tartip_cli.supervisor.children import RunningPart, State
from tartip_cli.supervisor.process import ProcessId

from .small_children import DEAF, PAUSE, Journal, child, until

CRASHES_LATER = f"if lives() > 1: sys.exit('crashed')\n{PAUSE}"
WITH_A_GRANDCHILD = f"""
left = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
open(journal + ".left", "w").write(str(left.pid))
note("listens")
{PAUSE}
"""


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


@asynccontextmanager
async def kept(part: Part, folder: Path) -> AsyncIterator[RunningPart]:
    """The part as its supervisor runs it; ended at the end of the block."""
    running = RunningPart(part, lambda *_: None, pid_folder=folder)
    keeping = asyncio.create_task(running.keep())
    try:
        yield running
    finally:
        await running.stop(at_once=True)
        await asyncio.wait_for(keeping, 20)


def dead(pid: int) -> Callable[[], bool]:
    return lambda: ProcessId.of(pid) is None


async def test_a_child_that_crashes_is_started_again_after_growing_pauses(
    tmp_path: Path, journal: Journal
) -> None:
    async with kept(child(journal, CRASHES_LATER), tmp_path) as running:
        await until(lambda: running.state is State.READY and journal.said("child", "started")())
        assert running.pid is not None
        os.kill(running.pid, signal.SIGKILL)
        await until(lambda: len(journal.lines("child", "started")) >= 4)
    starts = journal.lines("child", "started")[1:4]  # the first life was a long one
    assert all(
        later - earlier >= pause
        for (earlier, later), pause in zip(itertools.pairwise(starts), (0.5, 1.0), strict=True)
    )


async def test_a_child_that_never_comes_up_ends_the_run_with_its_own_last_words(
    tmp_path: Path, journal: Journal
) -> None:
    part = child(journal, "sys.exit('no luck today')", probe=unanswered)
    with pytest.raises(Failure, match=r"child stopped at once: no luck today"):
        await RunningPart(part, lambda *_: None, pid_folder=tmp_path).keep()
    assert len(journal.lines("child", "started")) == 3


async def unanswered() -> Health:
    raise ConnectionError("nobody listens")


async def test_a_child_that_hangs_before_it_was_ever_ready_ends_the_run(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "START_SECONDS", 0.3)
    running = RunningPart(
        child(journal, PAUSE, probe=unanswered), lambda *_: None, pid_folder=tmp_path
    )
    with pytest.RaisesGroup(
        pytest.RaisesExc(Failure, match="was not ready after"), flatten_subgroups=True
    ):
        async with asyncio.TaskGroup() as group:
            group.create_task(running.keep())
            await until(lambda: running.pid is not None)
    await running.stop(at_once=True)
    assert running.pid is None


async def test_a_child_that_does_not_answer_for_a_while_is_unready_and_left_alone(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "PROBE_SECONDS", 0.05)
    silent: list[bool] = []

    async def sometimes() -> Health:
        if silent:
            raise ConnectionError("not now")
        return READY

    async with kept(child(journal, PAUSE, probe=sometimes), tmp_path) as running:
        await until(lambda: running.state is State.READY)
        first = running.pid
        silent.append(True)
        await until(lambda: running.state is State.UNREADY)
        assert running.reasons == ("ConnectionError: not now",)
        silent.clear()
        await until(lambda: running.state is State.READY)
        assert running.pid == first and not running.reasons


async def test_a_child_that_will_not_go_is_killed_and_counts_as_stopped(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "STOP_SECONDS", 0.3)
    async with kept(child(journal, DEAF), tmp_path) as running:
        await until(lambda: running.state is State.READY and journal.said("child", "listens")())
        pid = running.pid
        assert pid is not None and (tmp_path / "child.pid").exists()
        await asyncio.wait_for(running.stop(), 20)
        assert dead(pid)() and running.state is State.STOPPED
        assert not (tmp_path / "child.pid").exists()


async def test_what_a_killed_child_left_in_its_group_is_ended_before_it_starts_again(
    tmp_path: Path, journal: Journal
) -> None:
    """It would hold the port or the files of the next life."""
    async with kept(child(journal, WITH_A_GRANDCHILD), tmp_path) as running:
        await until(lambda: running.state is State.READY and journal.said("child", "listens")())
        left = int(journal.path.with_name("journal.left").read_text())
        assert running.pid is not None and not dead(left)()
        os.kill(running.pid, signal.SIGKILL)
        await until(dead(left))
        await until(lambda: len(journal.lines("child", "listens")) == 2)


async def test_a_child_stopped_in_its_pause_is_not_started_again(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "_PAUSES", (0.5,))
    async with kept(child(journal, PAUSE), tmp_path) as running:
        await until(lambda: running.state is State.READY and journal.said("child", "started")())
        assert running.pid is not None
        os.kill(running.pid, signal.SIGKILL)
        await until(lambda: running.state is State.RESTARTING)
        await running.stop()
    assert len(journal.lines("child", "started")) == 1
    assert running.state is State.STOPPED


async def test_a_pid_file_names_the_living_child_and_its_start(
    tmp_path: Path, journal: Journal
) -> None:
    async with kept(child(journal, PAUSE), tmp_path) as running:
        await until(lambda: running.state is State.READY)
        assert running.pid is not None
        assert ProcessId.read(tmp_path / "child.pid") == ProcessId.of(running.pid)
