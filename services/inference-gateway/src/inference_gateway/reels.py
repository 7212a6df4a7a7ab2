"""Steps the blocking samplers of `films` from the event loop, one thread for each.

A film is stepped only as fast as it is looked at. A stream does not wait: the newest frame is kept,
and every one that nobody had time for is counted.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from inference_gateway import measures
from inference_gateway.films import Shot


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


class Live:
    """The newest shot of a stream that runs on by itself."""

    def __init__(self, open_shots: Callable[[], Iterator[Shot]]) -> None:
        self._open_shots = open_shots
        self._newest: Shot | None = None
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
            shot, self._newest = self._newest, None
            if shot is not None:
                yield shot
            if reading.done() and self._newest is None:
                reading.result()
                return

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        for shot in self._open_shots():
            if self._stopped:
                return
            loop.call_soon_threadsafe(self._offer, shot)

    def _offer(self, shot: Shot) -> None:
        if self._newest is not None:
            measures.frames_dropped.add(1, {"reason": "newer_frame"})
        self._newest = shot
        self._news.set()
