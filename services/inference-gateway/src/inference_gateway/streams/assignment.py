"""A stream that this instance of the service processes, and its results that are not yet written to
the database."""

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from chassis.db import storage_is_away
from chassis.refusals import Refusal

from inference_gateway import metrics
from inference_gateway.camera_rules.model import DEFAULT, CameraFunctions
from inference_gateway.camera_rules.storage import Configurations
from inference_gateway.cameras.model import Camera
from inference_gateway.ingest.usecases import PendingResult
from inference_gateway.ingest.video_session import VideoSession
from inference_gateway.streams.model import Advance, Outcome
from inference_gateway.streams.watch import StreamWatch

CONFIGURED_SECONDS = 1.0
ASK_AGAIN_SECONDS = 2.0
log = logging.getLogger(__name__)


@dataclass
class StreamAssignment:
    """A stream that this instance of the service processes under a lease. `task` processes it.
    While results are being written to the database, `sent` has the frame outcomes and `facts` the
    results. If `leaving` is True, the stream is being given up: `finishing` is the task that stores
    the last results, and then the lease ends."""

    watch: StreamWatch
    task: "asyncio.Task[None]"
    session: VideoSession | None = None
    sent: Advance | None = None
    facts: list[PendingResult] = field(default_factory=list)
    leaving: bool = False
    # Persists what its watch still had, once its lease is to be given up.
    finishing: "asyncio.Task[None] | None" = None

    @property
    def has_finished(self) -> bool:
        """Whether the stream is to be given up, its task has ended and all results are written."""
        return self.leaving and self.task.done() and self.session is None

    def batch(self) -> Advance | None:
        """Return the frame outcomes to write to the database, None if nothing is new. Also set
        `facts` to the results to write with them. Further calls return the same outcomes until
        `written` is called."""
        if self.sent is None:
            self.watch.close_missed()
            begin, end, counts = self.watch.slots.take()
            if (
                begin == end
                and not self.watch.pending
                and self.watch.state == self.watch.written_state
            ):
                return None
            stream = self.watch.stream
            self.watch.written_state = self.watch.state
            self.sent = Advance(
                stream.camera_id, stream.generation, begin, end, counts, self.watch.state
            )
            self.facts, self.watch.pending = self.watch.pending, []
        return self.sent

    def written(self) -> None:
        if self.sent is not None:
            count(self.sent.counts)
        self.sent, self.facts = None, []


class CachedConfiguration:
    """Provides a camera's configured functions: the current ones, or the last known ones while the
    database is unavailable."""

    def __init__(self, camera: Camera, configurations: Configurations, watch: StreamWatch) -> None:
        self._camera = camera
        self._configurations = configurations
        self._watch = watch
        self._known: CameraFunctions = DEFAULT
        self._ask_at = 0.0

    async def ask(self) -> None:
        self._known = await self._configurations.of(self._camera.camera_id)
        self._watch.urgency = self._known.urgency

    async def latest(self) -> CameraFunctions:
        if time.monotonic() >= self._ask_at:
            try:
                async with asyncio.timeout(CONFIGURED_SECONDS):
                    await self.ask()
            except Exception as error:
                if not storage_is_away(error):
                    raise
                self._ask_at = time.monotonic() + ASK_AGAIN_SECONDS
        return self._known


def portions(batch: Iterable[StreamAssignment], *, most: int) -> Iterator[list[StreamAssignment]]:
    """Split assignments into groups, each to be written in one transaction. A group has at most
    `most` results (counted in `facts`). An assignment with more results forms its own group."""
    portion: list[StreamAssignment] = []
    facts = 0
    for assignment in batch:
        if portion and facts + len(assignment.facts) > most:
            yield portion
            portion, facts = [], 0
        portion.append(assignment)
        facts += len(assignment.facts)
    if portion:
        yield portion


def count(outcomes: dict[Outcome, int]) -> None:
    for outcome, frames in outcomes.items():
        metrics.stream_frames.add(frames, {"outcome": outcome.value})


def give_up(assignment: StreamAssignment) -> None:
    """Drop the session of a stream whose last results could not be handed over.

    Logs how many results still had no stored evidence, and counts them as lost, at least one. Does
    nothing if the session has ended already.
    """
    if assignment.session is not None:
        lost, assignment.session = max(1, assignment.session.unsealed), None
        log.error("the last facts of a stream are lost: %s", lost)
        metrics.stream_facts_lost.add(lost)


def complain(what: str, error: BaseException) -> None:
    told = error.reason if isinstance(error, Refusal) else type(error).__name__
    known = isinstance(error, Refusal) or storage_is_away(error)
    log.warning("%s: %s", what, told, exc_info=None if known else error)
