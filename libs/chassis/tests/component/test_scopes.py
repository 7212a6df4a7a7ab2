"""Who sees which rows: a scope travels as names, and no name becomes two on its way."""

import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from chassis.db import Database
from chassis.transaction import Scope
from host.schema import IN_REGION, IS_OPERATOR, has_role, install_v3, protect_rows
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

SCHEMA, ROLE = "chassis_scratch", "chassis_scratch_runtime"
# As policies were before: the tables of older data have them until they are migrated.
SPLIT = "string_to_array(current_setting('app.{}', true), ',')"
OLD_REGION = (
    f"(current_setting('app.regions', true) = '*' OR region = ANY({SPLIT.format('regions')}))"
)
OLD_ROLE = f"('inspector' = ANY({SPLIT.format('roles')}))"


@pytest.fixture
def on_schema(postgres: Any, db: Database) -> Callable[..., Awaitable[Any]]:
    """Runs a function on the owner's connection to the scratch schema."""

    async def run(work: Callable[[Connection], Any]) -> Any:
        parts = urlsplit(postgres.database.url)
        engine = create_async_engine(urlunsplit(parts._replace(scheme="postgresql+asyncpg")))
        async with engine.begin() as connection:
            await connection.execute(text(f"SET search_path = {SCHEMA}"))
            result = await connection.run_sync(work)
        await engine.dispose()
        return result

    return run


def make(*, visible: str) -> Callable[[Connection], None]:
    """A table `places` with a row in Almaty and one in Astana, under a policy."""

    def work(connection: Connection) -> None:
        op = Operations(MigrationContext.configure(connection))
        op.execute("CREATE TABLE places (region text NOT NULL)")
        op.execute("INSERT INTO places VALUES ('KZ-75'), ('KZ-71')")
        op.execute(f"GRANT SELECT, INSERT ON places TO {ROLE}")
        protect_rows(op, "places", visible=visible)

    return work


def install(connection: Connection) -> None:
    install_v3(Operations(MigrationContext.configure(connection)))


def policies(connection: Connection) -> list[str]:
    of_places = "schemaname = current_schema() AND tablename = 'places'"
    found = connection.execute(
        text(f"SELECT concat(qual, with_check) FROM pg_policies WHERE {of_places}")
    )
    return list(found.scalars())


async def seen(db: Database, regions: tuple[str, ...], roles: tuple[str, ...]) -> list[str]:
    async with db.begin(Scope("operator", "inspector-1", regions, roles)) as tx:
        found = await tx.execute(text("SELECT region FROM places ORDER BY region"))
        return list(found.scalars())


NEW = f"{IS_OPERATOR} AND {IN_REGION} AND {has_role('inspector')}"
OLD = f"{IS_OPERATOR} AND {OLD_REGION} AND {OLD_ROLE}"


@pytest.mark.parametrize("visible", [NEW, OLD], ids=["new", "migrated"])
async def test_a_scope_sees_the_rows_of_its_regions_and_roles_alone(
    db: Database, on_schema: Callable[..., Awaitable[Any]], visible: str
) -> None:
    await on_schema(make(visible=visible))
    await on_schema(install)
    inspector = ("finance", "inspector")
    assert await seen(db, ("KZ-75",), inspector) == ["KZ-75"]
    assert await seen(db, ("KZ-71", "KZ-75"), inspector) == ["KZ-71", "KZ-75"]
    assert await seen(db, ("*",), inspector) == ["KZ-71", "KZ-75"]
    assert await seen(db, ("*", "KZ-19"), inspector) == ["KZ-71", "KZ-75"]
    for regions in ((), ("",), ("KZ-75,KZ-71",), ('KZ-75","KZ-71',), ('["*"]',), ("KZ-7",)):
        assert await seen(db, regions, inspector) == [], regions
    for roles in ((), ("",), ("finance,inspector",), ("inspector,",), ('x","inspector',)):
        assert await seen(db, ("*",), roles) == [], roles
    async with db.engine.connect() as connection:  # no scope at all
        assert (await connection.execute(text("SELECT region FROM places"))).all() == []


async def test_a_migrated_policy_splits_nothing_and_is_as_a_new_one(
    db: Database, on_schema: Callable[..., Awaitable[Any]]
) -> None:
    await on_schema(make(visible=OLD))
    assert "string_to_array" in "".join(await on_schema(policies))
    await on_schema(install)
    [migrated] = await on_schema(policies)
    await on_schema(install)  # again: nothing is left to change
    assert await on_schema(policies) == [migrated]
    await on_schema(lambda connection: connection.execute(text("DROP TABLE places")))
    await on_schema(make(visible=NEW))
    [made_new] = await on_schema(policies)
    assert re.sub(r"\s+", " ", migrated) == re.sub(r"\s+", " ", made_new)
