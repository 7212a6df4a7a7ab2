"""What lies in a mesh besides answers: tables, events, logs, spans, metrics, evidence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import asyncpg
from tartip_cli.topology import SCHEMAS
from tartip_testing.mesh import RunningTestMesh

from .asking import unescaped


async def rows(mesh: RunningTestMesh) -> dict[str, bytes]:
    """All rows of the services' tables as text, by "schema.table", as a superuser sees them."""
    connection = await asyncpg.connect(mesh.database.url)
    try:
        tables = await connection.fetch(
            "SELECT schemaname AS schema, tablename AS name FROM pg_tables"
            " WHERE schemaname = ANY($1)",
            list(SCHEMAS),
        )
        found = {}
        for table in tables:
            name = f"{table['schema']}.{table['name']}"
            texts = await connection.fetch(f"SELECT t::text AS row FROM {name} AS t")
            found[name] = "\n".join(one["row"] for one in texts).encode()
        return found
    finally:
        await connection.close()


async def events(mesh: RunningTestMesh) -> list[tuple[str, bytes]]:
    """All events that were ever published, with their subjects."""
    connection = await asyncpg.connect(mesh.database.url)
    try:
        found = []
        for schema in SCHEMAS:
            query = f"SELECT subject, aggregate, payload FROM {schema}.outbox"
            for one in await connection.fetch(query):
                found.append((one["subject"], one["aggregate"].encode() + bytes(one["payload"])))
        return found
    finally:
        await connection.close()


def files(mesh: RunningTestMesh) -> Iterator[tuple[str, bytes]]:
    """Logs, spans, metrics, evidence and what the broker has stored, by path."""
    for folder in (mesh.home.logs, mesh.home.spans, mesh.home.evidence, mesh.home.nats):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                content = _read(path)
                yield str(path.relative_to(mesh.home.path)), content + unescaped(content)


def _read(path: Path) -> bytes:
    """The content of a file; nothing of one that was removed meanwhile."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
