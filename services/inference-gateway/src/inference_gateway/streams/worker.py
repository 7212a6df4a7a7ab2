"""One copy of the service among those that share the streams: leases, watches, and their ledger.

Two steps a second apart: leases are kept up and streams taken or given back; what came to an
outcome is committed, with the facts that were seen. While the database is away watching goes on,
bounded; when it is back, whoever still holds a lease goes on, and who does not forgets.
"""

import asyncio
import contextlib
import logging
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from chassis.clock import new_id, system_clock
from chassis.db import Database, storage_is_away
from chassis.identity import Caller
from chassis.refusals import Refusal
from chassis.transaction import SYSTEM, Tx
from cryptography.exceptions import InvalidTag

from inference_gateway import measures
from inference_gateway.cameras import Cameras
from inference_gateway.evidence import Vault
from inference_gateway.eyes import Eyes
from inference_gateway.functions.model import DEFAULT, CameraFunctions
from inference_gateway.model import Camera
from inference_gateway.objects import EvidenceAway
from inference_gateway.screening import Screening, Subject
from inference_gateway.streams import storage
from inference_gateway.streams.model import Advance, Outcome, Stream, StreamState
from inference_gateway.streams.usecases import open_address
from inference_gateway.streams.watch import Watch
from inference_gateway.usecases import Intake, Settling

HOLD_SECONDS = 1.0
COMMIT_SECONDS = 1.0
STATEMENT_SECONDS = 5.0
# As many facts as one transaction takes well within its time; what has gathered goes in several.
PORTION_FACTS = 100
CAMERA_SECONDS = 2.0
CONFIGURED_SECONDS = 1.0
STOP_SECONDS = 8.0
# How long the last facts of a stream wait for a store of evidence that is away, and how often it is
# tried: nobody watches the stream meanwhile. When all of the worker stops there is less time.
FINISH_SECONDS = 60.0
FINISH_AGAIN_SECONDS = 2.0
FINISH_ALL_SECONDS = 4.0
CALLER = Caller("service", "inference-gateway")
log = logging.getLogger(__name__)


@dataclass
class Kept:
    """A watch, its task, and what of it is on its way to the database."""

    watch: Watch
    task: "asyncio.Task[None]"
    screening: Screening | None = None
    sent: Advance | None = None
    facts: list[Settling] = field(default_factory=list)
    leaving: bool = False
    # Tells what its watch still had to tell, once it was told to leave.
    finishing: "asyncio.Task[None] | None" = None

    @property
    def has_finished(self) -> bool:
        """Nothing more comes of it than what is there to be written."""
        return self.leaving and self.task.done() and self.screening is None

    def batch(self) -> Advance | None:
        """The step to write: the same again until it is known to be written."""
        if self.sent is None:
            self.watch.close_missed()
            begin, end, counts = self.watch.slots.take()
            if begin == end and not self.watch.pending and self.watch.state == self.watch.told:
                return None
            stream = self.watch.stream
            self.watch.told = self.watch.state
            self.sent = Advance(
                stream.camera_id, stream.generation, begin, end, counts, self.watch.state
            )
            self.facts, self.watch.pending = self.watch.pending, []
        return self.sent

    def written(self) -> None:
        if self.sent is not None:
            count(self.sent.counts)
        self.sent, self.facts = None, []


class Configured:
    """A camera's configuration, as it was last told where the database is away."""

    def __init__(self, camera: Camera, intake: Intake, watch: Watch) -> None:
        self._camera = camera
        self._intake = intake
        self._watch = watch
        self._known: CameraFunctions = DEFAULT
        self._ask_at = 0.0

    async def ask(self) -> None:
        self._known = await self._intake.functions_of(self._camera)
        self._watch.urgency = self._known.urgency

    async def latest(self) -> CameraFunctions:
        if time.monotonic() >= self._ask_at:
            try:
                async with asyncio.timeout(CONFIGURED_SECONDS):
                    await self.ask()
            except Exception as error:
                if not storage_is_away(error):
                    raise
                self._ask_at = time.monotonic() + CAMERA_SECONDS
        return self._known


class Worker:
    """`run` for ever; give its streams back when cancelled."""

    def __init__(
        self,
        db: Database,
        intake: Intake,
        cameras: Cameras,
        eyes: Eyes,
        vault: Vault,
    ) -> None:
        self._db = db
        self._intake = intake
        self._cameras = cameras
        self._eyes = eyes
        self._vault = vault
        self.name = f"{socket.gethostname()}-{new_id().hex[-10:]}"
        self._kept: dict[UUID, Kept] = {}
        self._news = asyncio.Event()
        self._portion_facts = PORTION_FACTS
        # Since when its holding has run without a break.
        self._steady_since = time.monotonic()
        # What to add to this process's steady clock for the database's moment.
        self._ahead = system_clock().timestamp() - time.monotonic()

    def now(self) -> float:
        """The database's moment, in seconds of the epoch, as it was told last; steady between."""
        return time.monotonic() + self._ahead

    @property
    def is_steady(self) -> bool:
        """Whether for a whole lease nothing kept it, or others, from saying that they live."""
        return time.monotonic() - self._steady_since >= storage.LEASE.total_seconds()

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_holding(group))
                group.create_task(self._keep_committing())
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await self._leave()

    async def _keep_holding(self, group: asyncio.TaskGroup) -> None:
        while True:
            begun = time.monotonic()
            try:
                async with asyncio.timeout(STATEMENT_SECONDS):
                    await self._hold(group)
            except Exception as error:
                self._steady_since = time.monotonic()
                _complain("leases not kept up", error)
            await asyncio.sleep(max(0.1, begun + HOLD_SECONDS - time.monotonic()))

    async def _hold(self, group: asyncio.TaskGroup) -> None:
        leaving = [camera for camera, kept in self._kept.items() if kept.leaving]
        async with self._db.begin(SYSTEM) as tx:
            holding = await storage.hold(tx, self.name, leaving=leaving, steady=self.is_steady)
        self._ahead = holding.now - holding.told_at
        held = {stream.camera_id: stream for stream in holding.streams}
        for camera_id, kept in list(self._kept.items()):
            stream = held.get(camera_id)
            if stream is None or stream.generation != kept.watch.stream.generation:
                self._forget(camera_id)
        for stream in holding.streams:
            if stream.camera_id not in self._kept:
                self._begin(stream, group)
        staying = sorted(camera for camera, kept in self._kept.items() if not kept.leaving)
        for camera_id in staying[len(staying) - holding.too_many :]:
            kept = self._kept[camera_id]
            kept.leaving = True
            kept.task.cancel()
            kept.finishing = group.create_task(self._finish(kept))
        measures.streams_held.set(len(self._kept))
        self._measure_states()

    def _begin(self, stream: Stream, group: asyncio.TaskGroup) -> None:
        try:
            address = open_address(self._db.keyring, stream)
        except InvalidTag:
            log.error("the address of a stream does not open: its key is another")
            return
        watch = Watch(stream, address, clock=self.now, news=self._news.set)
        kept = Kept(watch, group.create_task(self._watch(stream, watch)))
        self._kept[stream.camera_id] = kept

    async def _watch(self, stream: Stream, watch: Watch) -> None:
        """One stream, for as long as it is held. What breaks is begun again."""
        while True:
            try:
                camera = await self._camera_of(stream)
                if camera.retired:
                    async with self._db.begin(SYSTEM) as tx:
                        await storage.remove_stream(tx, stream.camera_id)
                    return
                if camera.region != stream.region:  # it moved before its stream was put
                    async with self._db.begin(SYSTEM) as tx:
                        await storage.move_stream(tx, stream.camera_id, camera.region)
                    return
                screening = await self._screening(stream, camera, watch)
                if (kept := self._kept.get(stream.camera_id)) is not None:
                    kept.screening = screening
                await watch.run(screening)
            except Exception as error:
                _complain("a stream's watch broke", error)
            await asyncio.sleep(CAMERA_SECONDS)

    async def _camera_of(self, stream: Stream) -> Camera:
        return await self._cameras.by_id(stream.camera_id)

    async def _screening(self, stream: Stream, camera: Camera, watch: Watch) -> Screening:
        subject = Subject(
            stream.screening_id,
            camera,
            CALLER,
            CALLER.scope,
            stream.screening_id.bytes,
            stream.put_at,
            lambda: datetime.fromtimestamp(self.now(), UTC),
        )
        configured = Configured(camera, self._intake, watch)
        await configured.ask()
        return Screening(
            subject,
            self._eyes,
            self._vault,
            turn=lambda: watch.turn_in(self._eyes),
            configured=configured.latest,
            faces=self._intake.faces,
            frames_per_second=stream.frames_per_second,
        )

    def _forget(self, camera_id: UUID) -> None:
        """Somebody else's now: what is not committed is not ours to tell."""
        kept = self._kept.pop(camera_id)
        kept.task.cancel()
        if kept.finishing is not None:
            kept.finishing.cancel()
        measures.streams_lost.add(1)

    async def _keep_committing(self) -> None:
        while True:
            begun = time.monotonic()
            try:
                await self._commit_and_give_back()
            except Exception as error:
                _complain("frames of streams not committed", error)
                await asyncio.sleep(COMMIT_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.05, begun + COMMIT_SECONDS - time.monotonic())):
                    await self._news.wait()
            self._news.clear()

    async def _finish(self, kept: Kept) -> None:
        """Tells the open tracks of a watch that was told to stop, as soon as it has."""
        await asyncio.wait([kept.task])
        give_up_at = time.monotonic() + FINISH_SECONDS
        while kept.screening is not None:
            try:
                kept.watch.keep(await kept.screening.finish())
                kept.screening = None
            except Exception as error:
                _complain("the last facts of a stream are not told", error)
                if not isinstance(error, EvidenceAway) or time.monotonic() >= give_up_at:
                    _give_up(kept)
                else:
                    await asyncio.sleep(FINISH_AGAIN_SECONDS)
        self._news.set()

    async def _finish_all(self) -> None:
        """The same for all of them, as far as there is time."""
        finishing = [asyncio.ensure_future(self._finish(kept)) for kept in self._kept.values()]
        if not finishing:
            return
        _, late = await asyncio.wait(finishing, timeout=FINISH_ALL_SECONDS)
        for task in late:
            task.cancel()
        for kept in self._kept.values():
            _give_up(kept)

    async def _commit_and_give_back(self) -> None:
        # Of those that had finished before, the step that is written now is the last.
        last = [kept for kept in self._kept.values() if kept.has_finished and kept.sent is None]
        await self._commit()
        done = [kept for kept in last if kept.sent is None and not kept.watch.pending]
        if done:
            await self._give_back(done)

    async def _give_back(self, done: list[Kept]) -> None:
        cameras = [kept.watch.stream.camera_id for kept in done]
        async with asyncio.timeout(STATEMENT_SECONDS), self._db.begin(SYSTEM) as tx:
            await storage.give_back(tx, self.name, cameras)
        for camera_id, kept in zip(cameras, done, strict=True):
            if self._kept.get(camera_id) is kept:
                del self._kept[camera_id]

    async def _commit(self) -> None:
        """All steps, a portion a transaction; smaller ones where the database is too slow."""
        batch = [kept for kept in self._kept.values() if kept.batch() is not None]
        for portion in portions(batch, most=self._portion_facts):
            try:
                await self._commit_together(portion)
            except TimeoutError:
                self._portion_facts = max(1, self._portion_facts // 2)
                raise
            self._portion_facts = min(PORTION_FACTS, self._portion_facts * 2)

    async def _commit_together(self, portion: list[Kept]) -> None:
        """One by one where that fails for another reason than its database being away."""
        try:
            await self._write(portion)
        except Exception as error:
            if storage_is_away(error):
                raise
            _complain("steps of streams are written one by one", error)
            for kept in portion:
                await self._write_alone(kept)

    async def _write(self, batch: list[Kept], *, apart: bool = False) -> None:
        """With `apart`, what of the facts cannot be kept is left out, and nothing else."""
        steps = {kept.sent.camera_id: kept.sent for kept in batch if kept.sent is not None}
        lost: list[Exception] = []
        async with asyncio.timeout(STATEMENT_SECONDS), self._db.begin(SYSTEM) as tx:
            advanced = await storage.advance(tx, list(steps.values()))
            for kept in batch:
                if kept.watch.stream.camera_id in advanced:
                    for settling in kept.facts:
                        if apart:
                            lost += await self._settle_apart(tx, settling)
                        else:
                            await self._intake.settle_in(tx, settling)
            others = [camera for camera in steps if camera not in advanced]
            known = await storage.progress(tx, others) if others else {}
        for error in lost:
            _complain("a fact of a stream was not kept", error)
        measures.stream_facts_lost.add(len(lost))
        for kept in batch:
            camera = kept.watch.stream.camera_id
            step = steps[camera]
            # A step that is not written now was, when an answer was lost; else the lease is.
            if camera in advanced or known.get(camera) == (step.generation, step.end):
                kept.written()
            elif self._kept.get(camera) is kept:
                self._forget(camera)

    async def _write_alone(self, kept: Kept) -> None:
        """A step without those of its facts that cannot be told; its frames stay counted."""
        try:
            await self._write([kept], apart=True)
        except Exception as error:
            if storage_is_away(error):
                raise
            # Its own affair: the steps of others are written all the same.
            _complain("a step of a stream was not written", error)

    async def _settle_apart(self, tx: Tx, settling: Settling) -> list[Exception]:
        """What kept a fact from being told, if anything did; the rest of the transaction stands."""
        try:
            async with tx.savepoint():
                await self._intake.settle_in(tx, settling)
        except Exception as error:
            if storage_is_away(error):
                raise
            return [error]
        return []

    async def _leave(self) -> None:
        """What was seen is told, and the streams are anybody's."""
        for kept in self._kept.values():
            kept.leaving = True
        try:
            await self._finish_all()
            # What was on its way already, and what came after it.
            await self._commit()
            await self._commit()
        except Exception as error:
            _complain("the last frames of streams were not committed", error)
        try:
            async with self._db.begin(SYSTEM) as tx:
                await storage.give_back(tx, self.name)
        except Exception as error:
            _complain("streams were not given back, their leases run out", error)
        self._kept.clear()

    def _measure_states(self) -> None:
        states = Counter(kept.watch.state for kept in self._kept.values())
        for state in StreamState:
            measures.streams_by_state.set(states[state], {"state": state.value})


def _give_up(kept: Kept) -> None:
    """What is still untold of a watch that has ended is lost."""
    if kept.screening is not None:
        lost, kept.screening = max(1, kept.screening.untold), None
        log.error("the last facts of a stream are lost: %s", lost)
        measures.stream_facts_lost.add(lost)


def portions(batch: Iterable[Kept], *, most: int) -> Iterator[list[Kept]]:
    """Steps that have no more than so many facts together, or one step that has more."""
    portion: list[Kept] = []
    facts = 0
    for kept in batch:
        if portion and facts + len(kept.facts) > most:
            yield portion
            portion, facts = [], 0
        portion.append(kept)
        facts += len(kept.facts)
    if portion:
        yield portion


def count(outcomes: dict[Outcome, int]) -> None:
    for outcome, frames in outcomes.items():
        measures.stream_frames.add(frames, {"outcome": outcome.value})


def _complain(what: str, error: BaseException) -> None:
    told = error.reason if isinstance(error, Refusal) else type(error).__name__
    known = isinstance(error, Refusal) or storage_is_away(error)
    log.warning("%s: %s", what, told, exc_info=None if known else error)
