"""Processes the frames that edge boxes (computers at cameras) stream: one at a time for each
camera. Frames are answered in order of arrival.

While a box has too many unanswered frames, no more are read from it. While a stream has frames of
CAMERAS_MAX cameras in progress, frames of further cameras are refused.

If a frame is answered "send again", the camera's later frames are refused until that frame has
arrived again and got a final answer. Otherwise a later frame could be stored first, and the earlier
one would be refused for its lower counter. The box also sends the refused frames again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from chassis.refusals import Kind, Overloaded, Refusal

from inference_gateway.frames.model import FrameResult

# Read from one stream and not answered yet.
UNANSWERED_MAX = 8
# Of all streams together: twice the inference slots, so that boxes do not shed boxes.
AT_ONCE = 8
# Of one stream, each with a frame under way or one that must come again.
CAMERAS_MAX = 64
AGAIN = frozenset({Kind.UNAVAILABLE, Kind.OVERLOADED, Kind.TIMEOUT, Kind.CONFLICT})


class ReadingsRequired(Refusal):
    kind = Kind.INVALID
    code = "READINGS_REQUIRED"


class Sent(Protocol):
    """A frame as received over a stream, valid or not."""

    @property
    def frame_id(self) -> str: ...

    @property
    def camera_id(self) -> str: ...


F = TypeVar("F", bound=Sent)
Take = Callable[[F], Awaitable[FrameResult]]


@dataclass(frozen=True)
class Answer:
    """The answer to a frame; either the result or the refusal is set."""

    frame_id: str
    result: FrameResult | None = None
    refusal: Refusal | None = None

    @property
    def again(self) -> bool:
        """Whether the frame may succeed if it is sent again."""
        return self.refusal is not None and self.refusal.kind in AGAIN


@dataclass
class _Lane:
    """The frames of one camera in one stream: one at a time; `owed` is the frame to send again
    first.
    """

    owed: Answer | None = None
    under_way: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def answer(self, frame: F, take: Take[F]) -> Answer:
        if self.owed is not None and frame.frame_id != self.owed.frame_id:
            return Answer(frame.frame_id, refusal=self.owed.refusal)
        try:
            answer = Answer(frame.frame_id, result=await take(frame))
        except Refusal as refusal:
            answer = Answer(frame.frame_id, refusal=refusal)
        self.owed = answer if answer.again else None
        return answer


class EdgeStreams(Generic[F]):
    """Processes the frame streams of all edge boxes that are connected to this process."""

    def __init__(self, take: Take[F]) -> None:
        """`take` processes a frame; it must raise refusals only."""
        self._take = take
        self._places = asyncio.Semaphore(AT_ONCE)

    async def answers(self, frames: AsyncIterator[F]) -> AsyncIterator[Answer]:
        """Yield an answer for each frame of a stream, in order of arrival. If reading the stream
        fails, the error is raised after the last answer."""
        unread: deque[Exception] = deque()
        waiting: asyncio.Queue[asyncio.Task[Answer] | None] = asyncio.Queue()
        room = asyncio.Semaphore(UNANSWERED_MAX)
        async with asyncio.TaskGroup() as group:

            async def read() -> None:
                lanes: dict[str, _Lane] = {}
                try:
                    while await room.acquire() and (frame := await anext(frames, None)):
                        waiting.put_nowait(group.create_task(self._answer(frame, lanes)))
                except Exception as error:
                    unread.append(error)
                finally:
                    waiting.put_nowait(None)

            group.create_task(read())
            while (answering := await waiting.get()) is not None:
                yield await answering
                room.release()
        if unread:
            raise unread.popleft()

    async def _answer(self, frame: F, lanes: dict[str, _Lane]) -> Answer:
        """Answer one frame; tasks start, and take the lane's lock, in order of creation."""
        if frame.camera_id not in lanes and len(lanes) >= CAMERAS_MAX:
            return Answer(frame.frame_id, refusal=Overloaded())
        async with _turn(frame.camera_id, lanes) as lane, self._places:
            return await lane.answer(frame, self._take)


@asynccontextmanager
async def _turn(camera_id: str, lanes: dict[str, _Lane]) -> AsyncIterator[_Lane]:
    """Hold the camera's lane exclusively; remove it when no frame is in progress or owed."""
    lane = lanes.setdefault(camera_id, _Lane())
    lane.under_way += 1
    try:
        async with lane.turn:
            yield lane
    finally:
        lane.under_way -= 1
        if not lane.under_way and lane.owed is None:
            del lanes[camera_id]
