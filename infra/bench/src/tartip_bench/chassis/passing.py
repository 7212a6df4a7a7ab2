"""`python -m tartip_bench.chassis.passing CONFIG PORT`: a bare gateway, FastAPI before grpc.aio.

Its only route asks the camera registry for a camera with the caller's token and returns the answer
as JSON. It checks nothing, opens no span and shapes nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import uvicorn
from fastapi import FastAPI, Request
from google.protobuf.json_format import MessageToDict
from tartip.cameras.v1 import cameras_pb2, cameras_pb2_grpc

CALL_SECONDS = 5.0
Config = dict[str, str]


def app_of(config: Config) -> FastAPI:
    """The application, with a channel to the camera registry while it runs."""
    read = {name: Path(config[name]).read_bytes() for name in ("authority", "key", "certificate")}

    @asynccontextmanager
    async def connected(app: FastAPI) -> AsyncIterator[None]:
        credentials = grpc.ssl_channel_credentials(*read.values())
        async with grpc.aio.secure_channel(config["cameras"], credentials) as channel:
            app.state.cameras = cameras_pb2_grpc.CameraRegistryStub(channel)
            yield

    app = FastAPI(lifespan=connected)

    @app.get("/v1/cameras/{camera_id}")
    async def get_camera(camera_id: str, request: Request) -> dict[str, Any]:
        answer = await app.state.cameras.GetCamera(
            cameras_pb2.GetCameraRequest(camera_id=camera_id),
            metadata=(("authorization", request.headers["authorization"]),),
            timeout=CALL_SECONDS,
        )
        return MessageToDict(answer, preserving_proto_field_name=True)

    return app


if __name__ == "__main__":
    uvicorn.run(
        app_of(json.loads(Path(sys.argv[1]).read_text())),
        host="127.0.0.1",
        port=int(sys.argv[2]),
        log_level="warning",
        access_log=False,
    )
