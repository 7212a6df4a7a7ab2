"""What ends one part, or cannot be done for a while, must not end the others."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tartip_cli.failures import Failure
from tartip_cli.parts.health import READY, Health, silent
from tartip_cli.parts.part import Part
from tartip_cli.supervisor.children import RunningPart, State
from tartip_cli.supervisor.health import health_by


async def test_a_probe_that_answers_a_cancellation_with_an_error_ends_all_the_same() -> None:
    begun = asyncio.Event()

    async def probe() -> Health:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ConnectionError("closed in the middle of it") from None
        return READY

    asking = asyncio.create_task(health_by(probe))
    await begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_probe_that_fails_says_nothing_and_one_that_refuses_is_heard() -> None:
    async def fails() -> Health:
        raise ConnectionError("not there")

    async def refuses() -> Health:
        raise Failure("never will be")

    assert await health_by(fails) == silent("ConnectionError: not there")
    with pytest.raises(Failure):
        await health_by(refuses)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("step", ["prepare", "provision"])
@pytest.mark.parametrize("error", [Failure("read-only"), OSError(28, "No space left on device")])
async def test_what_cannot_be_done_after_a_good_start_is_tried_again(
    tmp_path: Path, step: str, error: Exception
) -> None:
    failing, tried = False, 0

    async def maybe() -> None:
        nonlocal tried
        tried += 1
        if failing:
            raise error

    async def answers() -> Health:
        return READY

    steps: dict[str, Any] = {step: maybe}
    part = Part(
        name="sleeper",
        address="",
        command=(sys.executable, "-c", "import time; time.sleep(60)"),
        log=tmp_path / "log",
        probe=answers,
        **steps,
    )
    running = RunningPart(part, lambda *_: None, pid_folder=tmp_path)
    keeping = asyncio.create_task(running.keep())
    await until(lambda: running.state is State.READY)
    first, failing = running.pid, True
    assert first is not None
    os.kill(first, signal.SIGKILL)
    before = tried
    await until(lambda: tried >= before + 2 or keeping.done())
    assert not keeping.done(), keeping.exception()
    failing = False
    await until(lambda: running.state is State.READY and running.pid != first)
    await running.stop(at_once=True)
    await keeping


async def test_what_is_refused_at_first_ends_the_run(tmp_path: Path) -> None:
    async def refuses() -> None:
        raise Failure("no rights")

    async def answers() -> Health:
        return READY

    part = Part(
        name="sleeper",
        address="",
        command=("sleep", "60"),
        log=tmp_path / "log",
        probe=answers,
        prepare=refuses,
    )
    with pytest.raises(Failure, match="no rights"):
        await RunningPart(part, lambda *_: None, pid_folder=tmp_path).keep()
