"""Heartbeats from core NATS, folded into batches: signs of life, not facts; some may be lost."""

import asyncio
import logging
from datetime import datetime
from uuid import UUID

from chassis.bus import Bus
from chassis.clock import Clock, from_timestamp, parse_id
from google.protobuf.message import DecodeError
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeout
from tartip.cameras.v1 import events_pb2

from camera_registry.usecases import Watch

SUBJECT = "cameras.heartbeats.*"
BATCH = 1000
BATCH_SECONDS = 1.0
PENDING_MAX = 50_000
log = logging.getLogger(__name__)


class HeartbeatListener:
    """Two copies of the service share the heartbeats through a queue group."""

    def __init__(self, bus: Bus, watch: Watch, clock: Clock) -> None:
        self._bus = bus
        self._watch = watch
        self._clock = clock
        self._hears_since: datetime | None = None

    def hears_since(self) -> datetime | None:
        """Since when no gap is known; None while the broker is away."""
        return self._hears_since if self._bus.is_connected else None

    async def run(self) -> None:
        self._hears_since = None
        subscription = await self._bus.client.subscribe(
            SUBJECT, queue=self._bus.name, pending_msgs_limit=PENDING_MAX
        )
        try:
            while True:
                beats = await self._gather(subscription)
                self._note_whether_we_hear()
                if beats:
                    await self._watch.hear(beats)
        finally:
            self._hears_since = None
            await subscription.unsubscribe()

    def _note_whether_we_hear(self) -> None:
        if not self._bus.is_connected:
            self._hears_since = None
        elif self._hears_since is None:
            self._hears_since = self._clock()

    async def _gather(self, subscription: object) -> dict[UUID, tuple[str, datetime]]:
        """The latest beat of each camera that arrives within BATCH_SECONDS, at most BATCH."""
        beats: dict[UUID, tuple[str, datetime]] = {}
        until = asyncio.get_running_loop().time() + BATCH_SECONDS
        while len(beats) < BATCH:
            remaining = until - asyncio.get_running_loop().time()
            if remaining <= 0:
                break
            try:
                msg = await subscription.next_msg(timeout=remaining)  # type: ignore[attr-defined]
            except (TimeoutError, NatsTimeout):
                break
            beat = read_heartbeat(msg)
            if beat is not None:
                camera_id, region, sent_at = beat
                known = beats.get(camera_id)
                if known is None or known[1] < sent_at:
                    beats[camera_id] = (region, sent_at)
        return beats


def read_heartbeat(msg: Msg) -> tuple[UUID, str, datetime] | None:
    """Camera, region (from the subject, which the broker guards) and moment; None if unreadable."""
    try:
        beat = events_pb2.CameraHeartbeat.FromString(msg.data)
        camera_id = parse_id(beat.camera_id)
        sent_at = from_timestamp(beat.sent_at)
    except (DecodeError, ValueError, OverflowError):
        return None
    if camera_id is None:
        return None
    return camera_id, msg.subject.rpartition(".")[2], sent_at
