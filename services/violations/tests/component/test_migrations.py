"""A data folder of an older version starts under this one, with what it knew."""

import asyncio
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from tartip_testing.mesh import RunningTestMesh
from violations.app import MIGRATIONS

SCHEMA = "violations"


@pytest.fixture
def database(engines: RunningTestMesh) -> Iterator[tuple[str, str]]:
    """An empty database with the schema: the address of its owner, and the provisioner's."""
    name = f"scratch_{uuid4().hex}"
    owner, provisioner = (
        urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
        for url in (engines.database.owner_url(SCHEMA), engines.database.url)
    )
    run(engines.database.url, f"CREATE DATABASE {name}")
    run(provisioner, f"CREATE SCHEMA {SCHEMA} AUTHORIZATION {SCHEMA}_owner")
    yield owner, provisioner
    run(engines.database.url, f"DROP DATABASE {name} WITH (FORCE)")


def run(url: str, statement: str) -> list[Any]:
    async def once() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    return asyncio.run(once())


def upgrade(owner: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes.update(owner_url=owner, schema=SCHEMA)
    command.upgrade(config, revision)


def violation_of(camera: UUID, evidence: str, second: int) -> str:
    """As version 0002 wrote it down."""
    read = uuid4()
    return (
        f"WITH read AS (INSERT INTO {SCHEMA}.reads (read_id, camera_id, captured_at, key_id,"
        " readings, evidence_sha256, models_fingerprint, story, received_at)"
        f" VALUES ('{read}', '{camera}', now(), '{uuid4()}', '{{}}', '{evidence}', '', '', now())"
        f" RETURNING read_id) INSERT INTO {SCHEMA}.violations (violation_id, state, source, region,"
        " camera_id, read_id, latitude, longitude, occurred_at, detected_at, key_id,"
        " address_sealed, plate_sealed, plate_index, rule, offence_code, article, rules_version,"
        " rules_sha256, dedupe_seconds, dedupe_window, evidence_sha256, models_fingerprint, hold,"
        " version, story)"
        f" SELECT '{uuid4()}', 'REVIEW', 'DEVICE', 'KZ-75', '{camera}', read_id, 43, 76, now(),"
        f" now() + interval '{second} s', '{uuid4()}', '', '', 'p{second}', 'SPEED', 'SPEED_20_40',"
        f" '592(2)', '', '', 600, {second}, ARRAY['{evidence}'], '', '', 1, '' FROM read"
        " RETURNING violation_id"
    )


def test_evidence_of_older_violations_stays_with_the_first_that_had_it(
    database: tuple[str, str],
) -> None:
    owner, provisioner = database
    upgrade(owner, "0002")
    camera, shared, own = uuid4(), "ab" * 32, "cd" * 32
    ids = [
        run(provisioner, violation_of(camera, evidence, second))[0]["violation_id"]
        for second, evidence in enumerate((shared, shared, own))
    ]
    upgrade(owner, "head")
    uses = run(provisioner, f"SELECT sha256, violation_id FROM {SCHEMA}.evidence_uses")
    assert {row["sha256"]: row["violation_id"] for row in uses} == {shared: ids[0], own: ids[2]}
    kept = run(provisioner, f"SELECT violation_id FROM {SCHEMA}.violations")
    assert {row["violation_id"] for row in kept} == set(ids)
