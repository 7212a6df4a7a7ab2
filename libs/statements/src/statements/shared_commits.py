"""Lets concurrent calls under the same scope share a commit.

A scope says who acts, and which rows row-level security lets the caller see. The rows of the first
call are written without delay. Calls that arrive during that write are collected and written
together next. Each call waits until its own rows are committed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from statements.writes import Shape, Writes

TOGETHER_MAX = 64
S = TypeVar("S", bound=Hashable)  # a scope
# Writes all or none; returns the positions of those whose condition was met.
Write = Callable[[S, Sequence[Writes]], Awaitable[set[int]]]
_Call = tuple[Writes, "asyncio.Future[bool]"]


class SharedCommits(Generic[S]):
    """Collects the concurrent writes of one process and has them committed together.

    Waiting writes of the same scope and shape (tables and columns) are written together.
    """

    def __init__(self, write: Write[S], *, concerns_all: Callable[[BaseException], bool]) -> None:
        self._write = write
        # Whether an error concerns all writes of a batch, such as an unreachable database.
        self._concerns_all = concerns_all
        # A key stands here as long as a task writes for it.
        self._waiting: dict[tuple[S, Shape], list[_Call]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def write(self, scope: S, writes: Writes) -> bool:
        """Write rows under a scope and wait for the commit.

        Returns True if the rows were written, False if the request id was used before or the row to
        replace has changed meanwhile. Raises what the `Write` function raises. If the caller is
        cancelled, the rows may still be written.
        """
        call: _Call = (writes, asyncio.get_running_loop().create_future())
        key = (scope, writes.shape)
        if key in self._waiting:
            self._waiting[key].append(call)
        else:
            self._waiting[key] = [call]
            task = asyncio.create_task(self._write_all(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await call[1]

    async def _write_all(self, key: tuple[S, Shape]) -> None:
        """Write for a key, in batches, until nobody waits."""
        try:
            while calls := self._waiting[key]:
                batch, self._waiting[key] = _next_batch(calls)
                await self._write_batch(key[0], batch)
        finally:
            for _, done in self._waiting.pop(key):
                done.cancel()

    async def _write_batch(self, scope: S, batch: list[_Call]) -> None:
        """Write together; after an error of one of several, write each on its own."""
        try:
            new = await self._write(scope, [writes for writes, _ in batch])
        except Exception as error:
            if len(batch) > 1 and not self._concerns_all(error):
                for call in batch:
                    await self._write_batch(scope, [call])
                return
            for _, done in batch:
                if not done.done():
                    done.set_exception(error)
            return
        except asyncio.CancelledError:  # the process stops
            for _, done in batch:
                done.cancel()
            raise
        for position, (_, done) in enumerate(batch):
            if not done.done():
                done.set_result(position in new)


def _next_batch(calls: list[_Call]) -> tuple[list[_Call], list[_Call]]:
    """The next calls to write together, and the rest. Of several calls with the same request id, or
    for the same row, the later ones wait for the first."""
    batch: list[_Call] = []
    rest: list[_Call] = []
    used = set()
    for call in calls:
        name = call[0].condition or object()
        full = len(batch) >= TOGETHER_MAX
        (rest if full or name in used else batch).append(call)
        used.add(name)
    return batch, rest
