"""Ending a part must not be held up by what it was asked at that moment."""

import asyncio

import pytest
from tartip_cli.failures import Failure
from tartip_cli.running import verdict_of


async def test_a_probe_that_answers_a_cancellation_with_an_error_ends_all_the_same() -> None:
    begun = asyncio.Event()

    async def probe() -> bool:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ConnectionError("closed in the middle of it") from None
        return True

    asking = asyncio.create_task(verdict_of(probe))
    await begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_probe_that_fails_says_nothing_and_one_that_refuses_is_heard() -> None:
    async def fails() -> bool:
        raise ConnectionError("not there")

    async def refuses() -> bool:
        raise Failure("never will be")

    assert await verdict_of(fails) is None
    with pytest.raises(Failure):
        await verdict_of(refuses)
