"""Places, the queue before them, and turns in the order of arrival."""

import asyncio

import pytest
from chassis.refusals import Overloaded
from inference_gateway.limits import Queues, Turnstile


async def test_who_finds_the_queue_full_is_refused_and_the_patient_wait() -> None:
    turnstile, release, done = Turnstile(places=1, waiting_max=1), asyncio.Event(), list[str]()

    async def come(name: str, *, patient: bool = False) -> None:
        async with turnstile.turn(patient=patient):
            await release.wait()
            done.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(come("inside"))
        group.create_task(come("waiting"))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await come("too many")
        group.create_task(come("patient", patient=True))
        await asyncio.sleep(0)
        release.set()
    assert done == ["inside", "waiting", "patient"]


async def test_who_gives_up_waiting_leaves_the_queue() -> None:
    turnstile = Turnstile(places=1, waiting_max=1)
    async with turnstile.turn():
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01), turnstile.turn():
                    pass
    async with turnstile.turn():
        pass


async def test_a_device_is_served_in_the_order_it_came_and_others_beside_it() -> None:
    queues, log = Queues(), list[str]()

    async def come(key: bytes, name: str, seconds: float) -> None:
        async with queues.of(key):
            await asyncio.sleep(seconds)
            log.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(come(b"a", "a1", 0.02))
        group.create_task(come(b"a", "a2", 0.0))
        group.create_task(come(b"b", "b1", 0.0))
    assert log == ["b1", "a1", "a2"]
