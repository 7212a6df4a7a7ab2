"""What does not end in time is named, and killed."""

from __future__ import annotations

import asyncio
import sys

import pytest
from tartip_cli.failures import Exit, Failure, from_os_error
from tartip_cli.short_processes import finished


async def started(code: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


async def test_the_output_of_what_ends_is_returned() -> None:
    process = await started("print(input())")
    assert await finished(process, "the echo", seconds=60, script=b"said\n") == b"said\n"
    assert process.returncode == 0


async def test_what_does_not_end_is_named_and_killed() -> None:
    process = await started("import signal; signal.pause()")
    with pytest.raises(Failure, match=r"the long one did not end within 0 s: .*start again") as why:
        await finished(process, "the long one", seconds=0.1)
    assert why.value.code is Exit.PART_FAILED
    assert await process.wait() < 0


async def test_what_nobody_waits_for_any_more_is_killed() -> None:
    process = await started("import signal; signal.pause()")
    waiting = asyncio.create_task(finished(process, "the long one", seconds=60))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await process.wait() < 0


def test_a_time_out_of_a_library_says_what_to_do() -> None:
    failure = from_os_error(TimeoutError())
    assert failure.code is Exit.PART_FAILED and "start again" in failure.message
    assert not failure.message.endswith(": ")
    assert from_os_error(OSError()).message == "the data folder: OSError"
