"""An older data folder: apps that have handed in reports go on as they did."""

import asyncio
import secrets
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import citizen_reports
from alembic import command
from alembic.config import Config
from partners.model import PartnerScope
from tartip_testing.mesh import RunningTestMesh

FOLDER = Path(citizen_reports.__file__).parents[2] / "migrations"
SCHEMA = "reports_before"
ROWS = """
INSERT INTO partner_sequences VALUES ('egov', 7);
INSERT INTO requests (caller, request_id, fingerprint) VALUES
    ('partner/kaspi', '00000000-0000-7000-8000-0000000000aa', 'x'),
    ('operator/dispatcher-1', '00000000-0000-7000-8000-0000000000bb', 'x');
"""


async def test_apps_of_before_have_a_row_with_all_scopes(engines: RunningTestMesh) -> None:
    owner = await a_schema_of_its_own(engines)
    await asyncio.to_thread(command.upgrade, configured(owner), "0005")
    connection = await asyncpg.connect(owner)
    await connection.execute(f"SET search_path = {SCHEMA}")
    await connection.execute(ROWS)
    await asyncio.to_thread(command.upgrade, configured(owner), "head")
    await connection.execute("SELECT set_config('app.kind', 'system', false)")
    found = await connection.fetch("SELECT * FROM partners ORDER BY name")
    await connection.close()
    assert [row["name"] for row in found] == ["egov", "kaspi"]
    assert {row["changed_by"] for row in found} == {"system/migration"}
    assert all(set(row["scopes"]) == set(PartnerScope) and not row["kinds"] for row in found)


async def a_schema_of_its_own(engines: RunningTestMesh) -> str:
    """The schema's address for its owner, who is not a superuser."""
    parts, password = urlsplit(engines.database.url), secrets.token_hex(16)
    administrator = await asyncpg.connect(engines.database.url)
    await administrator.execute(
        f"CREATE ROLE {SCHEMA}_runtime; CREATE ROLE {SCHEMA}_work; CREATE ROLE {SCHEMA}_seal;"
        f"CREATE ROLE {SCHEMA}_owner LOGIN PASSWORD '{password}';"
        f"CREATE SCHEMA {SCHEMA} AUTHORIZATION {SCHEMA}_owner;"
        f'GRANT CONNECT ON DATABASE "{parts.path[1:]}" TO {SCHEMA}_owner'
    )
    await administrator.close()
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{SCHEMA}_owner:{password}@{host}"))


def configured(owner_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes.update(owner_url=owner_url, schema=SCHEMA)
    return config
