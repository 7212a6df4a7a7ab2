"""Measures the state of a process: outbox, scheduled work, audit log, connection pools, broker.

The gauges described in infra/otel/metrics.yaml are set before every export, and at least every
`EVERY_SECONDS`. At most `COUNTED_MAX` rows of a table, or of a kind of work, are counted, so that
measuring stays fast after an outage.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chassis.clock import made_at
from chassis.db import Database
from chassis.telemetry import meter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from host.broker import Broker

EVERY_SECONDS = 10.0
DATABASE_SECONDS = 5.0
COUNTED_MAX = 100_000
log = logging.getLogger(__name__)

outbox_age = meter.create_gauge("tartip.outbox.oldest_unpublished", unit="s")
outbox_rows = meter.create_gauge("tartip.outbox.unpublished", unit="{event}")
work_overdue = meter.create_gauge("tartip.work.overdue", unit="{row}")
work_age = meter.create_gauge("tartip.work.oldest_overdue", unit="s")
dead_letter_rows = meter.create_gauge("tartip.dead_letters", unit="{event}")
unsealed_age = meter.create_gauge("tartip.audit.oldest_unsealed", unit="s")
database_reachable = meter.create_gauge("tartip.database.reachable", unit="{database}")
clock_skew = meter.create_gauge("tartip.clock.skew", unit="s")
connections = meter.create_gauge("db.client.connection.count", unit="{connection}")
connections_max = meter.create_gauge("db.client.connection.max", unit="{connection}")
connections_awaited = meter.create_gauge("db.client.connection.pending_requests", unit="{request}")
broker_connected = meter.create_gauge("tartip.broker.connected", unit="{connection}")
broker_reconnects = meter.create_counter("tartip.broker.reconnects", unit="{reconnect}")
consumer_lag = meter.create_gauge("tartip.consumer.lag", unit="{event}")
consumer_unacknowledged = meter.create_gauge("tartip.consumer.unacknowledged", unit="{event}")

_MOST = {"most": COUNTED_MAX}
_OUTBOX = text(
    "SELECT count(*) AS waiting, min(created_at) AS oldest FROM"
    " (SELECT created_at FROM outbox WHERE published_at IS NULL ORDER BY position LIMIT :most)"
    " AS counted"
)
# The kinds that there are, one after the other, and the due rows of each: no other row is read.
_WORK = text(
    "WITH RECURSIVE kinds AS (SELECT min(kind) AS kind FROM work WHERE done_at IS NULL UNION ALL"
    " SELECT (SELECT min(work.kind) FROM work WHERE done_at IS NULL AND work.kind > kinds.kind)"
    " FROM kinds WHERE kinds.kind IS NOT NULL)"
    " SELECT kinds.kind, counted.waiting, counted.oldest FROM kinds CROSS JOIN LATERAL"
    " (SELECT count(*) AS waiting, min(due_at) AS oldest FROM"
    " (SELECT due_at FROM work WHERE done_at IS NULL AND work.kind = kinds.kind"
    " AND due_at <= :now ORDER BY due_at LIMIT :most) AS due) AS counted"
    " WHERE counted.waiting > 0"
)
_DEAD_LETTERS = text("SELECT count(*) FROM (SELECT FROM dead_letters LIMIT :most) AS counted")
_OLDEST_UNSEALED = text("SELECT entry_id FROM audit_pending ORDER BY entry_id LIMIT 1")


class DatabaseMeasures:
    """Measures a service's database: its pools, and the tables of the chassis in its schema."""

    def __init__(
        self, db: Database, *, pools: Mapping[str, Database], kinds: Sequence[str]
    ) -> None:
        """`db` reads the tables. `pools` are the service's log-ins by the names that their pools
        have in metrics, `kinds` are the kinds of work done here."""
        self._db = db
        self._pools = pools
        self._kinds = kinds

    async def measure(self) -> None:
        """Set all gauges.

        If the database does not answer within DATABASE_SECONDS, set only the gauges of the pools,
        the clock and the database's reachability.
        """
        self.measure_pools()
        try:
            async with asyncio.timeout(DATABASE_SECONDS), self._db.engine.connect() as connection:
                await self._measure_tables(connection)
        except Exception as error:
            log.warning("the database is not measured: %s", type(error).__name__, exc_info=error)
            database_reachable.set(0)
        else:
            database_reachable.set(1)

    def measure_pools(self) -> None:
        """Set the gauges of the pools and of the clock, without asking the database."""
        for name, db in self._pools.items():
            _measure_pool(name, db)
        clock_skew.set(self._db.clock_skew_seconds)

    async def _measure_tables(self, connection: AsyncConnection) -> None:
        waiting, oldest = (await connection.execute(_OUTBOX, _MOST)).one()
        outbox_rows.set(waiting)
        outbox_age.set(self._age(oldest))
        overdue = await connection.execute(_WORK, {**_MOST, "now": self._db.clock()})
        by_kind: dict[str, Any] = {row.kind: row for row in overdue}
        for kind in {*self._kinds, *by_kind}:
            row = by_kind.get(kind)
            work_overdue.set(row.waiting if row else 0, {"kind": kind})
            work_age.set(self._age(row.oldest if row else None), {"kind": kind})
        dead_letter_rows.set(await connection.scalar(_DEAD_LETTERS, _MOST))
        unsealed = await connection.scalar(_OLDEST_UNSEALED)
        unsealed_age.set(self._age(made_at(unsealed) if unsealed else None))

    def _age(self, since: datetime | None) -> float:
        return max(0.0, (self._db.clock() - since).total_seconds()) if since else 0.0


def _measure_pool(name: str, db: Database) -> None:
    labels, pool = {"db.client.connection.pool.name": name}, db.pool
    for state, count in (("used", pool.checkedout()), ("idle", pool.checkedin())):
        connections.set(count, {**labels, "db.client.connection.state": state})
    connections_max.set(pool.size(), labels)
    connections_awaited.set(pool.awaited, labels)


class BrokerMeasures:
    """Measures the connection to the broker, and this process's durable consumers."""

    def __init__(self, broker: Broker, *, durable: str, streams: Sequence[str]) -> None:
        self._broker = broker
        self._durable = durable
        self._streams = streams
        self._reconnects = 0

    async def measure(self) -> None:
        """Set all gauges; without a connection, those of the consumers keep their values."""
        is_connected = self._broker.is_connected
        broker_connected.set(int(is_connected))
        broker_reconnects.add(self._broker.reconnects - self._reconnects)
        self._reconnects = self._broker.reconnects
        for stream in self._streams if is_connected else ():
            try:
                found = await self._broker.jetstream.consumer_info(stream, self._durable)
            except Exception as error:
                log.warning("consumer of %s is not measured: %s", stream, type(error).__name__)
                continue
            consumer_lag.set(found.num_pending or 0, {"stream": stream})
            consumer_unacknowledged.set(found.num_ack_pending or 0, {"stream": stream})


async def keep_measuring(
    measures: Sequence[DatabaseMeasures | BrokerMeasures], *, export_seconds: float
) -> None:
    """Call `measure` of each object until cancelled: as often as metrics are exported, and at least
    every EVERY_SECONDS."""
    while True:
        for measure in measures:
            await measure.measure()
        await asyncio.sleep(min(EVERY_SECONDS, export_seconds))
