"""What waits, what is overdue and what is in use is measured as it is."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from chassis.clock import system_clock
from chassis.db import Database
from chassis.transaction import SYSTEM
from host.broker import Broker
from host.outbox import Relay
from host.telemetry.measures import BrokerMeasures, DatabaseMeasures
from sqlalchemy import text
from vault.keyring import Keyring

from .conftest import Measured
from .test_events import emit

POOL, STATE = "db_client_connection_pool_name", "db_client_connection_state"
CALLS = "db_client_connection_pending_requests"


def measures_of(db: Database, *kinds: str) -> DatabaseMeasures:
    return DatabaseMeasures(db, pools={"calls": db}, kinds=kinds)


async def test_events_that_wait_are_counted_with_the_age_of_the_oldest(
    db: Database, measured: Measured
) -> None:
    await measures_of(db).measure()
    assert measured("tartip_outbox_unpublished") == {(): 0.0}
    assert measured("tartip_outbox_oldest_unpublished_seconds") == {(): 0.0}
    await emit(db, "a", "b", "c")
    await asyncio.sleep(0.1)
    await measures_of(db).measure()
    assert measured("tartip_outbox_unpublished") == {(): 3.0}
    assert measured("tartip_outbox_oldest_unpublished_seconds")[()] >= 0.1
    assert measured("tartip_database_reachable") == {(): 1.0}


async def test_overdue_work_is_counted_by_kind_and_what_is_due_later_is_not(
    db: Database, measured: Measured
) -> None:
    now = system_clock()
    async with db.begin(SYSTEM) as tx:
        await tx.schedule("letter", "one", due_at=now - timedelta(hours=2))
        await tx.schedule("letter", "two", due_at=now - timedelta(minutes=1))
        await tx.schedule("deadline", "three", due_at=now + timedelta(hours=1))
    await measures_of(db, "letter", "deadline").measure()
    overdue = measured("tartip_work_overdue", "kind")
    assert overdue["letter",] == 2.0 and overdue["deadline",] == 0.0
    oldest = measured("tartip_work_oldest_overdue_seconds", "kind")
    assert 7200 <= oldest["letter",] < 7300 and oldest["deadline",] == 0.0


async def test_an_audit_entry_without_a_head_is_as_old_as_it_is(
    db: Database, measured: Measured
) -> None:
    await measures_of(db).measure()
    assert measured("tartip_audit_oldest_unsealed_seconds") == {(): 0.0}
    async with db.begin(SYSTEM) as tx:
        tx.audit("look", "thing:1", region="KZ-75")
    await asyncio.sleep(0.1)
    await measures_of(db).measure()
    assert 0.1 <= measured("tartip_audit_oldest_unsealed_seconds")[()] < 60


async def test_connections_in_use_and_tasks_that_wait_for_one_are_counted(
    db: Database, measured: Measured
) -> None:
    most = db.pool.size()
    release = asyncio.Event()

    async def holds() -> None:
        async with db.begin(SYSTEM) as tx:
            await tx.execute(text("SELECT 1"))
            await release.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(most + 2):
            group.create_task(holds())
        async with asyncio.timeout(60):
            while db.pool.awaited != 2 or db.pool.checkedout() < most:
                await asyncio.sleep(0.02)
        measures = measures_of(db)
        measures.measure_pools()
        assert measured("db_client_connection_count", POOL, STATE)["calls", "used"] == most
        assert measured(CALLS, POOL)["calls",] == 2.0
        assert measured("db_client_connection_max", POOL)["calls",] == most
        release.set()
    await measures_of(db).measure()
    assert measured("db_client_connection_count", POOL, STATE)["calls", "used"] == 0
    assert measured(CALLS, POOL)["calls",] == 0.0


async def test_a_database_that_does_not_answer_is_told_and_ends_nothing(
    tmp_path: Path, measured: Measured
) -> None:
    nowhere = Database(
        "postgresql://nobody@127.0.0.1:9/nothing",
        service="scratch",
        keyring=Keyring(tmp_path),
        clock=system_clock,
    )
    await measures_of(nowhere).measure()
    assert measured("tartip_database_reachable") == {(): 0.0}
    await nowhere.close()


async def test_events_that_a_consumer_was_not_sent_are_its_lag(
    db: Database, producer: Broker, consumer_broker: Broker, measured: Measured
) -> None:
    measures: Any = BrokerMeasures(
        consumer_broker, durable="inference-gateway", streams=("CAMERAS",)
    )
    await measures.measure()
    before = measured("tartip_consumer_lag", "stream")["CAMERAS",]
    assert measured("tartip_broker_connected") == {(): 1.0}
    await emit(db, "a", "b", "c")
    relay = asyncio.ensure_future(Relay(db, producer, source="scratch", streams=("CAMERAS",)).run())
    async with asyncio.timeout(60):
        while measured("tartip_consumer_lag", "stream")["CAMERAS",] < before + 3:
            await asyncio.sleep(0.2)
            await measures.measure()
    relay.cancel()
