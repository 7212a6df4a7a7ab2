"""Lets concurrent callers share the answer to one question. The answer is computed after all of
them have asked."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class _Shared(Generic[Answer]):
    """The answer to callers who asked before it was begun, or the error that took its place."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.error: Exception | None = None

    async def take(self, make: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the answer. The first caller computes it; if cancelled, the next caller does."""
        if self.error is not None:
            raise self.error
        if not self.answers:
            try:
                self.answers.append(await make())
            except Exception as error:
                self.error = error
                raise
        return self.answers[0]


class SharedAnswers(Generic[Key, Answer]):
    """Computes answers for concurrent callers, one at a time for each key.

    Callers share an answer only if all of them asked before its computation began. Whoever asks
    later waits for the next computation, so that no answer is older than its question.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()
        self._next: dict[Key, _Shared[Answer]] = {}

    async def of(self, key: Key, make: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return an answer whose computation begins after this call.

        `make` computes an answer. Callers who share an answer share one call of `make`. So callers
        with the same key must pass equivalent functions. Raises whatever `make` raises.
        """
        lock = self._locks.setdefault(key, asyncio.Lock())
        shared = self._next.setdefault(key, _Shared())
        async with lock:
            if self._next.get(key) is shared:
                del self._next[key]
            return await shared.take(make)
