"""Event consumers: fetch a batch, skip duplicates, call handlers, commit, acknowledge.

One transaction stores the event ids of a batch (table `inbox`) and the effects of the events. If
this transaction fails, each event is handled in a transaction of its own.

If a handler raises `Poison`, the event becomes a dead letter at once. After any other exception the
event is delivered again, with a delay. It becomes a dead letter after `LAST_DELIVERY` deliveries,
or after `DELIVERIES_MAX` if the handler raises `Later`. While the database is unavailable, or its
clock differs too much from this process's, nothing is fetched, and events already fetched wait.
"""

import asyncio
import json
import logging
import random
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from chassis import telemetry
from chassis.db import Database, storage_is_away
from chassis.tables import dead_letters
from chassis.transaction import SYSTEM, Tx
from google.protobuf.message import DecodeError, Message
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeout
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from vault import row_codes

from host.broker import Broker

BATCH = 32
FETCH_SECONDS = 5.0
LAST_DELIVERY = 5
# The broker itself never gives an event up (streams.yaml): what kills the process at every delivery
# is taken alone from the one number on, and a dead letter beyond the other.
SUSPECT_FROM = 3
DELIVERIES_MAX = 12
DELAYS_SECONDS = (1, 5, 30, 120, 600)
log = logging.getLogger(__name__)
events_consumed = telemetry.meter.create_counter("tartip.events.consumed", unit="{event}")
events_redelivered = telemetry.meter.create_counter("tartip.events.redelivered", unit="{event}")
dead_letters_total = telemetry.meter.create_counter("tartip.events.dead_letters", unit="{event}")
_SEE = text(
    "INSERT INTO inbox (event_id, subject, mac) SELECT * FROM"
    " unnest(CAST(:ids AS uuid[]), CAST(:subjects AS text[]), CAST(:macs AS bytea[]))"
    " ON CONFLICT DO NOTHING RETURNING event_id"
)


class Later(Exception):
    """Raised by a handler to have the event delivered again after a delay."""


class Poison(Exception):
    """Raised by a handler for an event that it can never handle, to make it a dead letter."""


@dataclass(frozen=True)
class Meta:
    """The metadata of an event: its id, subject, aggregate and version, region and story.

    `aggregate` names the entity that the event is about, and `version` is the entity's version;
    `story` is the event's correlation id.
    """

    event_id: UUID
    subject: str
    aggregate: str
    version: int
    region: str
    story: str


Handler = Callable[[Tx, Any, Meta], Awaitable[None]]


@dataclass(frozen=True)
class Subscription:
    """The message type of the events of one subject, and the handler of these events."""

    message: type[Message]
    handler: Handler


@dataclass(frozen=True)
class _Delivery:
    msg: Msg
    meta: Meta
    event: Message
    handler: Handler
    traceparent: str
    # The spans in which it was handled here so far, as traceparent headers.
    attempts: list[str] = field(default_factory=list)

    @property
    def logged(self) -> AbstractContextManager[None]:
        """Log lines in this context carry the event's id and the trace of its last attempt."""
        traced = self.attempts[-1] if self.attempts else self.traceparent
        return telemetry.about(traced, event=str(self.meta.event_id))

    @property
    def is_suspect(self) -> bool:
        return int(self.msg.metadata.num_delivered) > SUSPECT_FROM


def _event_id(msg: Msg) -> str:
    """The id of the event in a message; "" if it has none, or a text that is not an id."""
    given = (msg.headers or {}).get("ce-id", "")
    return given if re.fullmatch(telemetry.UUID_SHAPE, given) else ""


class Consumer:
    """Handles the events that the durable consumer `durable` of `stream` delivers.

    `subscriptions` has a subscription for each subject; events of other subjects are acknowledged
    without being handled.
    """

    def __init__(
        self,
        db: Database,
        broker: Broker,
        *,
        stream: str,
        durable: str,
        subscriptions: Mapping[str, Subscription],
    ) -> None:
        self._db = db
        self._broker = broker
        self._stream = stream
        self._durable = durable
        self._subscriptions = subscriptions

    async def run(self) -> None:
        """Fetch and handle events until cancelled; after a broker's error, subscribe again."""
        while True:
            try:
                await self._pull_until_broken()
            except Exception as error:  # a broker that restarts shows as many kinds of error
                log.warning("%s: pulling again soon", self._stream, exc_info=error)
                await asyncio.sleep(1.0)

    async def _pull_until_broken(self) -> None:
        subscription = await self._broker.jetstream.pull_subscribe_bind(
            consumer=self._durable, stream=self._stream, inbox_prefix=self._broker.inbox_prefix
        )
        try:
            silent = 0
            while True:
                await self._wait_for_storage()
                try:
                    messages = await subscription.fetch(BATCH, timeout=FETCH_SECONDS)
                except (TimeoutError, NatsTimeout):
                    silent += 1
                    if silent % 3 == 0:  # a restarted broker may have forgotten this request
                        await subscription.consumer_info()
                        return
                    continue
                silent = 0
                await self._handle(messages)
        finally:
            await subscription.unsubscribe()

    async def _wait_for_storage(self) -> None:
        while True:
            try:
                await self._db.ping()
                return
            except Exception as error:
                log.warning("database away", exc_info=error)
                await asyncio.sleep(1.0)

    async def _handle(self, messages: Sequence[Msg]) -> None:
        again = sum(int(msg.metadata.num_delivered) > 1 for msg in messages)
        if again:
            events_redelivered.add(again, {"stream": self._stream})
        decoded = [d for d in [await self._decode(msg) for msg in messages] if d is not None]
        await self._apply_together([d for d in decoded if not d.is_suspect])
        # Whoever had one of these before may have died of it, or of its neighbour: not in a batch,
        # and not always in the same order.
        suspects = [d for d in decoded if d.is_suspect]
        for delivery in random.sample(suspects, len(suspects)):
            await self._apply_alone(delivery)

    async def _apply_together(self, deliveries: Sequence[_Delivery]) -> None:
        if not deliveries:
            return
        try:
            await self._apply(deliveries)
        except Exception as error:
            if len(deliveries) > 1 and not storage_is_away(error):
                log.info("a batch of %s failed: one by one", len(deliveries), exc_info=error)
            for delivery in deliveries:
                await self._apply_alone(delivery)
            return
        for delivery in deliveries:
            await delivery.msg.ack()

    async def _apply(self, deliveries: Sequence[_Delivery]) -> None:
        by_id = {delivery.meta.event_id: delivery for delivery in reversed(deliveries)}
        async with self._db.begin(SYSTEM) as tx:
            new = await self._not_seen_before(tx, by_id)
            for delivery in deliveries:
                if delivery.meta.event_id in new and by_id[delivery.meta.event_id] is delivery:
                    await self._traced(tx, delivery)
        events_consumed.add(len(deliveries), {"stream": self._stream})

    async def _not_seen_before(self, tx: Tx, by_id: Mapping[UUID, _Delivery]) -> set[UUID]:
        """Store the inbox rows of a batch in one statement; return the ids of the new ones."""
        subjects = [delivery.meta.subject for delivery in by_id.values()]
        macs = [
            row_codes.of_handled(self._db.keyring, event_id, subject)
            for event_id, subject in zip(by_id, subjects, strict=True)
        ]
        rows = {"ids": list(by_id), "subjects": subjects, "macs": macs}
        return set((await tx.execute(_SEE, rows)).scalars())

    async def _traced(self, tx: Tx, delivery: _Delivery) -> None:
        """Call the handler in a span; only the first delivery continues the event's trace."""
        first = delivery.msg.metadata.num_delivered == 1
        parent = telemetry.context_from(delivery.traceparent) if first else None
        links = [] if first else telemetry.link_to(delivery.traceparent)
        with telemetry.span(
            f"process {delivery.meta.subject}",
            kind=telemetry.SpanKind.CONSUMER,
            parent=parent,
            links=links,
            story=delivery.meta.story,
            attributes={
                "messaging.system": "nats",
                "messaging.destination.name": delivery.meta.subject,
                "tartip.event": str(delivery.meta.event_id),
            },
        ):
            delivery.attempts.append(telemetry.traceparent())
            await delivery.handler(tx, delivery.event, delivery.meta)

    async def _apply_alone(self, delivery: _Delivery) -> None:
        while True:
            try:
                await self._apply([delivery])
                await delivery.msg.ack()
                return
            except Poison as error:
                with delivery.logged:
                    await self._bury(delivery.msg, f"poison: {error}", error)
                return
            except Exception as error:
                if storage_is_away(error) and not await self._storage_answers():
                    await self._broker_keeps_waiting(delivery.msg)
                    continue
                with delivery.logged:
                    await self._retry_or_bury(delivery.msg, error)
                return

    async def _storage_answers(self) -> bool:
        """Whether the database answers; if it does, the error is due to the event itself."""
        try:
            await self._db.ping()
        except Exception:
            return False
        return True

    async def _broker_keeps_waiting(self, msg: Msg) -> None:
        """Extend the time to acknowledge, so that an outage uses up no deliveries."""
        await msg.in_progress()
        await asyncio.sleep(2.0)

    async def _retry_or_bury(self, msg: Msg, error: Exception) -> None:
        delivered = msg.metadata.num_delivered
        if delivered >= LAST_DELIVERY and not isinstance(error, Later):
            await self._bury(msg, type(error).__name__, error)
            return
        level = logging.INFO if isinstance(error, Later) else logging.ERROR
        log.log(level, "%s again later, delivery %s", msg.subject, delivered, exc_info=error)
        delay = DELAYS_SECONDS[min(delivered, len(DELAYS_SECONDS)) - 1]
        await msg.nak(delay=delay * random.uniform(0.8, 1.2))

    async def _bury(self, msg: Msg, reason: str, error: Exception | None = None) -> None:
        headers = dict(msg.headers or {})
        event_id = _event_id(msg) or f"{self._stream}:{msg.metadata.sequence.stream}"
        async with self._db.begin(SYSTEM) as tx:
            # Whatever it holds, it may be about a person.
            key = await tx.keys.new("dead_letter")
            await tx.execute(
                insert(dead_letters)
                .values(
                    event_id=event_id,
                    subject=msg.subject,
                    key_id=key.key_id,
                    payload=key.seal(msg.data, f"dead_letters.payload:{event_id}"),
                    headers=json.dumps(headers),
                    error=reason,
                )
                .on_conflict_do_nothing()
            )
        dead_letters_total.add(1, {"stream": self._stream})
        log.error("dead letter %s on %s: %s", event_id, msg.subject, reason, exc_info=error)
        await msg.term()

    async def _bury_unhandled(self, msg: Msg, reason: str) -> None:
        """Bury an event that no handler gets, in a span by which its trace and id are found."""
        headers, event = msg.headers or {}, _event_id(msg)
        with (
            telemetry.span(
                f"bury {msg.subject}",
                kind=telemetry.SpanKind.CONSUMER,
                links=telemetry.link_to(headers.get("traceparent", "")),
                attributes={"messaging.system": "nats", "tartip.event": event},
            ),
            telemetry.about("", event=event),
        ):
            await self._bury(msg, reason)

    async def _decode(self, msg: Msg) -> _Delivery | None:
        headers = msg.headers or {}
        subscription = self._subscriptions.get(msg.subject)
        if subscription is None:  # a fact this service has no use for
            await msg.ack()
            return None
        if msg.metadata.num_delivered > DELIVERIES_MAX:
            await self._bury_unhandled(msg, "delivered too often")
            return None
        try:
            event = subscription.message()
            event.ParseFromString(msg.data)
            meta = Meta(
                UUID(headers["ce-id"]),
                msg.subject,
                headers["tartip-aggregate"],
                int(headers["tartip-version"]),
                headers["tartip-region"],
                headers["tartip-story"],
            )
        except (DecodeError, KeyError, ValueError) as error:
            await self._bury_unhandled(msg, f"not understood: {type(error).__name__}")
            return None
        return _Delivery(msg, meta, event, subscription.handler, headers.get("traceparent", ""))
