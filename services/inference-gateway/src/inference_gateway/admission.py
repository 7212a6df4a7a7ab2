"""Admission control of inference: only a few callers infer at once (each holds a slot), others wait
in a bounded queue.

A decoded picture takes up to 150 MB, so the slots are few. Waiters are admitted by urgency, then by
deadline. A waiter past its deadline is dropped as stale. If the queue is full, the waiter with the
earliest deadline among the least urgent is shed. A `patient` waiter is neither dropped nor
shed.
"""

import asyncio
import time
from bisect import insort
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from itertools import count
from typing import Protocol
from weakref import WeakValueDictionary

from chassis.refusals import Overloaded, Refusal
from chassis.telemetry import SpanKind, span
from vision.arrays import Picture
from vision.detector import DEFAULT_REQUEST, DetectionRequest, Detections

from inference_gateway import metrics

INFERENCES_AT_ONCE = 4
INFERENCES_WAITING_MAX = 24
# The deadlines of those who name none, and of those who wait as long as it takes.
WAIT_SECONDS = 5.0
PATIENCE_SECONDS = 30.0


class Urgency(IntEnum):
    LOW = 1
    NORMAL = 2
    URGENT = 3


class Dropped(StrEnum):
    """Why a waiter got no slot: its deadline passed, it was shed from a full queue, or its caller
    was cancelled."""

    STALE = "stale"
    SHED = "shed"
    LEFT = "left"


class Shed(Overloaded):
    """Raised for a waiter that got no slot; `why` is the reason. Clients get the error kind
    OVERLOADED."""

    def __init__(self, why: Dropped) -> None:
        super().__init__(facts={"why": why.value})
        self.why = why


class Detector(Protocol):
    """The interface of the AI models, independent of the server that runs them."""

    async def detect(self, picture: Picture, request: DetectionRequest) -> Detections:
        """Return what the models detect in a BGR picture; `request` says what is sought. Raises
        ModelsAway if the models are unavailable."""

    async def fingerprint(self) -> str:
        """Return a hash that identifies the models now served. Raises ModelsAway if they are
        unavailable."""


class InferencePool:
    """Runs inference for a limited number of callers at once (each holds a slot), and records
    metrics."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._admission = AdmissionQueue(
            places=INFERENCES_AT_ONCE, waiting_max=INFERENCES_WAITING_MAX
        )

    @asynccontextmanager
    async def slot(
        self,
        *,
        urgency: Urgency = Urgency.NORMAL,
        deadline: float | None = None,
        patient: bool = False,
    ) -> AsyncIterator[None]:
        """Wait for an inference slot and hold it while the block runs. `deadline` is in seconds of
        the event loop's clock, by default WAIT_SECONDS from now (PATIENCE_SECONDS for a `patient`
        caller).

        Raises Shed if no slot is free by the deadline, or this caller is shed from a full queue.
        This does not apply to a `patient` caller, whose deadline only sets its place in the queue.
        """
        inside = False
        try:
            async with self._admission.slot(urgency=urgency, deadline=deadline, patient=patient):
                inside = True
                yield
        except (Shed, asyncio.CancelledError) as gone:
            if not inside:
                why = gone.why if isinstance(gone, Shed) else Dropped.LEFT
                metrics.frames_dropped.add(1, {"reason": why.value})
            raise

    async def detect(
        self, picture: Picture, request: DetectionRequest = DEFAULT_REQUEST
    ) -> tuple[Detections, str]:
        """Return the detections in a BGR picture, and a hash that identifies the models.

        Must be called within a `slot`. Raises ModelsAway if the models are unavailable.
        """
        started = time.perf_counter()
        with span("look", kind=SpanKind.CLIENT, attributes={"peer.service": "triton"}):
            try:
                fingerprint = await self._detector.fingerprint()
                detections = await self._detector.detect(picture, request)
            except ExceptionGroup as group:
                raise _named(group) from group
        metrics.looking_duration.record((time.perf_counter() - started) * 1e3)
        metrics.frames_looked_at.add(1)
        return detections, fingerprint


@dataclass(order=True)
class Waiter:
    """One caller that waits for a slot. Waiters sort in the order of admission."""

    rank: int
    # On the event loop's clock, in seconds.
    deadline: float
    number: int
    patient: bool = field(compare=False, default=False)
    called: "asyncio.Future[None] | None" = field(compare=False, default=None)

    @property
    def gone(self) -> bool:
        """Whether the caller was cancelled; valid only while this waiter is in the queue."""
        return self.called is not None and self.called.done()

    def is_stale(self, now: float) -> bool:
        return not self.patient and not self.gone and self.deadline <= now


class WaitQueue:
    """The waiters in order of admission. There are at most `most`, not counting the `patient` ones.
    Reads no clock: times are passed in."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiters: list[Waiter] = []

    def __len__(self) -> int:
        return len(self._waiters)

    def enter(self, waiter: Waiter) -> Waiter | None:
        """Add a waiter. If the queue is then too long, remove and return the waiter to refuse,
        which may be the added one; otherwise return None."""
        insort(self._waiters, waiter)
        impatient = [known for known in self._waiters if not known.patient and not known.gone]
        if len(impatient) <= self._most:
            return None
        shed = next(known for known in impatient if known.rank == impatient[-1].rank)
        self._waiters.remove(shed)
        return shed

    def drop_stale(self, now: float) -> list[Waiter]:
        stale = [waiter for waiter in self._waiters if waiter.is_stale(now)]
        for waiter in stale:
            self._waiters.remove(waiter)
        return stale

    def next(self) -> Waiter | None:
        for waiter in self._waiters:
            if not waiter.gone:
                self._waiters.remove(waiter)
                return waiter
        return None

    def leave(self, waiter: Waiter) -> bool:
        """Remove a waiter and return True, or return False if it is no longer in the queue."""
        if waiter not in self._waiters:
            return False
        self._waiters.remove(waiter)
        return True


class AdmissionQueue:
    """A limited number of slots, a queue of waiters, and counters of all callers.

    The counters always agree: `offered` (all callers) = `done` + `inside` (holding a slot) + all
    `dropped` + `waiting`.
    """

    def __init__(self, *, places: int, waiting_max: int) -> None:
        self._places = places
        self._queue = WaitQueue(waiting_max)
        self._numbers = count()
        self.offered = 0
        self.inside = 0
        self.done = 0
        self.dropped: Counter[Dropped] = Counter()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @asynccontextmanager
    async def slot(
        self,
        *,
        urgency: Urgency = Urgency.NORMAL,
        deadline: float | None = None,
        patient: bool = False,
    ) -> AsyncIterator[None]:
        """Wait for a slot and hold it while the block runs. `deadline` is in seconds of the event
        loop's clock, by default WAIT_SECONDS from now (PATIENCE_SECONDS for a `patient` caller).

        Raises Shed if no slot is free by the deadline, or this caller is shed from a full queue.
        This does not apply to a `patient` caller, whose deadline only sets its place in the queue.
        """
        self.offered += 1
        loop = asyncio.get_running_loop()
        wait = PATIENCE_SECONDS if patient else WAIT_SECONDS
        by = loop.time() + wait if deadline is None else deadline
        waiter = Waiter(-urgency, by, next(self._numbers), patient, loop.create_future())
        await self._wait(waiter, loop)
        try:
            yield
        finally:
            self.inside -= 1
            self.done += 1
            self._call_next(loop.time())

    async def _wait(self, waiter: Waiter, loop: asyncio.AbstractEventLoop) -> None:
        assert waiter.called is not None
        self._call_next(loop.time())  # before anybody is shed: those who wait in vain
        if self.inside < self._places:
            self.inside += 1
            return
        self._drop(self._queue.enter(waiter), Dropped.SHED)
        try:
            async with asyncio.timeout_at(None if waiter.patient else waiter.deadline):
                await waiter.called
        except TimeoutError:
            self._give_up(waiter, Dropped.STALE, loop)
            raise Shed(Dropped.STALE) from None
        except asyncio.CancelledError:
            self._give_up(waiter, Dropped.LEFT, loop)
            raise

    def _give_up(self, waiter: Waiter, why: Dropped, loop: asyncio.AbstractEventLoop) -> None:
        """Remove the waiter, or pass on its slot if it was admitted at the same moment."""
        called = waiter.called
        assert called is not None
        if self._queue.leave(waiter):
            self.dropped[why] += 1
        elif called.exception() is None:
            self.inside -= 1
            self.dropped[why] += 1
            self._call_next(loop.time())

    def _call_next(self, now: float) -> None:
        for stale in self._queue.drop_stale(now):
            self._drop(stale, Dropped.STALE)
        while self.inside < self._places:
            waiter = self._queue.next()
            if waiter is None:
                return
            assert waiter.called is not None
            self.inside += 1
            waiter.called.set_result(None)

    def _drop(self, waiter: Waiter | None, why: Dropped) -> None:
        if waiter is not None and waiter.called is not None:
            self.dropped[why] += 1
            waiter.called.set_exception(Shed(why))


class KeyedLocks:
    """Locks by key. Callers get the lock of a key in the order in which they asked for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, key: bytes) -> AsyncIterator[None]:
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            yield


def _named(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first refusal among the errors of concurrent calls; the group itself if it has none."""
    for error in group.exceptions:
        if isinstance(error, Refusal):
            return error
        if isinstance(error, BaseExceptionGroup):
            return _named(error)
    return group
