"""A child that is stopped, silent or slow to start is started anew; one that waits is not."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tartip_cli.parts.health import READY, Health, broken, degraded, unready
from tartip_cli.parts.part import Part
from tartip_cli.supervisor import children
from tartip_cli.supervisor.children import RunningPart, State

from .small_children import Journal, child, until

# It answers whoever connects; a stopped one leaves them without an answer.
ANSWERS = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
open(journal + ".port", "w").write(str(listener.getsockname()[1]))
note("listens")
while True:
    connection, _ = listener.accept()
    connection.sendall(b"here")
    connection.close()
"""


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(children, "AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(children, "HUNG_STOP_SECONDS", 0.3)


@asynccontextmanager
async def kept(part: Part, folder: Path) -> AsyncIterator[RunningPart]:
    """The part as its supervisor runs it; ended at the end of the block."""
    kept_part = RunningPart(part, lambda *_: None, pid_folder=folder)
    keeping = asyncio.create_task(kept_part.keep())
    try:
        yield kept_part
    finally:
        await kept_part.stop(at_once=True)
        await asyncio.wait_for(keeping, 20)


def asking(journal: Journal) -> Part:
    async def probe() -> Health:
        port = int(journal.path.with_name("journal.port").read_text())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            assert await asyncio.wait_for(reader.read(4), 0.3) == b"here"
        finally:
            writer.close()
        return READY

    return replace(child(journal, ANSWERS, probe=probe), hung_after_probes=3)


async def test_a_stopped_child_is_killed_and_started_anew_and_its_restart_is_counted(
    tmp_path: Path, journal: Journal
) -> None:
    async with kept(asking(journal), tmp_path) as part:
        await until(lambda: part.state is State.READY)
        first = part.pid
        assert first is not None and (part.restarts, part.restart_reason) == (0, None)
        os.kill(first, signal.SIGSTOP)
        await until(lambda: part.state is State.UNREADY)
        assert part.reasons == ("no answer in time",)
        await until(lambda: part.state is State.READY and part.pid != first)
        assert part.restarts == 1 and not part.reasons
        assert part.restart_reason is not None
        assert part.restart_reason.startswith("it is hung: no answer to 3 probes in a row")


async def test_a_child_that_waits_for_something_is_shown_and_left_alone(
    tmp_path: Path, journal: Journal
) -> None:
    found, asked = [READY], 0

    async def probe() -> Health:
        nonlocal asked
        asked += 1
        return found[-1]

    part = child(journal, ANSWERS, probe=probe)
    async with kept(part, tmp_path) as kept_part:
        for health in (unready("the database is away"), degraded("the broker is away"), READY):
            await until(lambda: kept_part.state.serves)
            found.append(health)
            before = asked
            await until(lambda: asked > before + 2 * part.hung_after_probes)  # noqa: B023
            assert kept_part.reasons == health.reasons
            assert kept_part.state.value == health.condition.value
            found.append(READY)
        assert kept_part.restarts == 0 and len(journal.lines("child", "started")) == 1


async def test_a_child_that_says_that_it_is_broken_is_started_anew(
    tmp_path: Path, journal: Journal
) -> None:
    async def probe() -> Health:
        first = len(journal.lines("child", "started")) == 1
        return broken("it refuses all writes") if first and failing else READY

    failing: list[bool] = []
    async with kept(child(journal, ANSWERS, probe=probe), tmp_path) as part:
        await until(lambda: part.state is State.READY and journal.said("child", "listens")())
        failing.append(True)
        await until(lambda: part.state is State.READY and part.restarts == 1)
        assert part.restart_reason == "it is broken: it refuses all writes"


async def test_a_start_that_takes_too_long_is_begun_again_with_more_time(
    tmp_path: Path, journal: Journal
) -> None:
    """The third start may take four times as long as the first."""

    async def probe() -> Health:
        starts = journal.lines("child", "started")
        assert len(starts) == 3, "not yet"
        return READY

    part = replace(child(journal, ANSWERS, probe=probe), start_seconds=0.5)
    async with kept(part, tmp_path) as kept_part:
        await until(lambda: kept_part.state is State.READY)
        assert kept_part.restart_reason == "was not ready after 1 s; AssertionError: not yet"
        assert kept_part.restarts == 2
