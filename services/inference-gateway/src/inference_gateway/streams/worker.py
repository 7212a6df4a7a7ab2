"""A worker: watches a share of all streams, each under a lease. One runs in each instance of the
service.

Two loops run every second: one renews leases and takes or gives back streams, the other stores
the outcomes of frames and the events found. While the database is unavailable, watching continues
until too many results wait to be stored. When the database is back, the worker keeps the streams
whose lease it still holds and drops the others.
"""

import asyncio
import contextlib
import logging
import socket
import time
from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

from chassis.clock import new_id, system_clock
from chassis.db import Database, storage_is_away
from chassis.identity import Caller
from chassis.transaction import SYSTEM, Tx
from cryptography.exceptions import InvalidTag

from inference_gateway import metrics
from inference_gateway.camera_rules.storage import Configurations
from inference_gateway.cameras.clients import Cameras
from inference_gateway.cameras.model import Camera
from inference_gateway.evidence.storage import EvidenceAway
from inference_gateway.ingest.usecases import PendingResult, SessionParts, persist_in
from inference_gateway.ingest.video_session import Subject, VideoSession
from inference_gateway.streams import storage
from inference_gateway.streams.assignment import (
    CachedConfiguration,
    StreamAssignment,
    complain,
    give_up,
    portions,
)
from inference_gateway.streams.model import Stream, StreamState
from inference_gateway.streams.usecases import open_address
from inference_gateway.streams.watch import StreamWatch

HOLD_SECONDS = 1.0
COMMIT_SECONDS = 1.0
STATEMENT_SECONDS = 5.0
# As many facts as one transaction takes well within its time; what has gathered goes in several.
PORTION_FACTS = 100
CAMERA_SECONDS = 2.0
STOP_SECONDS = 8.0
# How long the last facts of a stream wait for a store of evidence that is away, and how often it is
# tried: nobody watches the stream meanwhile. When all of the worker stops there is less time.
FINISH_SECONDS = 60.0
FINISH_AGAIN_SECONDS = 2.0
FINISH_ALL_SECONDS = 4.0
CALLER = Caller("service", "inference-gateway")
log = logging.getLogger(__name__)


class Worker:
    """Watches this instance's share of all streams. `run` never returns; when it is cancelled, it
    stores the last results and ends the worker's leases."""

    def __init__(
        self,
        db: Database,
        cameras: Cameras,
        configurations: Configurations,
        parts: SessionParts,
    ) -> None:
        self._db = db
        self._cameras = cameras
        self._configurations = configurations
        self._parts = parts
        self.name = f"{socket.gethostname()}-{new_id().hex[-10:]}"
        self._assignments: dict[UUID, StreamAssignment] = {}
        self._news = asyncio.Event()
        self._portion_facts = PORTION_FACTS
        # Since when its holding has run without a break.
        self._steady_since = time.monotonic()
        # What to add to this process's steady clock for the database's moment.
        self._ahead = system_clock().timestamp() - time.monotonic()

    def now(self) -> float:
        """The database's time in seconds since the epoch, extrapolated from its last answer."""
        return time.monotonic() + self._ahead

    @property
    def is_steady(self) -> bool:
        """Whether at least the duration of a lease has passed since this worker started or last
        failed to renew its leases."""
        return time.monotonic() - self._steady_since >= storage.LEASE.total_seconds()

    async def run(self) -> None:
        metrics.stream_facts_lost.add(0)  # or the first loss would not be seen as an increase
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
                complain("leases not kept up", error)
            await asyncio.sleep(max(0.1, begun + HOLD_SECONDS - time.monotonic()))

    async def _hold(self, group: asyncio.TaskGroup) -> None:
        leaving = [camera for camera, assignment in self._assignments.items() if assignment.leaving]
        async with self._db.begin(SYSTEM) as tx:
            holding = await storage.hold(tx, self.name, leaving=leaving, steady=self.is_steady)
        self._ahead = holding.now - holding.told_at
        held = {stream.camera_id: stream for stream in holding.streams}
        for camera_id, assignment in list(self._assignments.items()):
            stream = held.get(camera_id)
            if stream is None or stream.generation != assignment.watch.stream.generation:
                self._forget(camera_id)
        for stream in holding.streams:
            if stream.camera_id not in self._assignments:
                self._begin(stream, group)
        staying = sorted(
            camera for camera, assignment in self._assignments.items() if not assignment.leaving
        )
        for camera_id in staying[len(staying) - holding.too_many :]:
            assignment = self._assignments[camera_id]
            assignment.leaving = True
            assignment.task.cancel()
            assignment.finishing = group.create_task(self._finish(assignment))
        metrics.streams_held.set(len(self._assignments))
        self._measure_states()

    def _begin(self, stream: Stream, group: asyncio.TaskGroup) -> None:
        try:
            address = open_address(self._db.keyring, stream)
        except InvalidTag:
            log.error("the address of a stream does not open: its key is another")
            return
        watch = StreamWatch(stream, address, clock=self.now, news=self._news.set)
        assignment = StreamAssignment(watch, group.create_task(self._watch(stream, watch)))
        self._assignments[stream.camera_id] = assignment

    async def _watch(self, stream: Stream, watch: StreamWatch) -> None:
        """Watch one stream until cancelled; after an error, start again."""
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
                session = await self._session(stream, camera, watch)
                if (assignment := self._assignments.get(stream.camera_id)) is not None:
                    assignment.session = session
                await watch.run(session)
            except Exception as error:
                complain("a stream's watch broke", error)
            await asyncio.sleep(CAMERA_SECONDS)

    async def _camera_of(self, stream: Stream) -> Camera:
        return await self._cameras.by_id(stream.camera_id)

    async def _session(self, stream: Stream, camera: Camera, watch: StreamWatch) -> VideoSession:
        subject = Subject(
            stream.session_id,
            camera,
            CALLER,
            CALLER.scope,
            stream.session_id.bytes,
            stream.put_at,
            lambda: datetime.fromtimestamp(self.now(), UTC),
        )
        configured = CachedConfiguration(camera, self._configurations, watch)
        await configured.ask()
        return VideoSession(
            subject,
            self._parts,
            slot=lambda: watch.slot_in(self._parts.pool),
            configured=configured.latest,
            frames_per_second=stream.frames_per_second,
        )

    def _forget(self, camera_id: UUID) -> None:
        """Drop a stream whose lease is lost; its uncommitted results must not be emitted."""
        assignment = self._assignments.pop(camera_id)
        assignment.task.cancel()
        if assignment.finishing is not None:
            assignment.finishing.cancel()
        metrics.streams_lost.add(1)

    async def _keep_committing(self) -> None:
        while True:
            begun = time.monotonic()
            try:
                await self._commit_and_give_back()
            except Exception as error:
                complain("frames of streams not committed", error)
                await asyncio.sleep(COMMIT_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.05, begun + COMMIT_SECONDS - time.monotonic())):
                    await self._news.wait()
            self._news.clear()

    async def _finish(self, assignment: StreamAssignment) -> None:
        """End the open tracks of a cancelled watch once it has stopped."""
        await asyncio.wait([assignment.task])
        give_up_at = time.monotonic() + FINISH_SECONDS
        while assignment.session is not None:
            try:
                assignment.watch.keep(await assignment.session.finish())
                assignment.session = None
            except Exception as error:
                complain("the last facts of a stream are not told", error)
                if not isinstance(error, EvidenceAway) or time.monotonic() >= give_up_at:
                    give_up(assignment)
                else:
                    await asyncio.sleep(FINISH_AGAIN_SECONDS)
        self._news.set()

    async def _finish_all(self) -> None:
        """Run `_finish` for all assignments, within a time limit."""
        finishing = [
            asyncio.ensure_future(self._finish(assignment))
            for assignment in self._assignments.values()
        ]
        if not finishing:
            return
        _, late = await asyncio.wait(finishing, timeout=FINISH_ALL_SECONDS)
        for task in late:
            task.cancel()
        for assignment in self._assignments.values():
            give_up(assignment)

    async def _commit_and_give_back(self) -> None:
        # Of those that had finished before, the step that is written now is the last.
        last = [
            assignment
            for assignment in self._assignments.values()
            if assignment.has_finished and assignment.sent is None
        ]
        await self._commit()
        done = [
            assignment
            for assignment in last
            if assignment.sent is None and not assignment.watch.pending
        ]
        if done:
            await self._give_back(done)

    async def _give_back(self, done: list[StreamAssignment]) -> None:
        cameras = [assignment.watch.stream.camera_id for assignment in done]
        async with asyncio.timeout(STATEMENT_SECONDS), self._db.begin(SYSTEM) as tx:
            await storage.give_back(tx, self.name, cameras)
        for camera_id, assignment in zip(cameras, done, strict=True):
            if self._assignments.get(camera_id) is assignment:
                del self._assignments[camera_id]

    async def _commit(self) -> None:
        """Write all steps, one transaction per group; use smaller groups if writing is slow."""
        batch = [
            assignment
            for assignment in self._assignments.values()
            if assignment.batch() is not None
        ]
        for portion in portions(batch, most=self._portion_facts):
            try:
                await self._commit_together(portion)
            except TimeoutError:
                self._portion_facts = max(1, self._portion_facts // 2)
                raise
            self._portion_facts = min(PORTION_FACTS, self._portion_facts * 2)

    async def _commit_together(self, portion: list[StreamAssignment]) -> None:
        """Write a group; if that fails while the database is available, write each step alone."""
        try:
            await self._write(portion)
        except Exception as error:
            if storage_is_away(error):
                raise
            complain("steps of streams are written one by one", error)
            for assignment in portion:
                await self._write_alone(assignment)

    async def _write(self, batch: list[StreamAssignment], *, apart: bool = False) -> None:
        """Write steps and their facts; with `apart`, skip facts that cannot be stored."""
        steps = {
            assignment.sent.camera_id: assignment.sent
            for assignment in batch
            if assignment.sent is not None
        }
        lost: list[Exception] = []
        async with asyncio.timeout(STATEMENT_SECONDS), self._db.begin(SYSTEM) as tx:
            advanced = await storage.advance(tx, list(steps.values()))
            for assignment in batch:
                if assignment.watch.stream.camera_id in advanced:
                    for pending in assignment.facts:
                        if apart:
                            lost += await self._persist_apart(tx, pending)
                        else:
                            await persist_in(tx, pending)
            others = [camera for camera in steps if camera not in advanced]
            known = await storage.progress(tx, others) if others else {}
        for error in lost:
            complain("a fact of a stream was not kept", error)
        metrics.stream_facts_lost.add(len(lost))
        for assignment in batch:
            camera = assignment.watch.stream.camera_id
            step = steps[camera]
            # A step that is not written now was, when an answer was lost; else the lease is.
            if camera in advanced or known.get(camera) == (step.generation, step.end):
                assignment.written()
            elif self._assignments.get(camera) is assignment:
                self._forget(camera)

    async def _write_alone(self, assignment: StreamAssignment) -> None:
        """Write one step without those of its results that cannot be stored; its frames still
        count.
        """
        try:
            await self._write([assignment], apart=True)
        except Exception as error:
            if storage_is_away(error):
                raise
            # Its own affair: the steps of others are written all the same.
            complain("a step of a stream was not written", error)

    async def _persist_apart(self, tx: Tx, pending: PendingResult) -> list[Exception]:
        """Store a fact in a savepoint; return the error if that fails, so that the rest is kept."""
        try:
            async with tx.savepoint():
                await persist_in(tx, pending)
        except Exception as error:
            if storage_is_away(error):
                raise
            return [error]
        return []

    async def _leave(self) -> None:
        """Store the detected facts and release the leases."""
        for assignment in self._assignments.values():
            assignment.leaving = True
        try:
            await self._finish_all()
            # What was on its way already, and what came after it.
            await self._commit()
            await self._commit()
        except Exception as error:
            complain("the last frames of streams were not committed", error)
        try:
            async with self._db.begin(SYSTEM) as tx:
                await storage.give_back(tx, self.name)
        except Exception as error:
            complain("streams were not given back, their leases run out", error)
        self._assignments.clear()

    def _measure_states(self) -> None:
        states = Counter(assignment.watch.state for assignment in self._assignments.values())
        for state in StreamState:
            metrics.streams_by_state.set(states[state], {"state": state.value})
