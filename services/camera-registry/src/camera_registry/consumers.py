"""Collects heartbeats from core NATS, which may lose messages, into batches.

If the service has several replicas, only one listens and sets statuses: the one that holds a lease
(an exclusive lock for a limited time). It stores the received heartbeats before it looks for silent
cameras. It also keeps the moment since which it has missed no heartbeat.
"""

import asyncio
import logging
import time
from collections import Counter
from datetime import datetime
from uuid import UUID

from chassis.clock import Clock, from_timestamp, parse_id
from google.protobuf.message import DecodeError
from host.broker import Broker
from host.leases import Lease
from nats.aio.msg import Msg
from tartip.cameras.v1 import events_pb2

from camera_registry.hearing import Dated, Folded, Hearing, Look, dated
from camera_registry.measures import heartbeats, heartbeats_deaf
from camera_registry.model.camera import CameraStatus
from camera_registry.usecases.watch import Watch

SUBJECT = "cameras.heartbeats.*"
LOOK_SECONDS = 1.0
PENDING_MAX = 50_000
log = logging.getLogger(__name__)


class HeartbeatListener:
    """Alternately stores the received heartbeats and searches the register for silent cameras."""

    def __init__(
        self, broker: Broker, watch: Watch, clock: Clock, *, pending_max: int = PENDING_MAX
    ) -> None:
        self._broker = broker
        self._watch = watch
        self._clock = clock
        self._pending_max = pending_max
        self._folded = Folded()
        self._hearing = Hearing()
        # Added to the metrics at each look: for each heartbeat it would cost more than decoding it.
        self._outcomes: Counter[str] = Counter()
        self._lost = 0
        self._lost_before_episode = 0
        self._deaf = False

    @property
    def hears_since(self) -> datetime | None:
        """The moment since which no heartbeat was missed; None while the broker is disconnected."""
        return self._hearing.since

    async def run(self) -> None:
        async with self._watch.alone() as lease:
            self._hearing.begin()
            async with self._broker.listening(
                SUBJECT, self._hear, dropped=self._lose, pending_max=self._pending_max
            ):
                await self._keep_watch(lease)

    async def _keep_watch(self, lease: Lease) -> None:
        sweep = Sweep(self._watch, lease)
        while True:
            if not sweep.under_way:
                await asyncio.sleep(LOOK_SECONDS)
            await self._write(lease)
            now = self._look()
            await sweep.go_on(self._hearing.since, now)

    def _hear(self, msg: Msg) -> None:
        arrived_at = self._clock()
        beat = read_heartbeat(msg)
        if beat is None:
            self._outcomes["unreadable"] += 1
            return
        camera_id, region, sent_at = beat
        outcome = dated(sent_at, arrived_at, silence=self._watch.silence)
        if outcome is Dated.WELL and not self._folded.add(
            camera_id, region, min(sent_at, arrived_at)
        ):
            self._lose()
        else:
            self._outcomes[outcome] += 1

    def _lose(self) -> None:
        self._lost += 1
        self._outcomes["lost"] += 1

    async def _write(self, lease: Lease) -> None:
        """Store the collected heartbeats; on failure they stay, unless newer ones arrived."""
        taken = self._folded.take()
        try:
            await self._watch.hear(lease, taken, self._clock())
        except Exception:
            for camera_id, (region, at) in taken.items():
                self._folded.add(camera_id, region, at)
            raise

    def _look(self) -> datetime:
        now = self._clock()
        why = self._hearing.look(
            Look(
                now,
                time.monotonic(),
                self._broker.is_connected,
                self._broker.reconnects,
                self._lost,
            )
        )
        self._log_episode(why)
        self._measure(now)
        return now

    def _measure(self, now: datetime) -> None:
        verdict = self._watch.verdict(self._hearing.since, now)
        heartbeats_deaf.set(int(verdict is CameraStatus.UNKNOWN))
        for outcome, count in self._outcomes.items():
            heartbeats.add(count, {"outcome": outcome})
        self._outcomes.clear()

    def _log_episode(self, why: str) -> None:
        """Log a line when heartbeats begin to be missed (`why` is the cause), and a line when none
        are missed any more (`why` is "")."""
        if why and not self._deaf:
            log.warning("deaf to heartbeats: %s", why)
        if not why:
            if self._deaf:
                lost = self._lost - self._lost_before_episode
                log.warning("hearing heartbeats again; %d were lost", lost)
            self._lost_before_episode = self._lost
        self._deaf = bool(why)


class Sweep:
    """A repeated search of the register for silent cameras, in chunks, with a pause after each
    pass."""

    def __init__(self, watch: Watch, lease: Lease) -> None:
        self._watch = watch
        self._lease = lease
        self._after: UUID | None = None
        self._begin_at = 0.0
        self.under_way = False

    async def go_on(self, hears_since: datetime | None, now: datetime) -> None:
        if not self.under_way and time.monotonic() < self._begin_at:
            return
        self._after = await self._watch.judge_silent(self._lease, self._after, hears_since, now)
        self.under_way = self._after is not None
        if not self.under_way:
            self._begin_at = time.monotonic() + self._watch.sweep_seconds


def read_heartbeat(msg: Msg) -> tuple[UUID, str, datetime] | None:
    """Return the camera's id, the region and the sending time of a heartbeat; None if the heartbeat
    is unreadable. The region is taken from the NATS subject, because the broker checks who may
    publish on which subject."""
    try:
        beat = events_pb2.CameraHeartbeat.FromString(msg.data)
        camera_id = parse_id(beat.camera_id)
        sent_at = from_timestamp(beat.sent_at)
    except (DecodeError, ValueError, OverflowError):
        return None
    if camera_id is None:
        return None
    return camera_id, msg.subject.rpartition(".")[2], sent_at
