"""The loops of a process end when it stops, even if one of them loses a cancellation."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from host import runtime


async def test_a_loop_that_lost_its_cancellation_is_cancelled_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runtime, "CANCEL_AGAIN_SECONDS", 0.1)
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    has_answer = asyncio.Event()

    async def ask() -> None:
        await asyncio.wait_for(answer, 60)
        has_answer.set()
        await asyncio.sleep(3600)

    chassis: Any = SimpleNamespace(loops=[("asking", ask)])
    async with asyncio.timeout(30):
        async with runtime._looping(chassis):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            answer.set_result("in the moment of the cancellation")
    assert has_answer.is_set()
