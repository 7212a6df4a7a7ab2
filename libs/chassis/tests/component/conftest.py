"""A scratch schema with the chassis's tables, its runtime role, and two users of the broker."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from chassis.bus import Bus, client_tls
from chassis.clock import system_clock
from chassis.db import Database
from chassis.sealing import Keyring
from chassis.tables import index_attempts, install_v1, install_v2
from nats.js.api import DeliverPolicy
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

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
        service="scratch", keyring=Keyring(tmp_path / "keys"), clock=system_clock,
    )  # fmt: skip
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


@pytest.fixture
def owner_execute(postgres: Any, db: Database) -> Callable[..., Awaitable[None]]:
    """A statement that the runtime role may not execute."""

    async def execute(statement: str, values: dict[str, Any]) -> None:
        parts = urlsplit(postgres.database.url)
        engine = create_async_engine(urlunsplit(parts._replace(scheme="postgresql+asyncpg")))
        async with engine.begin() as connection:
            await connection.execute(text(f"SET search_path = {SCHEMA}"))
            await connection.execute(text(statement), values)
        await engine.dispose()

    return execute


async def connected(nats: Any, user: str) -> Bus:
    """Just as the service of that name connects."""
    pair = nats.certificates.service(user)
    tls = client_tls(pair.certificate, pair.key, nats.certificates.authority)
    return await Bus.connect(nats.nats_url, name=user, seed_file=nats.keys.nats_seed(user), tls=tls)


@pytest.fixture
async def producer(nats: Any) -> AsyncIterator[Bus]:
    bus = await connected(nats, "camera-registry")
    yield bus
    await bus.close()


@pytest.fixture
async def consumer_bus(nats: Any) -> AsyncIterator[Bus]:
    await begun_anew(nats)
    bus = await connected(nats, "inference-gateway")
    yield bus
    await bus.close()


async def begun_anew(nats: Any) -> None:
    """The consumer of the inference gateway, which its own tests may have left with much to do."""
    client = await nats.nats_client("provisioner")
    stream = client.jetstream()
    known = (await stream.consumer_info("CAMERAS", "inference-gateway")).config
    await stream.delete_consumer("CAMERAS", "inference-gateway")
    await stream.add_consumer("CAMERAS", replace(known, deliver_policy=DeliverPolicy.NEW))
    await client.close()
