"""Steps the blocking samplers of `films` and `rtsp` from the event loop, one thread for each.

A film is stepped only as fast as it is looked at. A stream does not wait: the newest frame is kept,
or what there is room for, and every one that nobody had time for is counted.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager

from inference_gateway import measures
from inference_gateway.films import Shot
from inference_gateway.rtsp import (
    FIRST_SHOT_SECONDS,
    StreamAway,
    StreamNotDecodable,
    StreamShots,
)

DELAYS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)


@asynccontextmanager
async def stepped(shots: Iterator[Shot]) -> AsyncIterator[AsyncIterator[Shot]]:
    """Every shot in turn. What the thread opened, the same thread closes."""
    thread = ThreadPoolExecutor(1, "film")

    async def steps() -> AsyncIterator[Shot]:
        loop = asyncio.get_running_loop()
        while (shot := await loop.run_in_executor(thread, next, shots, None)) is not None:
            yield shot

    try:
        yield steps()
    finally:
        close = getattr(shots, "close", None)
        if close is not None:
            thread.submit(close)
        thread.shutdown(wait=False)


async def live_shots(stream: StreamShots, *, room: int) -> AsyncGenerator[Shot, None]:
    """The shots of a stream, which is opened again with growing delays when it breaks.

    What keeps it from being watched at all is raised within ten seconds, what keeps it from coming
    back after the last delay. A wrong password is never tried again: cameras lock their accounts.
    """
    by: float | None = asyncio.get_running_loop().time() + FIRST_SHOT_SECONDS
    failures = 0
    while True:
        try:
            async with aclosing(_connection(stream, room=room, first_by=by)) as shots:
                async for shot in shots:
                    failures, by = 0, None
                    yield shot
        except (StreamAway, StreamNotDecodable):
            if by is not None or failures == len(DELAYS_SECONDS):
                raise
        if by is not None or failures == len(DELAYS_SECONDS):
            raise StreamAway
        await asyncio.sleep(DELAYS_SECONDS[failures])
        failures += 1


async def _connection(
    stream: StreamShots, *, room: int, first_by: float | None
) -> AsyncGenerator[Shot, None]:
    """Of one connection; its first must come by a moment of the loop's clock."""
    async with Live(stream.connection, room=room).running() as shots:
        try:
            async with asyncio.timeout_at(first_by):
                shot = await anext(shots, None)
        except TimeoutError:
            raise (StreamNotDecodable if stream.answers else StreamAway) from None
        while shot is not None:
            yield shot
            shot = await anext(shots, None)


class Live:
    """The shots of a stream that runs on by itself: the newest, or as many as there is room for."""

    def __init__(self, open_shots: Callable[[], Iterator[Shot]], *, room: int = 0) -> None:
        self._open_shots = open_shots
        # Bytes of pictures; the oldest make room.
        self._room = room
        self._waiting: deque[Shot] = deque()
        self._bytes = 0
        self._stopped = False
        self._news = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[AsyncIterator[Shot]]:
        """Raises what the stream raised, once what came before it was taken."""
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

    async def _shots(self, reading: "asyncio.Future[None]") -> AsyncIterator[Shot]:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                yield self._oldest()
            if reading.done():
                reading.result()
                return

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        for shot in self._open_shots():
            if self._stopped:
                return
            loop.call_soon_threadsafe(self._offer, shot)

    def _offer(self, shot: Shot) -> None:
        self._waiting.append(shot)
        self._bytes += shot.picture.nbytes
        while len(self._waiting) > 1 and self._bytes > self._room:
            self._oldest()
            measures.frames_dropped.add(1, {"reason": "newer_frame"})
        self._news.set()

    def _oldest(self) -> Shot:
        shot = self._waiting.popleft()
        self._bytes -= shot.picture.nbytes
        return shot
