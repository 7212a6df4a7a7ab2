"""Follows JetStream streams of events with ephemeral consumers, which deliver message headers only
and need no acknowledgements.

The NATS server numbers its deliveries to a consumer. If a number or a heartbeat is missing, the
follower creates a new consumer, which begins after the last event received, or, for a stream in
`NOT_STORED`, with the next event. The server removes consumers that nobody listens to any more.
"""

import logging
from datetime import UTC, timedelta
from typing import Any

from chassis.clock import clock_offset, real_clock
from host.broker import Broker
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import TimeoutError as NatsTimeout
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from operator_gateway.live import NOT_STORED, LiveEvent, LiveFeed

HEARTBEAT_SECONDS = 5.0
SILENCE_SECONDS = 12.0
FORGOTTEN_AFTER_SECONDS = 60.0
# How far back a starting gateway reads, so that clients of the one before it can resume.
LOOK_BACK = timedelta(minutes=15)
PENDING_MESSAGES = 8192
log = logging.getLogger(__name__)


class StreamFollower:
    """Passes the events of one JetStream stream on to the live feed; `run` never returns."""

    def __init__(self, broker: Broker, feed: LiveFeed, stream: str) -> None:
        self._broker = broker
        self._feed = feed
        self._stream = stream
        self._made_at = ""

    async def run(self) -> None:
        while True:
            await self._follow_until_broken()

    async def _follow_until_broken(self) -> None:
        await self._notice_new_stream()
        inbox = self._broker.client.new_inbox()
        subscription = await self._broker.client.subscribe(
            inbox, pending_msgs_limit=PENDING_MESSAGES
        )
        try:
            consumer = await self._broker.jetstream.add_consumer(
                self._stream, self._consumer(inbox)
            )
            if self._stream in NOT_STORED and consumer.delivered:
                self._feed.skip_to(self._stream, consumer.delivered.stream_seq)
            await self._receive(subscription)
        finally:
            await subscription.unsubscribe()

    async def _receive(self, subscription: Subscription) -> None:
        delivered = 0
        while True:
            try:
                message = await subscription.next_msg(timeout=SILENCE_SECONDS)
            except (TimeoutError, NatsTimeout):
                log.info("%s: silent, following anew", self._stream)
                return
            if "Status" in (message.headers or {}):  # a heartbeat
                continue
            delivered += 1
            if message.metadata.sequence.consumer != delivered:
                log.info("%s: a fact went missing, following anew", self._stream)
                return
            self._feed.publish(live_event(message))

    async def _notice_new_stream(self) -> None:
        made_at = await self._broker.stream_made_at(self._stream)
        if self._made_at and made_at != self._made_at:
            self._feed.forget(self._stream)
        self._made_at = made_at

    def _consumer(self, inbox: str) -> ConsumerConfig:
        return ConsumerConfig(
            deliver_subject=inbox,
            **self._start(),
            ack_policy=AckPolicy.NONE,
            max_deliver=1,
            mem_storage=True,
            num_replicas=1,
            headers_only=True,
            idle_heartbeat=HEARTBEAT_SECONDS,
            inactive_threshold=FORGOTTEN_AFTER_SECONDS,
        )

    def _start(self) -> dict[str, Any]:
        latest = self._feed.latest(self._stream)
        if self._stream in NOT_STORED:
            return {"deliver_policy": DeliverPolicy.NEW}
        if latest:
            return {
                "deliver_policy": DeliverPolicy.BY_START_SEQUENCE,
                "opt_start_seq": latest + 1,
            }
        return {
            "deliver_policy": DeliverPolicy.BY_START_TIME,
            "opt_start_time": real_clock() - LOOK_BACK,
        }


def live_event(message: Msg) -> LiveEvent:
    """Return the event that a message's headers describe. A missing header becomes "", a missing
    version 0. An event without a region is shown only to operators who have all regions.

    `at` is the broker's time of the message, plus the offset of the services' clock if there is
    one.
    """
    headers = message.headers or {}
    metadata = message.metadata
    return LiveEvent(
        stream=metadata.stream,
        sequence=metadata.sequence.stream,
        subject=message.subject,
        aggregate=headers.get("tartip-aggregate", ""),
        region=headers.get("tartip-region", ""),
        at=metadata.timestamp.astimezone(UTC) + clock_offset(),
        story=headers.get("tartip-story", ""),
        version=_number(headers.get("tartip-version", "")),
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0
