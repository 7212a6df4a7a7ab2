"""`python -m tartip_bench.gateway.passing CONFIG PORT`: a bare gateway of FastAPI and grpc.aio.

The gateway has one route. It fetches a row by its key from the bare server (`chassis.server`), over
TLS, and returns the row as JSON. The gateway checks nothing and records no spans. CONFIG is the
configuration file of the bare server.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from google.protobuf.json_format import MessageToDict
from google.protobuf.wrappers_pb2 import StringValue

from tartip_bench.chassis.contract import SERVICE
from tartip_bench.chassis.load import CALL_SECONDS, channel, read_config


def app_of(config: dict[str, str]) -> FastAPI:
    """Return the application. While it runs, it keeps a channel to the bare server open."""

    @asynccontextmanager
    async def connected(app: FastAPI) -> AsyncIterator[None]:
        async with channel(config) as opened:
            app.state.read = opened.unary_unary(
                f"/{SERVICE}/Read",
                request_serializer=StringValue.SerializeToString,
                response_deserializer=StringValue.FromString,
            )
            yield

    app = FastAPI(lifespan=connected)

    @app.get("/v1/places/{name}")
    async def get_place(name: str) -> dict[str, Any]:
        answer = await app.state.read(StringValue(value=name), timeout=CALL_SECONDS)
        return {"content": MessageToDict(answer)}

    return app


if __name__ == "__main__":
    given, port = sys.argv[1:]
    uvicorn.run(
        app_of(read_config(Path(given))),
        host="127.0.0.1",
        port=int(port),
        log_level="warning",
        access_log=False,
    )
