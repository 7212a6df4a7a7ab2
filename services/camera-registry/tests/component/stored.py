"""What the register's tables hold, read past row-level security, and what it has audited."""

import json
from typing import Any

import asyncpg
from tartip_testing.mesh import RunningTestMesh


async def rows(engines: RunningTestMesh, query: str, *values: object) -> list[Any]:
    connection = await asyncpg.connect(engines.database.url)
    try:
        await connection.execute("SET search_path = camera_registry")
        return list(await connection.fetch(query, *values))
    finally:
        await connection.close()


async def everything(engines: RunningTestMesh) -> bytes:
    """All rows of all tables of the register, as text."""
    tables = await rows(
        engines, "SELECT tablename FROM pg_tables WHERE schemaname = 'camera_registry'"
    )
    found = b""
    for table in tables:
        name = table["tablename"]
        for row in await rows(engines, f'SELECT * FROM "{name}"'):
            found += b"\n".join(
                cell if isinstance(cell, bytes) else str(cell).encode() for cell in row
            )
    return found


async def audited(engines: RunningTestMesh, about: str) -> list[dict[str, Any]]:
    found = await rows(
        engines,
        "SELECT canonical FROM audit WHERE position(convert_to($1, 'UTF8') in canonical) > 0"
        " ORDER BY position",
        about,
    )
    return [json.loads(row["canonical"]) for row in found]
