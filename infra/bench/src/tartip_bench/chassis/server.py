"""`python -m tartip_bench.chassis.server KIND CONFIG`: serves the measured calls until SIGTERM.

KIND is `chassis` (with the library of all services) or `bare` (with grpc.aio and asyncpg alone).
Both kinds serve the same calls, which read a row or write rows. The kind `sink` serves one call,
which takes bytes and drops them, with grpc.aio alone.

CONFIG is a JSON file. It has the `address` to serve at, the URL of the `database`, and the OTLP
endpoint `collector`. The entries `certificate` and `key` are paths of files. The entry
`authorities` is a folder with the certificate authorities of clients; the entry `keys` is a folder
with encryption keys.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import grpc
import uvloop
from chassis.authorities import Authorities
from chassis.call_context import current_caller
from chassis.clock import new_id, system_clock
from chassis.db import Database
from chassis.event import Event
from chassis.identity import TokenVerifier, allow
from chassis.settings import Settings
from chassis.transaction import Tx
from google.protobuf.wrappers_pb2 import BytesValue, Int64Value, StringValue
from host.gate import Gate
from host.pauses import keep_pauses_short
from host.server import GrpcServer
from host.shares import Shares
from host.telemetry.providers import set_up
from sqlalchemy import bindparam, insert, select
from statements.reads import Read
from vault.keyring import Keyring

from tartip_bench.chassis.contract import METHODS, SERVICE, SINK, declare
from tartip_bench.chassis.schema import REGION, notes, places

CALLER = "tartip-cli"
POOL = 8
_CONTENT = Read(select(places.c.content).where(places.c.name == bindparam("name")))
_NOTE = insert(notes)
Config = dict[str, str]


class ChassisNotes:
    """The handlers of the chassis server, structured like the API and use cases of a service."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def read(self, request: StringValue, context: Any) -> StringValue:
        [row] = await self._db.read(current_caller().scope, _CONTENT, name=request.value)
        return StringValue(value=row.content)

    async def write(self, request: StringValue, context: Any) -> StringValue:
        """Insert the row, its audit entry, its event and the request's id in one statement. A
        request whose id is already stored writes nothing."""
        return await self._write(request, shared=False)

    async def write_shared(self, request: StringValue, context: Any) -> StringValue:
        """Insert the same rows as `write`. Several concurrent calls share one commit."""
        return await self._write(request, shared=True)

    async def write_by_statements(self, request: StringValue, context: Any) -> StringValue:
        """Insert the same rows as `write`, each by a separate statement. Use cases that also read
        in the transaction do this."""
        caller, note_id = current_caller(), UUID(request.value)
        async with self._db.begin(caller.scope) as tx:
            if await tx.once(caller.key, note_id, _content(request)):
                await tx.execute(_NOTE, _row(note_id, request))
                _tell(tx, note_id, request)
        return request

    async def _write(self, request: StringValue, *, shared: bool) -> StringValue:
        caller, note_id = current_caller(), UUID(request.value)
        async with self._db.begin(caller.scope, shared=shared) as tx:
            tx.write_once(caller.key, note_id, _content(request))
            tx.add(notes, _row(note_id, request))
            _tell(tx, note_id, request)
        return request


def _content(request: StringValue) -> bytes:
    return request.SerializeToString(deterministic=True)


def _row(note_id: UUID, request: StringValue) -> dict[str, Any]:
    return {"note_id": note_id, "region": REGION, "content": request.value}


def _tell(tx: Tx, note_id: UUID, request: StringValue) -> None:
    tx.emit(Event("cameras.v1.registered", f"note:{note_id}", 1, REGION, request))
    tx.audit("write", f"note:{note_id}", region=REGION)


class BareNotes:
    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def read(self, request: StringValue, context: Any) -> StringValue:
        async with self._pool.acquire() as connection:
            found = await connection.fetchval(
                "SELECT content FROM bare_places WHERE name = $1", request.value
            )
        return StringValue(value=found)

    async def write(self, request: StringValue, context: Any) -> StringValue:
        note_id = UUID(request.value)
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "INSERT INTO bare_notes VALUES ($1, $2)", note_id, request.value
            )
            await connection.execute(
                "INSERT INTO bare_notes VALUES ($1, $2)", new_uuid(), request.value
            )
        return request

    write_shared = write_by_statements = write


def new_uuid() -> UUID:
    return UUID(str(new_id()))


def handler_of(servicer: Any) -> grpc.GenericRpcHandler:
    """Return the gRPC handler of the measured service. `servicer` has one coroutine method for each
    name in METHODS, in snake case."""
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            name: grpc.unary_unary_rpc_method_handler(
                getattr(servicer, _snake(name)),
                request_deserializer=StringValue.FromString,
                response_serializer=StringValue.SerializeToString,
            )
            for name in METHODS
        },
    )


def _snake(name: str) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower()


@asynccontextmanager
async def serving_chassis(config: Config) -> AsyncIterator[None]:
    """Serve during the block as every service does: with access control, transactions under
    row-level security, audit, outbox and spans."""
    declare()
    exported = {"OTEL_EXPORTER_OTLP_ENDPOINT": config["collector"]}
    set_up("bench", Settings.model_validate({"log_level": "WARNING", **exported}))
    keyring = Keyring(Path(config["keys"]), new_id=new_id)
    db = Database(config["database"], service="bench", keyring=keyring, clock=system_clock)
    gate = Gate(
        {f"/{SERVICE}/{name}": allow(services=(CALLER,)) for name in METHODS},
        TokenVerifier("http://127.0.0.1:9"),
        Authorities.in_folder(Path(config["authorities"])),
        Shares(),
    )
    server = GrpcServer(
        config["address"], gate, cert=Path(config["certificate"]), key=Path(config["key"])
    )
    server.server.add_generic_rpc_handlers((handler_of(ChassisNotes(db)),))
    keep_pauses_short()
    await server.start((SERVICE,))
    yield
    await server.stop(1)
    await db.close()


@asynccontextmanager
async def serving_bare(config: Config) -> AsyncIterator[None]:
    """Serve during the block with grpc.aio over mutual TLS and asyncpg alone."""
    pool = await asyncpg.create_pool(config["database"], min_size=POOL, max_size=POOL)
    server = grpc.aio.server()
    server.add_secure_port(config["address"], bare_credentials(config))
    server.add_generic_rpc_handlers((handler_of(BareNotes(pool)),))
    await server.start()
    yield
    await server.stop(1)
    await pool.close()


@asynccontextmanager
async def serving_sink(config: Config) -> AsyncIterator[None]:
    """Serve the call SINK during the block with grpc.aio over mutual TLS alone."""

    async def take(request: BytesValue, context: Any) -> Int64Value:
        return Int64Value(value=len(request.value))

    server = grpc.aio.server()
    server.add_secure_port(config["address"], bare_credentials(config))
    service, _, method = SINK.lstrip("/").partition("/")
    taking = grpc.unary_unary_rpc_method_handler(
        take,
        request_deserializer=BytesValue.FromString,
        response_serializer=Int64Value.SerializeToString,
    )
    handler = grpc.method_handlers_generic_handler(service, {method: taking})
    server.add_generic_rpc_handlers((handler,))
    await server.start()
    yield
    await server.stop(1)


def bare_credentials(config: Config) -> grpc.ServerCredentials:
    pair = (Path(config["key"]).read_bytes(), Path(config["certificate"]).read_bytes())
    bundle = Authorities.in_folder(Path(config["authorities"])).bundle
    return grpc.ssl_server_credentials([pair], bundle, require_client_auth=True)


SERVING = {"chassis": serving_chassis, "bare": serving_bare, "sink": serving_sink}


async def serve(kind: str, config: Config) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with SERVING[kind](config):
        await stopping.wait()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], json.loads(Path(sys.argv[2]).read_text())))
