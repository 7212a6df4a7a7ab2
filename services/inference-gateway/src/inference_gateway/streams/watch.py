"""One stream that is watched: its frames one after another through the gate and the models.

It decides nothing about storage: outcomes of slots gather in `slots`, what is to be kept and told
in `pending`, and the worker takes both together.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from chassis.refusals import Kind, Overloaded, Refusal
from vision.background.motion_gate import MotionGate, Need, PictureState

from inference_gateway.eyes import Eyes
from inference_gateway.films import Shot
from inference_gateway.limits import Shed, Urgency
from inference_gateway.objects import EvidenceAway
from inference_gateway.screening import Screening
from inference_gateway.streams.model import Outcome, Slots, Stream, StreamState, slot_at
from inference_gateway.streams.pulling import Arrival, Line, Puller
from inference_gateway.usecases import Settling

# How long after it came a frame is still worth a look, and how late it may come at all.
LOOK_WITHIN_SECONDS = 1.0
LATE_SECONDS = 1.5
# The same where nothing moved: others go first.
LOOK_AGAIN_WITHIN_SECONDS = 0.5
# What may wait for the database, and what for the store of evidence; a stream that has more is not
# looked at meanwhile.
PENDING_MAX = 32
log = logging.getLogger(__name__)


class Watch:
    """Runs until it is cancelled or told to stop."""

    def __init__(
        self,
        stream: Stream,
        address: str,
        *,
        clock: Callable[[], float],
        news: Callable[[], None],
    ) -> None:
        self.stream = stream
        self.slots = Slots(stream.accounted_until)
        self.pending: list[Settling] = []
        self.urgency = Urgency.NORMAL
        # What was last written down of it.
        self.told: StreamState | None = None
        self._clock = clock
        self._news = news
        self._gate = MotionGate()
        self._need = Need.YES
        self._shows = PictureState.LIVE
        self._newest: Arrival | None = None
        self._came = asyncio.Event()
        self._busy = False
        self._wanted_from = stream.accounted_until
        loop = asyncio.get_running_loop()
        self._puller = Puller(
            address,
            clock=clock,
            wants=self._wants,
            offer=lambda arrival: _tell(loop, self._offer, arrival),
        )

    @property
    def state(self) -> StreamState:
        match self._puller.line:
            case Line.OPENING | Line.AWAY:
                return StreamState.AWAY
            case Line.UNAUTHORIZED:
                return StreamState.UNAUTHORIZED
            case Line.GARBLED:
                return StreamState.GARBLED
        return StreamState(self._shows.value)

    async def run(self, screening: Screening) -> None:
        self._puller.start()
        try:
            while True:
                await self._came.wait()
                self._came.clear()
                arrival, self._newest = self._newest, None
                if arrival is not None:
                    await self._take(arrival, screening)
        finally:
            self._puller.stop()

    def close_missed(self) -> None:
        """Accounts for slots that are over and that no frame came for."""
        if self._busy or self._newest is not None:
            return
        self.slots.skip_to(self._slot(self._clock() - LATE_SECONDS), self._missing)

    @asynccontextmanager
    async def turn_in(self, eyes: Eyes) -> AsyncIterator[None]:
        """A place among those who look, while the frame is worth it."""
        urgency, within = self.urgency, LOOK_WITHIN_SECONDS
        if self._need is Need.AGAIN:
            urgency, within = Urgency.LOW, LOOK_AGAIN_WITHIN_SECONDS
        deadline = asyncio.get_running_loop().time() + within
        async with eyes.turn(urgency=urgency, deadline=deadline):
            yield

    async def _take(self, arrival: Arrival, screening: Screening) -> None:
        slot = self._slot(arrival.at)
        if slot < self.slots.until:
            return  # it came too late, and its slot is accounted for
        self._busy = True
        try:
            self.slots.skip_to(slot, self._missing)
            self._shows = arrival.shows
            self.slots.settle(slot, await self._outcome(arrival, slot, screening))
        finally:
            self._busy = False
        if self.pending:
            self._news()

    async def _outcome(self, arrival: Arrival, slot: int, screening: Screening) -> Outcome:
        if len(self.pending) >= PENDING_MAX or not await self._told(screening):
            return Outcome.SHED
        self._need = self._gate.needs(arrival.grey, arrival.at)
        if self._need is not Need.NO:
            outcome = await self._looked(arrival, slot, screening)
            if outcome is Outcome.LOOKED_AT or self._need is Need.YES:
                return outcome
            # What was seen still stands: nothing has moved since.
            self._gate.later(arrival.at)
        try:
            self.keep(await screening.stand(self._since(arrival)))
        except Exception as error:
            return _failed(error)
        return Outcome.UNCHANGED

    async def _looked(self, arrival: Arrival, slot: int, screening: Screening) -> Outcome:
        try:
            picture = await asyncio.to_thread(arrival.picture)
            self.keep(await screening.take(Shot(slot, self._since(arrival), picture, 0.0)))
        except EvidenceAway:
            pass  # it was looked at; what is to be told of it is told with the next
        except Exception as error:
            return _failed(error)
        self._gate.looked(arrival.grey, arrival.at)
        return Outcome.LOOKED_AT

    def _since(self, arrival: Arrival) -> float:
        return arrival.at - self.stream.put_at.timestamp()

    async def _told(self, screening: Screening) -> bool:
        """Whether there is room for what is seen next; the store of evidence may be away."""
        if screening.untold < PENDING_MAX:
            return True
        try:
            self.keep(await screening.tell())
        except EvidenceAway:
            return False
        return True

    def keep(self, settlings: list[Settling]) -> None:
        """What the worker is to settle with the next step."""
        self.pending += [settling for settling in settlings if not settling.is_passing]

    def _wants(self, at: float) -> bool:
        """Called in the reader's thread: the first frame of a slot is wanted."""
        slot = self._slot(at)
        if slot < self._wanted_from:
            return False
        self._wanted_from = slot + 1
        return True

    def _offer(self, arrival: Arrival) -> None:
        self.slots.came(self._slot(arrival.at))
        self._newest = arrival
        self._came.set()

    @property
    def _missing(self) -> Outcome:
        match self._puller.line:
            case Line.GARBLED:
                return Outcome.GARBLED
            case Line.UNAUTHORIZED:
                return Outcome.UNAUTHORIZED
        return Outcome.STREAM_AWAY

    def _slot(self, at: float) -> int:
        return slot_at(
            at,
            put_at=self.stream.put_at.timestamp(),
            frames_per_second=self.stream.frames_per_second,
        )


def _failed(error: Exception) -> Outcome:
    """What a frame comes to that could not be looked at; tells what is an error of ours."""
    if isinstance(error, EvidenceAway):
        return Outcome.UNCHANGED  # told with the next
    if isinstance(error, Shed):
        return Outcome(error.why.value)
    if isinstance(error, Overloaded):
        return Outcome.SHED
    if isinstance(error, Refusal) and error.kind in (Kind.AWAY, Kind.TIMEOUT):
        return Outcome.MODELS_AWAY
    log.error("a frame of a stream failed: %s", type(error).__name__, exc_info=error)
    return Outcome.FAILED


def _tell(
    loop: asyncio.AbstractEventLoop, offer: Callable[[Arrival], None], arrival: Arrival
) -> None:
    """A thread may outlive the loop by one read."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(offer, arrival)
