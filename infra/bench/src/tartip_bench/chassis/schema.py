"""The database schema of the bench: the chassis's own tables, and the tables that calls read and
write.

The chassis server uses the tables `places` and `notes`, which have row-level security. The bare
server uses `bare_places` and `bare_notes`, which have none.
"""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from alembic.migration import MigrationContext
from alembic.operations import Operations
from host.leases import install_leases
from host.schema import IN_REGION, install_v1, install_v2, protect_rows
from sqlalchemy import Column, Connection, MetaData, Table, Text, Uuid, text
from sqlalchemy.ext.asyncio import create_async_engine

SCHEMA, ROLE, PASSWORD = "bench_calls", "bench_calls_runtime", "bench"
ROWS = 1000
REGION = "KZ-75"

metadata = MetaData()
# What is read: a row by its key, under row-level security.
places = Table(
    "places",
    metadata,
    Column("name", Text, primary_key=True),
    Column("region", Text, nullable=False),
    Column("content", Text, nullable=False),
)
# What is written: a row a call.
notes = Table(
    "notes",
    metadata,
    Column("note_id", Uuid, primary_key=True),
    Column("region", Text, nullable=False),
    Column("content", Text, nullable=False),
)
# What the bare counterpart reads, and writes twice a call; no row-level security.
bare_places = Table(
    "bare_places",
    metadata,
    Column("name", Text, primary_key=True),
    Column("content", Text, nullable=False),
)
bare_notes = Table(
    "bare_notes",
    metadata,
    Column("note_id", Uuid, primary_key=True),
    Column("content", Text, nullable=False),
)


async def made(owner_url: str) -> str:
    """Create the schema, its tables and its role in the database at `owner_url`. Returns the URL
    with which the servers connect."""
    parts = urlsplit(owner_url)
    owner = urlunsplit(parts._replace(scheme="postgresql+asyncpg"))
    engine = create_async_engine(owner)
    async with engine.begin() as connection:
        for statement in (
            f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'",
            f"ALTER ROLE {ROLE} SET search_path = {SCHEMA}",
            f"CREATE SCHEMA {SCHEMA}",
            f"GRANT USAGE ON SCHEMA {SCHEMA} TO {ROLE}",
            f"GRANT CONNECT ON DATABASE {parts.path[1:]} TO {ROLE}",
            f"SET search_path = {SCHEMA}",
        ):
            await connection.execute(text(statement))
        await connection.run_sync(_install)
    await engine.dispose()
    host = f"{ROLE}:{PASSWORD}@{parts.hostname}:{parts.port}"
    return urlunsplit(("postgresql", host, parts.path, "", ""))


def _install(connection: Connection) -> None:
    op = Operations(MigrationContext.configure(connection))
    install_v1(op, ROLE)
    install_v2(op, ROLE)
    install_leases(op, ROLE)
    metadata.create_all(connection)
    filled = [{"name": str(n), "region": REGION, "content": "x" * 100} for n in range(ROWS)]
    connection.execute(places.insert(), filled)
    bare = [{"name": row["name"], "content": row["content"]} for row in filled]
    connection.execute(bare_places.insert(), bare)
    for table in (places, notes, bare_places, bare_notes):
        op.execute(f'GRANT SELECT, INSERT ON {table.name} TO "{ROLE}"')
    for table in (places, notes):
        protect_rows(op, table.name, visible=IN_REGION)
