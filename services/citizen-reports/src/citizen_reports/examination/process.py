"""Starts a child process for each file, sends the file, and reads the verdict and the clean form.

The service holds a few pieces of a file in memory at a time, never the whole file.
"""

import asyncio
import contextlib
import json
import logging
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from vision.boxes import Box

from citizen_reports.examination.child import BLUR, READY
from citizen_reports.examination.verdict import LINE_MAX, Verdict, read_verdict
from citizen_reports.model.findings import Reason
from citizen_reports.usecases.uploads import Examined

AT_ONCE: Final = 2
# The limit from the start of a child process to its verdict, and again for reading the clean form.
WALL_SECONDS: Final = 60.0
OUTPUT_PIECE: Final = 512 * 1024
_COMMAND: Final = (sys.executable, "-I", "-m", "citizen_reports.examination.child")
log = logging.getLogger(__name__)


class ExaminationFailed(RuntimeError):
    """A child process failed before it could read a file, or before its clean form was read."""


class Examiner:
    """Examines and blurs files, each in a child process; at most `at_once` of them at a time."""

    def __init__(self, *, at_once: int = AT_ONCE) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._has_warned = False

    @asynccontextmanager
    async def examine(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[Examined]:
        """Examine a complete file; `pieces` yields its bytes. The clean form can be read within the
        context. A file that ends the child process or takes too long has the reason BEYOND_LIMITS.

        Raises ExaminationFailed if the child process ends before it is ready to read the file.
        """
        async with self._ran(pieces) as examined:
            yield examined

    @asynccontextmanager
    async def blur(
        self, pieces: AsyncIterator[bytes], boxes: Sequence[Box] | None
    ) -> AsyncIterator[Examined]:
        """Blur the `boxes` (in pixels) of a photograph, or all of it if they are None. `pieces`
        yields its bytes. The blurred form is in `Examined.clean`. Otherwise as `examine`."""
        async with self._ran(_with_boxes(boxes, pieces), BLUR) as examined:
            yield examined

    @asynccontextmanager
    async def _ran(self, pieces: AsyncIterator[bytes], *task: str) -> AsyncIterator[Examined]:
        async with self._slots:
            process = await _started(*task)
            try:
                yield await self._examined(process, pieces)
            finally:
                await _end(process)

    async def _examined(
        self, process: asyncio.subprocess.Process, pieces: AsyncIterator[bytes]
    ) -> Examined:
        verdict = _BEYOND_LIMITS
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WALL_SECONDS):
                verdict = await self._verdict(process, pieces)
        return Examined(verdict.finding, verdict.reason, _clean_pieces(process, verdict))

    async def _verdict(
        self, process: asyncio.subprocess.Process, pieces: AsyncIterator[bytes]
    ) -> Verdict:
        assert process.stdin is not None and process.stdout is not None
        if await process.stdout.readline() != READY:
            raise ExaminationFailed(f"exit code {await process.wait()}")
        with contextlib.suppress(ConnectionError):  # the process ended; its verdict may say why
            async for piece in pieces:
                process.stdin.write(piece)
                await process.stdin.drain()
            process.stdin.close()
        try:
            line = await process.stdout.readline()  # ValueError for more than OUTPUT_PIECE bytes
            if not line.endswith(b"\n") or len(line) > LINE_MAX:
                return _BEYOND_LIMITS  # the file ended the process
            verdict = await _with_first_frame(process.stdout, read_verdict(line))
        except (ValueError, asyncio.IncompleteReadError):
            return _BEYOND_LIMITS
        self._warn(verdict)
        return verdict

    def _warn(self, verdict: Verdict) -> None:
        if not verdict.is_confined and not self._has_warned:
            self._has_warned = True
            log.warning("the kernel refuses a network namespace or Landlock to decoders of files")


_BEYOND_LIMITS = Verdict(None, Reason.BEYOND_LIMITS)


async def _started(*task: str) -> asyncio.subprocess.Process:
    """Start the child process. Raises ExaminationFailed if the machine has no room for it."""
    try:
        return await asyncio.create_subprocess_exec(
            *_COMMAND,
            *task,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,
            limit=OUTPUT_PIECE,
        )
    except OSError as error:
        raise ExaminationFailed(type(error).__name__) from error


async def _with_first_frame(out: asyncio.StreamReader, verdict: Verdict) -> Verdict:
    """Read the first frame of a film, which follows the verdict; return the verdict with it."""
    if verdict.finding is None or not verdict.frame_bytes:
        return verdict
    first_frame = await out.readexactly(verdict.frame_bytes)
    return replace(verdict, finding=replace(verdict.finding, first_frame=first_frame))


async def _with_boxes(
    boxes: Sequence[Box] | None, pieces: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    told = None if boxes is None else [[box.x, box.y, box.width, box.height] for box in boxes]
    yield json.dumps(told).encode() + b"\n"
    async for piece in pieces:
        yield piece


async def _clean_pieces(
    process: asyncio.subprocess.Process, verdict: Verdict
) -> AsyncIterator[bytes]:
    """Yield the clean form. Raises ExaminationFailed if it ends early or takes too long."""
    assert process.stdout is not None
    left, seconds = verdict.clean_bytes, float(WALL_SECONDS)
    while left:
        began = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                piece = await process.stdout.readexactly(min(left, OUTPUT_PIECE))
        except (TimeoutError, asyncio.IncompleteReadError) as error:
            raise ExaminationFailed("the clean form ended early") from error
        # Not the time that whoever takes the piece needs for it.
        seconds -= time.monotonic() - began
        left -= len(piece)
        yield piece


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill a process and wait until it has ended."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
