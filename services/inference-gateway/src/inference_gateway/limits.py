"""How much is done at once: a few places, a bounded queue before them, and turns in order.

A picture that is being looked at holds up to 150 MB decoded, so the places are few; who finds the
queue full is refused by name and may come again with the same id.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from chassis.refusals import Overloaded


class Turnstile:
    def __init__(self, *, places: int, waiting_max: int) -> None:
        self._places = asyncio.Semaphore(places)
        self._waiting_max = waiting_max
        self._waiting = 0

    @asynccontextmanager
    async def turn(self, *, patient: bool = False) -> AsyncIterator[None]:
        """A place for the block. Raises Overloaded when the queue is full; `patient` waits."""
        if self._places.locked() and self._waiting >= self._waiting_max and not patient:
            raise Overloaded
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()


class Queues:
    """One at a time for each key, in the order of arrival."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, key: bytes) -> AsyncIterator[None]:
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            yield
