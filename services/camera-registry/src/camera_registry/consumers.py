"""Reads the reports of hubs about their cameras from core NATS, which may lose messages.

Hubs are control centres and edge boxes. If the service has several replicas, only the one that
holds a lease (an exclusive lock for a limited time) listens and sets the cameras' statuses. It also
records the moment since which it has missed no report.
"""

import asyncio
import logging
import time
from collections import Counter
from datetime import datetime

import numpy as np
from chassis.clock import Clock, from_timestamp, parse_id
from google.protobuf.message import DecodeError
from host.broker import Broker
from host.leases import Lease
from nats.aio.msg import Msg
from tartip.cameras.v1 import events_pb2

from camera_registry.hearing import Hearing, Look
from camera_registry.measures import heartbeats, heartbeats_deaf, hubs_silent
from camera_registry.model.hubs import (
    CAMERAS_MAX,
    ID_BYTES,
    Outcome,
    Report,
    is_signed,
    states_of,
)
from camera_registry.usecases.watch import Reports, Watch

SUBJECT = "cameras.heartbeats.*"
LOOK_SECONDS = 1.0
# Of some 200 kB each, where a hub has 11 000 cameras.
PENDING_MAX = 1000
log = logging.getLogger(__name__)


class ReportListener:
    """Collects the reports of hubs; about once a second, `usecases.watch.Watch` processes them."""

    def __init__(
        self, broker: Broker, watch: Watch, clock: Clock, *, pending_max: int = PENDING_MAX
    ) -> None:
        self._broker = broker
        self._watch = watch
        self._clock = clock
        self._pending_max = pending_max
        self._reports = Reports(watch.silence)
        self._hearing = Hearing()
        # In cameras, added to the metrics at each look.
        self._outcomes: Counter[str] = Counter()
        self._lost = 0
        self._lost_before_episode = 0
        self._deaf = False

    @property
    def hears_since(self) -> datetime | None:
        """The moment since which no report was missed.

        None until `run` has begun to listen, and while the broker is disconnected.
        """
        return self._hearing.since

    async def run(self) -> None:
        async with self._watch.alone() as lease:
            self._hearing.begin()
            self._reports = await self._watch.begin(lease)
            async with self._broker.listening(
                SUBJECT, self._hear, dropped=self._lose, pending_max=self._pending_max
            ):
                await self._keep_watch(lease)

    async def _keep_watch(self, lease: Lease) -> None:
        has_more = False
        while True:
            if not has_more:
                await asyncio.sleep(LOOK_SECONDS)
            now = self._look()
            has_more = await self._watch.look(lease, self._reports, self._hearing.since, now)

    def _hear(self, msg: Msg) -> None:
        arrived_at = self._clock()
        try:
            signed = events_pb2.SignedHubReport.FromString(msg.data)
            report = read_report(signed.report)
        except (DecodeError, ValueError, OverflowError):
            self._outcomes[Outcome.UNREADABLE] += 1
            return
        key = self._reports.key_of(report.hub_id)
        missed = 0
        if key is None:
            outcome = Outcome.UNKNOWN_HUB
        elif not is_signed(key, signed.report, signed.signature):
            outcome = Outcome.FORGED
        else:
            outcome, missed = self._reports.take(report, arrived_at)
        self._outcomes[outcome] += len(report.camera_ids)
        self._outcomes[Outcome.MISSED] += missed

    def _lose(self) -> None:
        self._lost += 1
        self._outcomes[Outcome.LOST] += 1

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
        since = self._hearing.since
        has_listened = since is not None and now - since >= self._watch.silence
        heartbeats_deaf.set(int(not has_listened))
        hubs_silent.set(self._reports.silent)
        self._outcomes[Outcome.FOREIGN] += self._reports.take_foreign()
        for outcome, count in self._outcomes.items():
            if count:
                heartbeats.add(count, {"outcome": outcome})
        self._outcomes.clear()

    def _log_episode(self, why: str) -> None:
        """Log a line when reports begin to be missed (`why` is the cause), and a line when none
        are missed any more (`why` is "")."""
        if why and not self._deaf:
            log.warning("deaf to heartbeats: %s", why)
        if not why:
            if self._deaf:
                lost = self._lost - self._lost_before_episode
                log.warning("hearing heartbeats again; %d were lost", lost)
            self._lost_before_episode = self._lost
        self._deaf = bool(why)


def read_report(content: bytes) -> Report:
    """Parse a serialised `HubReport` message.

    Raises DecodeError (protobuf), ValueError or OverflowError if it is invalid.
    """
    given = events_pb2.HubReport.FromString(content)
    hub_id = parse_id(given.hub_id)
    count, rest = divmod(len(given.camera_ids), ID_BYTES)
    if hub_id is None or rest or count > CAMERAS_MAX or given.number < 1:
        raise ValueError("no report of a hub")
    offsets = np.array(given.clock_offset_milliseconds, np.int64)
    return Report(
        hub_id,
        given.number,
        from_timestamp(given.sent_at),
        np.frombuffer(given.camera_ids, f"S{ID_BYTES}"),
        states_of(given.conditions, offsets, count),
        offsets,
    )
