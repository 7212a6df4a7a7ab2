"""The supervisor's own HTTP port: status, metrics, the token issuer and the OTLP receiver."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import uvicorn
from host.telemetry.exposition import CONTENT_TYPE, Exposition
from opentelemetry.proto.metrics.v1.metrics_pb2 import ResourceMetrics
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
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


@asynccontextmanager
async def serving_http(app: Starlette, port: int) -> AsyncIterator[None]:
    """Serve an application on the loopback address while the block runs."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    server = _Server(config)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listener]))
            try:
                yield
            finally:
                server.should_exit = True


class SupervisorHttp:
    """The HTTP server of a supervisor, on the loopback address."""

    def __init__(
        self,
        mesh: Mesh,
        status: Callable[[], dict[str, object]],
        measured: Callable[[], Iterable[ResourceMetrics]],
    ) -> None:
        """`measured` returns the supervisor's own metrics, `status` what `/status` answers."""
        self._port = mesh.ports.supervisor
        self._status = status
        self._measuring = asyncio.Lock()
        self._measured = measured
        self._receiver: Receiver | None = None
        routes = [Route("/status", self._answer_status), Route("/metrics", self._answer_metrics)]
        if mesh.settings.oidc_issuer is None:
            routes += Issuer.open(mesh.home.oidc, mesh.oidc_issuer).routes()
        if mesh.settings.otlp_endpoint is None:
            self._receiver = Receiver(
                SpanFiles(mesh.home.spans), SpanFiles(mesh.home.logs, prefix="otlp-")
            )
            routes += self._receiver.routes()
        self._app = Starlette(routes=routes)

    def serving(self) -> AbstractAsyncContextManager[None]:
        """Serve while the block runs."""
        return serving_http(self._app, self._port)

    async def _answer_status(self, _: Request) -> JSONResponse:
        async with self._measuring:  # whoever asks often must not occupy all threads
            return JSONResponse(await asyncio.to_thread(self._status))

    async def _answer_metrics(self, _: Request) -> Response:
        """The newest metrics of all processes for Prometheus; with an external collector, to which
        services send theirs, only the supervisor's own."""
        received = self._receiver.newest() if self._receiver is not None else []

        def exposed() -> bytes:
            return Exposition(lambda: [*received, *self._measured()]).text()

        return Response(await asyncio.to_thread(exposed), media_type=CONTENT_TYPE)
