"""A service that is rolled back leaves the schema of the later release as it is."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from host.migrations import migrate

SCHEMA = "migrations_scratch"
ROLES = f"{SCHEMA}_runtime, {SCHEMA}_work, {SCHEMA}_seal"
ENVIRONMENT = "from host.migrations import run_env\n\nrun_env()\n"
VERSION = """from alembic import op

revision, down_revision = "{number}", {before}


def upgrade() -> None:
    op.execute("CREATE TABLE made_by_{number} (n int)")
"""


def history(folder: Path, count: int) -> Path:
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(ENVIRONMENT)
    for number in range(1, count + 1):
        before = repr(f"{number - 1:04}") if number > 1 else None
        text = VERSION.format(number=f"{number:04}", before=before)
        (folder / "versions" / f"{number:04}.py").write_text(text)
    return folder


@pytest.fixture
async def connection(postgres: Any) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(postgres.database.url)
    await connection.execute(f"CREATE SCHEMA {SCHEMA}")
    for role in ROLES.split(", "):
        await connection.execute(f"CREATE ROLE {role}")
    yield connection
    await connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE; DROP ROLE {ROLES}")
    await connection.close()


async def tables(connection: Any) -> list[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY 1"
    return [row["tablename"] for row in await connection.fetch(query, SCHEMA)]


async def test_a_schema_of_a_later_release_is_left_as_it_is(
    postgres: Any, connection: Any, tmp_path: Path
) -> None:
    url = postgres.database.url
    before, after = history(tmp_path / "before", 1), history(tmp_path / "after", 2)
    for folder, version in ((before, "0001"), (after, "0002"), (before, "0002"), (after, "0002")):
        await asyncio.to_thread(migrate, folder, owner_url=url, schema=SCHEMA)
        query = f"SELECT version_num FROM {SCHEMA}.alembic_version"
        assert await connection.fetchval(query) == version
    assert await tables(connection) == ["alembic_version", "made_by_0001", "made_by_0002"]
