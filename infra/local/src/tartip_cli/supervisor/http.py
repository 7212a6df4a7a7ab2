"""The supervisor's own HTTP port: status, the token issuer and the OTLP receiver."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tartip_cli.parts.mesh import Mesh
from tartip_cli.ports import LOOPBACK
from tartip_cli.supervisor.oidc import Issuer
from tartip_cli.telemetry.otlp import Receiver
from tartip_cli.telemetry.spans import SpanFiles

_STOP_SECONDS = 3


class _Server(uvicorn.Server):
    """uvicorn in the supervisor's event loop, without its own signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class SupervisorHttp:
    """The HTTP server of a supervisor, on the loopback address."""

    def __init__(self, mesh: Mesh, status: Callable[[], dict[str, object]]) -> None:
        self._port = mesh.ports.supervisor
        self._status = status
        self._measuring = asyncio.Lock()
        routes = [Route("/status", self._answer_status)]
        if mesh.settings.oidc_issuer is None:
            routes += Issuer.open(mesh.home.oidc, mesh.oidc_issuer).routes()
        if mesh.settings.otlp_endpoint is None:
            routes += Receiver(
                SpanFiles(mesh.home.spans), SpanFiles(mesh.home.logs, prefix="otlp-")
            ).routes()
        self._app = Starlette(routes=routes)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        config = uvicorn.Config(
            self._app,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=_STOP_SECONDS,
        )
        server = _Server(config)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((LOOPBACK, self._port))
            async with asyncio.TaskGroup() as group:
                group.create_task(server.serve(sockets=[listener]))
                try:
                    yield
                finally:
                    server.should_exit = True

    async def _answer_status(self, _: Request) -> JSONResponse:
        async with self._measuring:  # whoever asks often must not occupy all threads
            return JSONResponse(await asyncio.to_thread(self._status))
