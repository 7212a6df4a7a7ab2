"""Fixtures for the libraries' tests: a scratch schema with the common tables."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from audit_log.subtrees import install_nodes
from chassis.clock import system_clock
from chassis.db import Database
from host.dismissals import install_dismissals
from host.leases import install_leases
from host.schema import (
    IN_REGION,
    index_attempts,
    index_work_by_kind,
    install_v1,
    install_v2,
    protect_rows,
)
from partners.storage import install_partners
from sqlalchemy import Connection, Table, text
from sqlalchemy.ext.asyncio import create_async_engine
from vault.keyring import Keyring

SCHEMA, ROLE = "chassis_scratch", "chassis_scratch_runtime"


@pytest.fixture
async def db(postgres: Any, tmp_path: Path) -> AsyncIterator[Database]:
    parts = urlsplit(postgres.database.url)
    owner = urlunsplit(parts._replace(scheme="postgresql+asyncpg"))
    engine = create_async_engine(owner)
    async with engine.begin() as connection:
        await connection.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
        await connection.execute(text(f"DROP ROLE IF EXISTS {ROLE}"))
        await connection.execute(text(f"CREATE ROLE {ROLE} LOGIN PASSWORD 'scratch'"))
        await connection.execute(text(f"ALTER ROLE {ROLE} SET search_path = {SCHEMA}"))
        await connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        await connection.execute(text(f"GRANT USAGE ON SCHEMA {SCHEMA} TO {ROLE}"))
        await connection.execute(text(f"GRANT CONNECT ON DATABASE {parts.path[1:]} TO {ROLE}"))
        await connection.execute(text(f"SET search_path = {SCHEMA}"))
        await connection.run_sync(_install)
        await connection.execute(text("CREATE TABLE effects (name text NOT NULL)"))
        await connection.execute(text(f"GRANT SELECT, INSERT ON effects TO {ROLE}"))
    host = f"{ROLE}:scratch@{parts.hostname}:{parts.port}"
    database = Database(
        urlunsplit(("postgresql", host, parts.path, "", "")),
        service="scratch",
        keyring=Keyring(tmp_path / "keys"),
        clock=system_clock,
    )
    yield database
    await database.close()
    async with engine.begin() as connection:
        await connection.execute(text(f"DROP SCHEMA {SCHEMA} CASCADE"))
        await connection.execute(text(f"DROP OWNED BY {ROLE}"))
        await connection.execute(text(f"DROP ROLE {ROLE}"))
    await engine.dispose()


def _install(connection: Connection) -> None:
    operations = Operations(MigrationContext.configure(connection))
    install_v1(operations, ROLE)
    install_v2(operations, ROLE)
    index_attempts(operations)
    index_work_by_kind(operations)
    install_nodes(operations, ROLE)
    install_leases(operations, ROLE)
    install_dismissals(operations)
    install_partners(operations, ROLE, owned_by=())


@pytest.fixture
def owner_execute(postgres: Any, db: Database) -> Callable[..., Awaitable[None]]:
    """Return a function that executes an SQL statement as the owner of the scratch schema.

    The arguments are the statement and, by name, the values of the statement's parameters.
    """

    async def execute(statement: str, values: dict[str, Any]) -> None:
        parts = urlsplit(postgres.database.url)
        engine = create_async_engine(urlunsplit(parts._replace(scheme="postgresql+asyncpg")))
        async with engine.begin() as connection:
            await connection.execute(text(f"SET search_path = {SCHEMA}"))
            await connection.execute(text(statement), values)
        await engine.dispose()

    return execute


@pytest.fixture
def with_table(postgres: Any, db: Database) -> Callable[[Table], Awaitable[None]]:
    """Return a function that creates a table with row-level security: a transaction sees only the
    rows in the regions of its caller."""

    async def make(table: Table) -> None:
        def work(connection: Connection) -> None:
            operations = Operations(MigrationContext.configure(connection))
            operations.execute(f"SET search_path = {SCHEMA}")
            table.create(connection)
            operations.execute(f"GRANT SELECT, INSERT, UPDATE ON {table.name} TO {ROLE}")
            protect_rows(operations, table.name, visible=IN_REGION)

        parts = urlsplit(postgres.database.url)
        engine = create_async_engine(urlunsplit(parts._replace(scheme="postgresql+asyncpg")))
        async with engine.begin() as connection:
            await connection.run_sync(work)
        await engine.dispose()

    return make
