"""The relay, which publishes outbox rows, oldest first, and retries without limit.

A lease allows one relay per schema. A row is marked as published when JetStream has acknowledged
its event, and kept for `KEEP_DAYS`. If a stream was created anew because its data was
lost, all kept rows are published again: consumers skip duplicates by event id.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis import telemetry
from chassis.db import Database
from chassis.event import open_payload
from chassis.tables import inbox, outbox, outbox_streams, service_now
from chassis.transaction import SYSTEM, Tx
from nats.js.errors import NotFoundError
from sqlalchemy import ARRAY, BigInteger, LargeBinary, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Row
from vault import row_codes

from host.broker import Broker
from host.leases import Lease, hold

BATCH = 200
POLL_SECONDS = 0.1
KEEP_DAYS = 7
INBOX_KEEP_DAYS = 30
FORGET_SECONDS = 3600.0
PUBLISH_TIMEOUT_SECONDS = 5.0
STREAM_CHECK_SECONDS = 2.0
PAUSE_SECONDS, PAUSE_SECONDS_MAX = 1.0, 30.0
log = logging.getLogger(__name__)
events_published = telemetry.meter.create_counter("tartip.events.published", unit="{event}")
_UNPUBLISHED = outbox.c.published_at.is_(None)
_NOW: Any = select(service_now)
_SENT = (
    func.unnest(
        bindparam("positions", type_=ARRAY(BigInteger)),
        bindparam("sequences", type_=ARRAY(BigInteger)),
        bindparam("macs", type_=ARRAY(LargeBinary)),
    )
    .table_valued("position", "sequence", "mac", name="sent")
    .render_derived()
)
_MARK = (
    update(outbox)
    .where(outbox.c.position == _SENT.c.position)
    .values(published_at=service_now, stream_sequence=_SENT.c.sequence, mac=_SENT.c.mac)
)
# Made once: it is asked ten times a second for ever, and making it costs as much as asking.
_OLDEST = select(outbox.c.created_at).where(_UNPUBLISHED).order_by(outbox.c.position).limit(1)
_OLDEST_POSITION = _OLDEST.with_only_columns(outbox.c.position)


def headers_of(row: Row[Any], source: str) -> dict[str, str]:
    """The NATS headers of an outbox row's event: CloudEvents (binary mode), trace and `tartip-…`.

    `source` is the name of this service. An event that an operator sends again (`redriven`) keeps
    its event id, but gets a new message id, so that the broker does not drop it as a duplicate.
    """
    again = f".{row.redriven}" if row.redriven else ""
    return {
        "Nats-Msg-Id": f"{row.event_id}{again}",
        "ce-specversion": "1.0",
        "ce-id": str(row.event_id),
        "ce-source": f"tartip/{source}",
        "ce-type": row.subject,
        "ce-time": row.created_at.astimezone(UTC).isoformat(),
        "content-type": "application/protobuf",
        "traceparent": row.traceparent,
        "tartip-aggregate": row.aggregate,
        "tartip-version": str(row.version),
        "tartip-region": row.region,
        "tartip-story": row.story,
    }


@dataclass(frozen=True)
class _Pause:
    until: float
    seconds: float


class Relay:
    def __init__(
        self, db: Database, broker: Broker, *, source: str, streams: tuple[str, ...]
    ) -> None:
        self._db = db
        self._broker = broker
        self._source = source
        self._streams = streams
        self._paused: dict[str, _Pause] = {}

    async def run(self) -> None:
        """Wait for the lease, then publish until cancelled. Raises LeaseLost or a database
        error."""
        async with hold(self._db, "relay") as lease:
            checked_at = forgot_at = 0.0
            while True:
                now = asyncio.get_running_loop().time()
                if now - forgot_at > FORGET_SECONDS:
                    await self.forget_old(lease)
                    forgot_at = now
                if now - checked_at > STREAM_CHECK_SECONDS:
                    await self.look_for_new_streams(lease)
                    checked_at = now
                published = await self.publish_batch(lease)
                if published < BATCH:
                    await asyncio.sleep(POLL_SECONDS)

    async def publish_batch(self, lease: Lease) -> int:
        """Publish the oldest unpublished rows concurrently; return how many were published.

        If a row cannot be published, all rows of its subject are skipped for PAUSE_SECONDS, and
        longer after each further failure. Raises LeaseLost; the next holder of the lease then
        publishes all rows that are not marked yet.
        """
        if await self._oldest() is None:
            return 0
        rows = await self._unpublished(lease)
        outcomes = await asyncio.gather(*(self._publish(row) for row in rows))
        sent = {row: n for row, n in zip(rows, outcomes, strict=True) if n is not None}
        if sent:
            async with lease.begin(SYSTEM) as tx:
                await tx.execute(_MARK, self._marks(sent))
            events_published.add(len(sent))
        tried = {row.subject for row in rows}
        failed = {row.subject for row in rows if row not in sent}
        self._pause(failed, tried - failed)
        return len(sent)

    def _marks(self, sent: Mapping[Row[Any], int]) -> dict[str, list[Any]]:
        """The parameters of `_MARK`, from rows and the numbers of their messages."""
        return {
            "positions": [row.position for row in sent],
            "sequences": list(sent.values()),
            "macs": [row_codes.of_sent(self._db.keyring, r.event_id, n) for r, n in sent.items()],
        }

    async def _oldest(self) -> datetime | None:
        """When the oldest unpublished row was written. Asked often, so without a transaction."""
        async with self._db.engine.connect() as connection:
            oldest: datetime | None = await connection.scalar(_OLDEST)
        return oldest

    async def _unpublished(self, lease: Lease) -> Sequence[Row[Any]]:
        """The oldest unpublished rows whose subject is not paused."""
        now = asyncio.get_running_loop().time()
        stuck = [subject for subject, pause in self._paused.items() if pause.until > now]
        oldest = (
            select(outbox)
            .where(_UNPUBLISHED, outbox.c.subject.not_in(stuck))
            .order_by(outbox.c.position)
            .limit(BATCH)
        )
        async with lease.begin(SYSTEM) as tx:
            return (await tx.execute(oldest)).all()

    def _pause(self, failed: set[str], well: set[str]) -> None:
        """Pause the subjects that the broker refused, with growing delays; resume the others."""
        now = asyncio.get_running_loop().time()
        for subject in well:
            self._paused.pop(subject, None)
        for subject in failed:
            known = self._paused.get(subject)
            seconds = min(known.seconds * 2, PAUSE_SECONDS_MAX) if known else PAUSE_SECONDS
            self._paused[subject] = _Pause(now + seconds, seconds)

    async def _publish(self, row: Row[Any]) -> int | None:
        """Publish a row; return the number of its message in the stream, None after an error."""
        try:
            stored = await self._broker.jetstream.publish(
                row.subject,
                self._content(row),
                timeout=PUBLISH_TIMEOUT_SECONDS,
                headers=headers_of(row, self._source),
            )
        except Exception as error:  # whatever it was, the row stays and is sent again
            with telemetry.about(row.traceparent, event=str(row.event_id)):
                log.warning("event not published yet: %s", type(error).__name__)
            return None
        return stored.seq

    def _content(self, row: Row[Any]) -> bytes:
        if not row.sealed:
            return bytes(row.payload)
        return open_payload(bytes(row.payload), row.event_id, self._db.keyring)

    async def forget_old(self, lease: Lease) -> None:
        """Delete published outbox rows after KEEP_DAYS and inbox rows after INBOX_KEEP_DAYS."""
        is_published = outbox.c.published_at.is_not(None)
        async with lease.begin(SYSTEM) as tx:
            before = await _days_ago(tx, KEEP_DAYS)
            await tx.execute(delete(outbox).where(is_published, outbox.c.created_at < before))
        async with lease.begin(SYSTEM) as tx:
            before = await _days_ago(tx, INBOX_KEEP_DAYS)
            await tx.execute(delete(inbox).where(inbox.c.consumed_at < before))

    async def look_for_new_streams(self, lease: Lease) -> None:
        """If a stream was created anew, mark all kept outbox rows as unpublished again."""
        for stream in self._streams:
            made_at = await self._made_at(stream)
            if made_at is not None:
                async with lease.begin(SYSTEM) as tx:
                    await _note_stream(tx, stream, made_at)

    async def _made_at(self, stream: str) -> str | None:
        try:
            return await self._broker.stream_made_at(stream)
        except NotFoundError:
            return None
        except Exception as error:
            log.warning("stream %s does not answer: %s", stream, type(error).__name__)
            return None


async def oldest_waiting(db: Database) -> int | None:
    """Return the outbox position of the oldest unpublished event; None if there is none."""
    async with db.engine.connect() as connection:
        position: int | None = await connection.scalar(_OLDEST_POSITION)
    return position


async def _note_stream(tx: Tx, stream: str, made_at: str) -> None:
    known = await tx.scalar(
        select(outbox_streams.c.made_at).where(outbox_streams.c.stream == stream)
    )
    if known == made_at:
        return
    if known is not None:
        log.warning("stream %s was made anew: publishing what was kept", stream)
        kept = update(outbox).where(outbox.c.created_at > await _days_ago(tx, KEEP_DAYS))
        await tx.execute(kept.values(published_at=None, stream_sequence=None))
    upsert = insert(outbox_streams).values(stream=stream, made_at=made_at)
    await tx.execute(
        upsert.on_conflict_do_update(index_elements=["stream"], set_={"made_at": made_at})
    )


async def _days_ago(tx: Tx, days: int) -> datetime:
    """The moment some days ago by the database's clock, since ours may be wrong."""
    now: datetime = await tx.scalar(_NOW)
    return now - timedelta(days=days)
