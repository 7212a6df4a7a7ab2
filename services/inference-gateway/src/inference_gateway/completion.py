"""A decorator for coroutine functions that must complete even if the awaiting task is cancelled."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def run_to_completion(step: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Awaitable[T]]:
    """Decorate a coroutine function so that it completes even if its caller is cancelled. The
    caller gets CancelledError only after the function has ended, so decorate only short functions.
    """

    @wraps(step)
    async def done(*args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.ensure_future(step(*args, **kwargs))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            while not task.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([task])
            raise

    return done
