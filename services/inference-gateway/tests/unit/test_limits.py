"""Places, the line before them, who is called first and who is dropped; turns in order."""

import asyncio
import contextlib
import selectors
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from chassis.clock import system_clock
from chassis.db import Database
from chassis.refusals import Overloaded
from hypothesis import given, settings
from hypothesis import strategies as st
from inference_gateway.admission import (
    INFERENCES_AT_ONCE,
    PATIENCE_SECONDS,
    AdmissionQueue,
    Dropped,
    InferencePool,
    KeyedLocks,
    Shed,
    Urgency,
    Waiter,
    WaitQueue,
)
from inference_gateway.probes.model import load as probe_pictures
from inference_gateway.probes.rounds import Prober, Times
from inference_gateway.triton import ModelsAway
from vault.keyring import Keyring
from vision.faces.detector import FaceDetector

LOW, NORMAL, URGENT = Urgency.LOW, Urgency.NORMAL, Urgency.URGENT


class SteppingLoop(asyncio.SelectorEventLoop):
    """Waits for timers alone, by setting its clock: the same order every time."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Stepping(self))

    def time(self) -> float:
        return self._now

    def step(self, seconds: float) -> None:
        self._now += seconds


class _Stepping(selectors.SelectSelector):
    def __init__(self, loop: SteppingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        self._loop.step(timeout or 0.0)
        return super().select(0)


async def test_who_finds_the_line_full_of_earlier_ones_is_served_and_the_patient_wait() -> None:
    queue, release, done = AdmissionQueue(places=1, waiting_max=1), asyncio.Event(), list[str]()

    async def come(name: str, *, patient: bool = False) -> None:
        async with queue.slot(patient=patient):
            await release.wait()
            done.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(come("inside"))
        waiting = group.create_task(_shed(queue))
        await asyncio.sleep(0)
        group.create_task(come("newer"))
        group.create_task(come("patient", patient=True))
        await asyncio.sleep(0)
        release.set()
    assert waiting.result() is Dropped.SHED
    assert done == ["inside", "newer", "patient"]
    assert (queue.offered, queue.done, queue.dropped.total()) == (4, 3, 1)


async def _shed(queue: AdmissionQueue, **asked: Any) -> Dropped:
    with pytest.raises(Overloaded) as told:
        async with queue.slot(**asked):
            raise AssertionError("had a turn")
    assert isinstance(told.value, Shed)
    return told.value.why


async def test_the_least_urgent_is_shed_for_the_urgent_and_called_last() -> None:
    queue, release, done = AdmissionQueue(places=1, waiting_max=2), asyncio.Event(), list[str]()

    async def come(name: str, urgency: Urgency) -> None:
        async with queue.slot(urgency=urgency):
            await release.wait()
            done.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(come("inside", LOW))
        await asyncio.sleep(0)
        group.create_task(come("normal", NORMAL))
        shed = group.create_task(_shed(queue, urgency=LOW))
        await asyncio.sleep(0)
        group.create_task(come("urgent", URGENT))
        late = group.create_task(_shed(queue, urgency=LOW))
        await asyncio.sleep(0)
        release.set()
    assert shed.result() is late.result() is Dropped.SHED
    assert done == ["inside", "urgent", "normal"]


async def test_where_nobody_may_wait_the_places_are_given_all_the_same() -> None:
    queue = AdmissionQueue(places=2, waiting_max=0)
    async with queue.slot(), queue.slot():
        assert await _shed(queue) is Dropped.SHED
    async with queue.slot():
        pass


async def test_who_waits_past_its_deadline_is_dropped_though_nobody_leaves() -> None:
    queue = AdmissionQueue(places=1, waiting_max=4)
    async with queue.slot():
        soon = asyncio.get_running_loop().time() + 0.01
        with pytest.raises(Shed) as told:
            async with queue.slot(deadline=soon):
                raise AssertionError("had a turn")
    assert told.value.why is Dropped.STALE
    assert queue.waiting == 0


async def test_who_gives_up_waiting_leaves_the_line() -> None:
    queue = AdmissionQueue(places=1, waiting_max=1)
    async with queue.slot():
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01), queue.slot():
                    pass
    async with queue.slot():
        pass
    assert queue.dropped == Counter({Dropped.LEFT: 3})


def test_of_the_least_urgent_the_stalest_is_shed() -> None:
    line = WaitQueue(3)
    tickets = [
        Waiter(-urgency, deadline, number)
        for number, (urgency, deadline) in enumerate(
            [(URGENT, 1.0), (LOW, 9.0), (LOW, 3.0), (NORMAL, 0.5)]
        )
    ]
    assert [line.enter(ticket) for ticket in tickets] == [None, None, None, tickets[2]]
    assert [line.next() for _ in range(4)] == [tickets[0], tickets[3], tickets[1], None]


arrivals = st.lists(
    st.tuples(
        st.integers(0, 20),  # when it comes, in ticks
        st.sampled_from(Urgency),
        st.integers(0, 8),  # how many ticks it may wait
        st.booleans(),  # patient
        st.integers(0, 6),  # how many ticks its turn takes
        st.one_of(st.none(), st.integers(0, 12)),  # after how many ticks its caller goes away
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(arrivals, st.integers(1, 3), st.integers(0, 4))
def test_all_that_were_offered_are_done_dropped_inside_or_waiting(
    coming: list[tuple[int, Urgency, int, bool, int, int | None]], places: int, waiting_max: int
) -> None:
    outcomes: Counter[str] = Counter()
    queue = AdmissionQueue(places=places, waiting_max=waiting_max)

    def adds_up() -> None:
        there = queue.inside + queue.waiting
        assert queue.offered == queue.done + queue.dropped.total() + there
        assert 0 <= queue.inside <= places

    async def come(at: int, urgency: Urgency, wait: int, patient: bool, takes: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            await asyncio.sleep(at)
            deadline = loop.time() + wait
            async with queue.slot(urgency=urgency, deadline=deadline, patient=patient):
                adds_up()
                for _ in range(takes):
                    await asyncio.sleep(1)
                    adds_up()
            outcomes["done"] += 1
        except Shed as shed:
            assert not patient
            outcomes[shed.why] += 1
        except asyncio.CancelledError:
            outcomes["went away"] += 1
            raise
        finally:
            adds_up()

    async def walk() -> None:
        loop = asyncio.get_running_loop()
        tasks = []
        for at, urgency, wait, patient, takes, leaves in coming:
            tasks.append(asyncio.ensure_future(come(at, urgency, wait, patient, takes)))
            if leaves is not None:
                loop.call_later(at + leaves, tasks[-1].cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
        failed = [
            task.exception()
            for task in tasks
            if not task.cancelled() and task.exception() is not None
        ]
        assert failed == []

    with asyncio.Runner(loop_factory=SteppingLoop) as runner:
        runner.run(walk())
    adds_up()
    assert queue.inside == queue.waiting == 0
    # Who goes away in the very moment of being dropped or served is counted so, and hears nothing.
    heard = outcomes["done"] + outcomes[Dropped.SHED] + outcomes[Dropped.STALE]
    assert heard <= queue.offered <= heard + outcomes["went away"]
    assert queue.done >= outcomes["done"]
    assert queue.dropped[Dropped.SHED] >= outcomes[Dropped.SHED]
    assert queue.dropped[Dropped.STALE] >= outcomes[Dropped.STALE]


class Called(Exception):
    """Somebody patient was, and goes away again."""


class Timed(InferencePool):
    """Notes when somebody patient was called."""

    called: float | None = None

    @asynccontextmanager
    async def slot(self, **asked: Any) -> AsyncIterator[None]:
        async with super().slot(**asked):
            if asked.get("patient"):
                self.called = asyncio.get_running_loop().time()
                raise Called
            yield


class NobodyLooks:
    async def fingerprint(self) -> str:
        raise ModelsAway

    async def detect(self, picture: Any, request: Any) -> Any:
        raise ModelsAway

    async def run(self, model: str, images: Any, *, seconds: float) -> Any:
        raise ModelsAway


def test_a_probe_comes_to_its_turn_while_other_frames_keep_coming(tmp_path: Path) -> None:
    detector, until = NobodyLooks(), 10 * PATIENCE_SECONDS
    pool = Timed(detector)
    db = Database(
        "postgresql://nowhere", service="test", keyring=Keyring(tmp_path), clock=system_clock
    )
    probes, times = probe_pictures(), Times(0, 3600, 60, 5)
    prober = Prober(db, pool, FaceDetector(detector), system_clock, probes, times)

    async def stream() -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            with contextlib.suppress(Shed):
                async with pool.slot(deadline=loop.time() + 2):
                    await asyncio.sleep(1)

    async def probe() -> None:
        with contextlib.suppress(Called):
            await prober._look(probes[0])

    async def walk() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(3 * INFERENCES_AT_ONCE):
                group.create_task(stream())
            await asyncio.sleep(1)
            group.create_task(probe())

    with asyncio.Runner(loop_factory=SteppingLoop) as runner:
        runner.run(walk())
    assert pool.called is not None
    assert pool.called <= 1 + PATIENCE_SECONDS


async def test_a_device_is_served_in_the_order_it_came_and_others_beside_it() -> None:
    queues, log = KeyedLocks(), list[str]()

    async def come(key: bytes, name: str, seconds: float) -> None:
        async with queues.of(key):
            await asyncio.sleep(seconds)
            log.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(come(b"a", "a1", 0.02))
        group.create_task(come(b"a", "a2", 0.0))
        group.create_task(come(b"b", "b1", 0.0))
    assert log == ["b1", "a1", "a2"]
