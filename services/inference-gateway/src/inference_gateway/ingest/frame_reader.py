"""Runs the blocking frame readers of `video` and `rtsp` in threads, for use in the event loop.

A video is read only as fast as its frames are processed. A stream does not wait. Of the frames that
arrive meanwhile, as many of the newest are kept as fit in the given memory, but at least one. Every
dropped frame is counted.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager

from inference_gateway import metrics
from inference_gateway.ingest.rtsp import (
    FIRST_FRAME_SECONDS,
    StreamAway,
    StreamFrames,
    StreamNotDecodable,
)
from inference_gateway.ingest.video import SampledFrame

DELAYS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)


@asynccontextmanager
async def stepped_frames(
    frames: Iterator[SampledFrame],
) -> AsyncIterator[AsyncIterator[SampledFrame]]:
    """Context manager that yields an asynchronous iterator over the frames of a video. The blocking
    iterator `frames` runs in a single thread, which opens, reads and closes the video."""
    thread = ThreadPoolExecutor(1, "film")

    async def steps() -> AsyncIterator[SampledFrame]:
        loop = asyncio.get_running_loop()
        while (frame := await loop.run_in_executor(thread, next, frames, None)) is not None:
            yield frame

    try:
        yield steps()
    finally:
        close = getattr(frames, "close", None)
        if close is not None:
            thread.submit(close)
        thread.shutdown(wait=False)


async def live_frames(stream: StreamFrames, *, room: int) -> AsyncGenerator[SampledFrame, None]:
    """Yield the frames of a stream; reconnect with growing delays when the connection breaks.
    Frames that wait to be read take at most `room` bytes, but the newest is always kept.

    Raises StreamAway or StreamNotDecodable if the first connection yields no frame within ten
    seconds, or if all attempts to reconnect fail. Raises StreamUnauthorized and PictureTooLarge at
    once. A wrong password is never retried, because cameras lock accounts after several attempts.
    """
    by: float | None = asyncio.get_running_loop().time() + FIRST_FRAME_SECONDS
    failures = 0
    while True:
        try:
            async with aclosing(_connection(stream, room=room, first_by=by)) as frames:
                async for frame in frames:
                    failures, by = 0, None
                    yield frame
        except (StreamAway, StreamNotDecodable):
            if by is not None or failures == len(DELAYS_SECONDS):
                raise
        if by is not None or failures == len(DELAYS_SECONDS):
            raise StreamAway
        await asyncio.sleep(DELAYS_SECONDS[failures])
        failures += 1


async def _connection(
    stream: StreamFrames, *, room: int, first_by: float | None
) -> AsyncGenerator[SampledFrame, None]:
    """Yield the frames of one connection; `first_by` is the first frame's deadline on the loop's
    clock, after which StreamNotDecodable or StreamAway is raised.
    """
    async with LiveFrames(stream.connection, room=room).running() as frames:
        try:
            async with asyncio.timeout_at(first_by):
                frame = await anext(frames, None)
        except TimeoutError:
            raise (StreamNotDecodable if stream.answers else StreamAway) from None
        while frame is not None:
            yield frame
            frame = await anext(frames, None)


class LiveFrames:
    """Buffers the latest frames of a live stream: at least the newest, and as many as fit in `room`
    bytes."""

    def __init__(self, open_frames: Callable[[], Iterator[SampledFrame]], *, room: int = 0) -> None:
        self._open_frames = open_frames
        # Bytes of pictures; the oldest make room.
        self._room = room
        self._waiting: deque[SampledFrame] = deque()
        self._bytes = 0
        self._stopped = False
        self._news = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[AsyncIterator[SampledFrame]]:
        """Context manager that yields an asynchronous iterator over the frames. If the stream
        fails, the iterator first yields the frames received before, then raises the error."""
        thread = ThreadPoolExecutor(1, "stream")
        reading = asyncio.get_running_loop().run_in_executor(
            thread, self._read, asyncio.get_running_loop()
        )
        reading.add_done_callback(lambda _: self._news.set())
        try:
            yield self._shots(reading)
        finally:
            self._stopped = True
            thread.shutdown(wait=False)
            reading.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _shots(self, reading: "asyncio.Future[None]") -> AsyncIterator[SampledFrame]:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                yield self._oldest()
            if reading.done():
                reading.result()
                return

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        for frame in self._open_frames():
            if self._stopped:
                return
            loop.call_soon_threadsafe(self._offer, frame)

    def _offer(self, frame: SampledFrame) -> None:
        self._waiting.append(frame)
        self._bytes += frame.picture.nbytes
        while len(self._waiting) > 1 and self._bytes > self._room:
            self._oldest()
            metrics.frames_dropped.add(1, {"reason": "newer_frame"})
        self._news.set()

    def _oldest(self) -> SampledFrame:
        frame = self._waiting.popleft()
        self._bytes -= frame.picture.nbytes
        return frame
