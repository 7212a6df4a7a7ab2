"""Roles, schemas and streams are made at every start: twice the same, and mended where changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from nats.js import JetStreamContext
from tartip_cli.failures import Failure
from tartip_cli.provision.broker import Broker
from tartip_cli.provision.roles import Database
from tartip_cli.provision.streams import PROVISIONER
from tartip_cli.topology import DESK_SCHEMAS, SCHEMAS
from tartip_testing.mesh import RunningTestMesh

NAMES = (
    *(f"{schema}_{role}" for schema in SCHEMAS for role in ("owner", "runtime", "work", "seal")),
    *(f"{schema}_desk" for schema in DESK_SCHEMAS),
)
ROLES = """
SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolconfig::text
FROM pg_roles WHERE rolname = ANY($1) ORDER BY rolname
"""
SCHEMAS_OF = """
SELECT nspname, nspowner::regrole::text, nspacl::text FROM pg_namespace
WHERE nspname = ANY($1) ORDER BY nspname
"""
MEMBERS = """
SELECT roleid::regrole::text, member::regrole::text, inherit_option, set_option, admin_option
FROM pg_auth_members WHERE member::regrole::text = ANY($1) ORDER BY 1, 2
"""
DEFAULTS = """
SELECT defaclrole::regrole::text, defaclnamespace, defaclobjtype::text, defaclacl::text
FROM pg_default_acl ORDER BY 1, 2, 3
"""


async def rights(database: Database) -> list[list[tuple[Any, ...]]]:
    connection = await asyncpg.connect(database.url)
    try:
        found = [
            await connection.fetch(ROLES, NAMES),
            await connection.fetch(SCHEMAS_OF, list(SCHEMAS)),
            await connection.fetch(MEMBERS, NAMES),
            await connection.fetch(DEFAULTS),
        ]
    finally:
        await connection.close()
    return [[tuple(map(_sorted, row)) for row in rows] for rows in found]


def _sorted(value: Any) -> Any:
    """A list of rights in one order; PostgreSQL puts those last that were given last."""
    is_list = isinstance(value, str) and value.startswith("{")
    return sorted(value.strip("{}").split(",")) if is_list else value


async def test_roles_and_schemas_made_twice_are_the_same(postgres: RunningTestMesh) -> None:
    database = postgres.database
    before = await rights(database)
    assert [len(rows) for rows in before[:2]] == [len(NAMES), len(SCHEMAS)]
    assert before[2] == [
        (f"{schema}_runtime", f"{schema}_desk", True, False, False) for schema in DESK_SCHEMAS
    ]
    await database.provision()
    assert await rights(database) == before
    for schema in SCHEMAS:  # the passwords too
        for url in (database.owner_url(schema), *database.log_ins(schema).values()):
            await (await asyncpg.connect(url)).close()


async def test_a_right_that_was_taken_is_given_back(postgres: RunningTestMesh) -> None:
    database = postgres.database
    before = await rights(database)
    connection = await asyncpg.connect(database.url)
    await connection.execute("REVOKE USAGE ON SCHEMA fines FROM fines_runtime")
    await connection.close()
    assert await rights(database) != before
    await database.provision()
    assert [sorted(rows) for rows in await rights(database)] == [sorted(rows) for rows in before]


async def test_a_database_that_refuses_says_why(postgres: RunningTestMesh) -> None:
    as_service = replace(postgres.database, provisioner_url=postgres.database.runtime_url("fines"))
    with pytest.raises(Failure, match=r"(?s)cannot make roles and schemas: .*permission denied"):
        await as_service.provision()


@pytest.fixture
def broker(nats: RunningTestMesh) -> Broker:
    return Broker(
        url=nats.nats_url,
        certificates=nats.certificates,
        keys=nats.keys,
        topology=nats.description.streams,
    )


@asynccontextmanager
async def jetstream(nats: RunningTestMesh) -> AsyncIterator[JetStreamContext]:
    client = await nats.nats_client(PROVISIONER)
    try:
        yield client.jetstream()
    finally:
        await client.close()


async def described(nats: RunningTestMesh) -> dict[str, Any]:
    """Streams and consumers as the server has them, with the moments at which they were made."""
    async with jetstream(nats) as js:
        found: dict[str, Any] = {}
        for stream in nats.description.streams.streams:
            info = await js.stream_info(stream.name or "")
            consumers = await js.consumers_info(stream.name or "")
            found[stream.name or ""] = (
                info.created,
                info.config.as_dict(),
                sorted((c.name, str(c.created), str(c.config.as_dict())) for c in consumers),
            )
        return found


async def test_streams_and_consumers_made_twice_are_the_same(
    nats: RunningTestMesh, broker: Broker
) -> None:
    before = await described(nats)
    await broker.provision()
    assert await described(nats) == before
    assert all(before.values()) and any(consumers for *_, consumers in before.values())


async def test_a_stream_that_was_changed_is_brought_back(
    nats: RunningTestMesh, broker: Broker
) -> None:
    before = await described(nats)
    wanted = next(stream for stream in broker.topology.streams if stream.name == "SIGHTINGS")
    async with jetstream(nats) as js:
        await js.update_stream(replace(wanted, max_age=(wanted.max_age or 0) + 60))
    assert await described(nats) != before
    await broker.provision()
    assert await described(nats) == before


async def test_a_lost_consumer_is_made_again(nats: RunningTestMesh, broker: Broker) -> None:
    async with jetstream(nats) as js:
        await js.delete_consumer("FINES", "citizen-reports")
        await broker.provision()
        again = await js.consumer_info("FINES", "citizen-reports")
    assert again.config.filter_subjects == ["fines.v1.issued"]
