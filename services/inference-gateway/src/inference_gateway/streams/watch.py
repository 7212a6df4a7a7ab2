"""Watches one stream: its frames pass in order through the motion gate, which skips pictures
without change, and then through the models.

Nothing is stored here. A stream is divided into slots, one for each frame that is due. `slots`
collects the outcome of every slot, and `pending` the results of inference. The worker stores
outcomes and results in one transaction.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from chassis.refusals import Kind, Overloaded, Refusal
from vision.background.motion_gate import MotionGate, Need, PictureState

from inference_gateway.admission import InferencePool, Shed, Urgency
from inference_gateway.evidence.storage import EvidenceAway
from inference_gateway.ingest.usecases import PendingResult
from inference_gateway.ingest.video import SampledFrame
from inference_gateway.ingest.video_session import VideoSession
from inference_gateway.streams.model import Outcome, Slots, Stream, StreamState, slot_at
from inference_gateway.streams.rtsp_reader import Arrival, LinkState, RtspReader

# How long after its arrival a frame may wait for inference, and how late it may arrive at all.
LOOK_WITHIN_SECONDS = 1.0
LATE_SECONDS = 1.5
# The same where nothing moved: others go first.
LOOK_AGAIN_WITHIN_SECONDS = 0.5
# What may wait for the database, and what for the store of evidence; a stream that has more is not
# looked at meanwhile.
PENDING_MAX = 32
log = logging.getLogger(__name__)


class StreamWatch:
    """Watches one stream. For each frame, `run` decides whether inference is needed, and if so,
    performs it. `run` ends only when cancelled. `clock` returns the time in seconds since the
    epoch. `news` is called when there are results to store."""

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
        self.pending: list[PendingResult] = []
        self.urgency = Urgency.NORMAL
        # What was last written down of it.
        self.written_state: StreamState | None = None
        self._clock = clock
        self._news = news
        self._gate = MotionGate()
        self._need = Need.YES
        self._picture_state = PictureState.LIVE
        self._newest: Arrival | None = None
        self._came = asyncio.Event()
        self._busy = False
        self._wanted_from = stream.accounted_until
        loop = asyncio.get_running_loop()
        self._reader = RtspReader(
            address,
            clock=clock,
            wants=self._wants,
            offer=lambda arrival: _hand_over(loop, self._offer, arrival),
        )

    @property
    def state(self) -> StreamState:
        match self._reader.link:
            case LinkState.OPENING | LinkState.AWAY:
                return StreamState.AWAY
            case LinkState.UNAUTHORIZED:
                return StreamState.UNAUTHORIZED
            case LinkState.GARBLED:
                return StreamState.GARBLED
        return StreamState(self._picture_state.value)

    async def run(self, session: VideoSession) -> None:
        self._reader.start()
        try:
            while True:
                await self._came.wait()
                self._came.clear()
                arrival, self._newest = self._newest, None
                if arrival is not None:
                    await self._take(arrival, session)
        finally:
            self._reader.stop()

    def close_missed(self) -> None:
        """Record an outcome for every past slot without a processed frame. The outcome is STALE if
        a frame came but was replaced by a newer one. Otherwise it is the reason why no frame came,
        such as STREAM_AWAY.

        Does nothing while a frame waits or is processed.
        """
        if self._busy or self._newest is not None:
            return
        self.slots.skip_to(self._slot(self._clock() - LATE_SECONDS), self._missing)

    @asynccontextmanager
    async def slot_in(self, pool: InferencePool) -> AsyncIterator[None]:
        """Hold one of the pool's inference slots (the right to use the models) while the block
        runs. Raises Shed if none becomes free within a second, or within half a second if nothing
        moved in the picture."""
        urgency, within = self.urgency, LOOK_WITHIN_SECONDS
        if self._need is Need.AGAIN:
            urgency, within = Urgency.LOW, LOOK_AGAIN_WITHIN_SECONDS
        deadline = asyncio.get_running_loop().time() + within
        async with pool.slot(urgency=urgency, deadline=deadline):
            yield

    async def _take(self, arrival: Arrival, session: VideoSession) -> None:
        slot = self._slot(arrival.at)
        if slot < self.slots.until:
            return  # it came too late, and its slot is accounted for
        self._busy = True
        try:
            self.slots.skip_to(slot, self._missing)
            self._picture_state = arrival.shows
            self.slots.settle(slot, await self._outcome(arrival, slot, session))
        finally:
            self._busy = False
        if self.pending:
            self._news()

    async def _outcome(self, arrival: Arrival, slot: int, session: VideoSession) -> Outcome:
        if len(self.pending) >= PENDING_MAX or not await self._has_room(session):
            return Outcome.SHED
        self._need = self._gate.needs(arrival.grey, arrival.at)
        if self._need is not Need.NO:
            outcome = await self._detected(arrival, slot, session)
            if outcome is Outcome.LOOKED_AT or self._need is Need.YES:
                return outcome
            # The last detections still hold: nothing has moved since.
            self._gate.later(arrival.at)
        try:
            self.keep(await session.tick(self._since(arrival)))
        except Exception as error:
            return _failed(error)
        return Outcome.UNCHANGED

    async def _detected(self, arrival: Arrival, slot: int, session: VideoSession) -> Outcome:
        try:
            picture = await asyncio.to_thread(arrival.picture)
            self.keep(await session.take(SampledFrame(slot, self._since(arrival), picture, 0.0)))
        except EvidenceAway:
            pass  # it was processed; its results are sealed with the next
        except Exception as error:
            return _failed(error)
        self._gate.looked(arrival.grey, arrival.at)
        return Outcome.LOOKED_AT

    def _since(self, arrival: Arrival) -> float:
        return arrival.at - self.stream.put_at.timestamp()

    async def _has_room(self, session: VideoSession) -> bool:
        """Whether another result may be collected; results wait while evidence cannot be stored."""
        if session.unsealed < PENDING_MAX:
            return True
        try:
            self.keep(await session.flush())
        except EvidenceAway:
            return False
        return True

    def keep(self, results: list[PendingResult]) -> None:
        """Add results to `pending`, from which the worker stores them. Results that need not be
        stored (whose `is_passing` is True) are left out."""
        self.pending += [pending for pending in results if not pending.is_passing]

    def _wants(self, at: float) -> bool:
        """Whether a frame is the first of its slot; called in the reader's thread."""
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
        match self._reader.link:
            case LinkState.GARBLED:
                return Outcome.GARBLED
            case LinkState.UNAUTHORIZED:
                return Outcome.UNAUTHORIZED
        return Outcome.STREAM_AWAY

    def _slot(self, at: float) -> int:
        return slot_at(
            at,
            put_at=self.stream.put_at.timestamp(),
            frames_per_second=self.stream.frames_per_second,
        )


def _failed(error: Exception) -> Outcome:
    """The outcome of a frame that could not be processed; logs unexpected errors."""
    if isinstance(error, EvidenceAway):
        return Outcome.UNCHANGED  # sealed with the next
    if isinstance(error, Shed):
        return Outcome(error.why.value)
    if isinstance(error, Overloaded):
        return Outcome.SHED
    if isinstance(error, Refusal) and error.kind in (Kind.UNAVAILABLE, Kind.TIMEOUT):
        return Outcome.MODELS_AWAY
    log.error("a frame of a stream failed: %s", type(error).__name__, exc_info=error)
    return Outcome.FAILED


def _hand_over(
    loop: asyncio.AbstractEventLoop, offer: Callable[[Arrival], None], arrival: Arrival
) -> None:
    """Pass a frame to the event loop, unless the loop was closed during the thread's last read."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(offer, arrival)
