"""How much is done at once: a few places, a bounded line before them, and turns in order.

A picture that is being looked at holds up to 150 MB decoded, so the places are few. Who waits is
called by urgency, then by deadline; whose deadline has passed is dropped as stale, and where the
line is full the stalest of the least urgent is shed. All who came were served, dropped or wait.
"""

import asyncio
from bisect import insort
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from itertools import count
from weakref import WeakValueDictionary

from chassis.refusals import Overloaded

# By when a turn is wanted by those who name no deadline, and by those who wait as long as it takes.
WAIT_SECONDS = 5.0
PATIENCE_SECONDS = 30.0


class Urgency(IntEnum):
    LOW = 1
    NORMAL = 2
    URGENT = 3


class Dropped(StrEnum):
    """Why somebody got no turn."""

    STALE = "stale"
    SHED = "shed"
    LEFT = "left"


class Shed(Overloaded):
    """No turn was to be had; `why` tells the queue's reason. To a caller it is OVERLOADED."""

    def __init__(self, why: Dropped) -> None:
        super().__init__(facts={"why": why.value})
        self.why = why


@dataclass(order=True)
class Ticket:
    """Who waits, in the order of calling."""

    rank: int
    # On the event loop's clock, in seconds.
    deadline: float
    number: int
    patient: bool = field(compare=False, default=False)
    called: "asyncio.Future[None] | None" = field(compare=False, default=None)

    @property
    def gone(self) -> bool:
        """Whoever held it gave up, and has not yet come round to leave the line."""
        return self.called is not None and self.called.done()

    def is_stale(self, now: float) -> bool:
        return not self.patient and not self.gone and self.deadline <= now


class Line:
    """Who waits: at most `most` impatient ones. Pure: moments are passed in."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._tickets: list[Ticket] = []

    def __len__(self) -> int:
        return len(self._tickets)

    def enter(self, ticket: Ticket) -> Ticket | None:
        """Takes a ticket in; gives the one that is shed for it, perhaps itself."""
        insort(self._tickets, ticket)
        impatient = [known for known in self._tickets if not known.patient and not known.gone]
        if len(impatient) <= self._most:
            return None
        shed = next(known for known in impatient if known.rank == impatient[-1].rank)
        self._tickets.remove(shed)
        return shed

    def drop_stale(self, now: float) -> list[Ticket]:
        stale = [ticket for ticket in self._tickets if ticket.is_stale(now)]
        for ticket in stale:
            self._tickets.remove(ticket)
        return stale

    def next(self) -> Ticket | None:
        for ticket in self._tickets:
            if not ticket.gone:
                self._tickets.remove(ticket)
                return ticket
        return None

    def leave(self, ticket: Ticket) -> bool:
        """Whether it was still waiting."""
        if ticket not in self._tickets:
            return False
        self._tickets.remove(ticket)
        return True


class Turnstile:
    """At any time `offered` = `done` + `inside` + all `dropped` + `waiting`."""

    def __init__(self, *, places: int, waiting_max: int) -> None:
        self._places = places
        self._line = Line(waiting_max)
        self._numbers = count()
        self.offered = 0
        self.inside = 0
        self.done = 0
        self.dropped: Counter[Dropped] = Counter()

    @property
    def waiting(self) -> int:
        return len(self._line)

    @asynccontextmanager
    async def turn(
        self,
        *,
        urgency: Urgency = Urgency.NORMAL,
        deadline: float | None = None,
        patient: bool = False,
    ) -> AsyncIterator[None]:
        """A place for the block, by `deadline` on the loop's clock. Raises Shed.

        The `patient` are never dropped: they hold their caller up instead.
        """
        self.offered += 1
        loop = asyncio.get_running_loop()
        wait = PATIENCE_SECONDS if patient else WAIT_SECONDS
        by = loop.time() + wait if deadline is None else deadline
        ticket = Ticket(-urgency, by, next(self._numbers), patient, loop.create_future())
        await self._wait(ticket, loop)
        try:
            yield
        finally:
            self.inside -= 1
            self.done += 1
            self._call_next(loop.time())

    async def _wait(self, ticket: Ticket, loop: asyncio.AbstractEventLoop) -> None:
        assert ticket.called is not None
        self._call_next(loop.time())  # before anybody is shed: those who wait in vain
        if self.inside < self._places:
            self.inside += 1
            return
        self._drop(self._line.enter(ticket), Dropped.SHED)
        try:
            async with asyncio.timeout_at(None if ticket.patient else ticket.deadline):
                await ticket.called
        except TimeoutError:
            self._give_up(ticket, Dropped.STALE, loop)
            raise Shed(Dropped.STALE) from None
        except asyncio.CancelledError:
            self._give_up(ticket, Dropped.LEFT, loop)
            raise

    def _give_up(self, ticket: Ticket, why: Dropped, loop: asyncio.AbstractEventLoop) -> None:
        """Leaves the line, or hands on the place that was given in the same moment."""
        called = ticket.called
        assert called is not None
        if self._line.leave(ticket):
            self.dropped[why] += 1
        elif called.exception() is None:
            self.inside -= 1
            self.dropped[why] += 1
            self._call_next(loop.time())

    def _call_next(self, now: float) -> None:
        for stale in self._line.drop_stale(now):
            self._drop(stale, Dropped.STALE)
        while self.inside < self._places:
            ticket = self._line.next()
            if ticket is None:
                return
            assert ticket.called is not None
            self.inside += 1
            ticket.called.set_result(None)

    def _drop(self, ticket: Ticket | None, why: Dropped) -> None:
        if ticket is not None and ticket.called is not None:
            self.dropped[why] += 1
            ticket.called.set_exception(Shed(why))


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
