"""A read in a single round trip sees what its scope sees, whatever the connection did before."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from chassis.clock import new_id
from chassis.db import Database, storage_is_away
from chassis.transaction import SYSTEM, Scope
from sqlalchemy import (
    Column,
    Double,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    bindparam,
    cast,
    func,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError
from statements.reads import Read

RUNTIME_ROLE = "chassis_scratch_runtime"
ALMATY, ASTANA = Scope("operator", "a", ("KZ-75",)), Scope("operator", "b", ("KZ-71",))
places = Table(
    "places",
    MetaData(),
    Column("place_id", Uuid, primary_key=True),
    Column("region", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("share", Double),
)
BY_ID = Read(select(places).where(places.c.place_id == bindparam("place_id")))
OF_ALL = Read(select(places.c.region).where(places.c.size > bindparam("size")).order_by("region"))
COUNTED = Read(select(func.count().label("number")).select_from(places))
FIRST = Read(
    select(places.c.size).where(places.c.size >= bindparam("size")).order_by("size").limit(1)
)


@pytest.fixture
async def two(
    db: Database, with_table: Callable[[Table], Awaitable[None]]
) -> AsyncIterator[dict[str, UUID]]:
    """The ids of a place in each of two regions, by region."""
    await with_table(places)
    ids = {"KZ-71": new_id(), "KZ-75": new_id()}
    async with db.begin(SYSTEM) as tx:
        for size, (region, place_id) in enumerate(ids.items(), start=1):
            tx.add(places, {"place_id": place_id, "region": region, "size": size, "share": 0.5})
    yield ids


async def test_each_scope_sees_its_own_rows_by_whatever_plan(
    db: Database, two: dict[str, UUID]
) -> None:
    for _ in range(8):  # from the sixth on PostgreSQL may use a plan for all values
        for scope, region in ((ALMATY, "KZ-75"), (ASTANA, "KZ-71")):
            [row] = await db.read(scope, BY_ID, place_id=two[region])
            assert (row.place_id, row.region, row.share) == (two[region], region, 0.5)
            assert [row.region for row in await db.read(scope, OF_ALL, size=0)] == [region]
            assert [row.number for row in await db.read(scope, COUNTED)] == [1]
            other = two["KZ-71" if region == "KZ-75" else "KZ-75"]
            assert await db.read(scope, BY_ID, place_id=other) == []
    assert [row.number for row in await db.read(SYSTEM, COUNTED)] == [2]
    assert [row.size for row in await db.read(SYSTEM, FIRST, size=0)] == [1]


@pytest.mark.parametrize("forbidden", ["enable_seqscan", "enable_indexscan", "enable_nestloop"])
async def test_no_plan_reads_before_the_scope_is_set(
    db: Database,
    two: dict[str, UUID],
    owner_execute: Callable[..., Awaitable[None]],
    forbidden: str,
) -> None:
    await owner_execute(f"ALTER ROLE {RUNTIME_ROLE} SET {forbidden} = off", {})
    try:
        for scope in (SYSTEM, ALMATY, ASTANA, SYSTEM):
            found = await db.read(scope, OF_ALL, size=0)
            assert [row.region for row in found] == sorted(
                region for region in two if scope.sees(region)
            )
    finally:
        await owner_execute(f"ALTER ROLE {RUNTIME_ROLE} RESET {forbidden}", {})


async def test_nothing_of_the_scope_stays_on_the_connection(
    db: Database, two: dict[str, UUID]
) -> None:
    await db.read(SYSTEM, COUNTED)
    async with db.engine.connect() as connection:
        assert await connection.scalar(text("SELECT current_setting('app.regions', true)")) == ""
        assert await connection.scalar(select(func.count()).select_from(places)) == 0


async def test_many_at_once_are_told_apart(db: Database, two: dict[str, UUID]) -> None:
    asked = [(ALMATY, "KZ-75"), (ASTANA, "KZ-71")] * 40
    found = await asyncio.gather(*(db.read(scope, OF_ALL, size=0) for scope, _ in asked))
    assert [[row.region for row in rows] for rows in found] == [[region] for _, region in asked]


async def test_a_connection_that_ends_is_no_bug_and_is_not_used_again(
    db: Database, two: dict[str, UUID]
) -> None:
    pid = Read(select(func.pg_backend_pid().label("pid")))
    [before] = await db.read(SYSTEM, pid)

    class Ending:
        """As PostgreSQL's last word, that it terminates, leaves a connection of asyncpg."""

        async def rows_under(self, driver: Any, scope: Any, **values: Any) -> Any:
            raise asyncpg.InternalClientError('protocol is in the "failed" state')

    ending: Any = Ending()
    with pytest.raises(asyncpg.InternalClientError) as raised:
        await db.read(SYSTEM, ending)
    assert storage_is_away(raised.value)
    [after] = await db.read(SYSTEM, pid)
    assert after.pid != before.pid


async def test_a_wrong_value_or_an_interruption_leaves_the_pool_whole(
    db: Database, two: dict[str, UUID]
) -> None:
    slow = Read(select(func.pg_sleep(5).label("slept")))
    for _ in range(10):  # more than the pool has
        with pytest.raises(KeyError):
            await db.read(SYSTEM, BY_ID)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await db.read(SYSTEM, slow)
    divided = Read(select(cast(1 / bindparam("by", type_=Integer), Integer).label("share")))
    with pytest.raises(DBAPIError, match="division"):
        await db.read(SYSTEM, divided, by=0)
    assert [row.number for row in await db.read(SYSTEM, COUNTED)] == [2]
