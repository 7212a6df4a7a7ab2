"""Calls a service of the running mesh with the certificate of the command line, `tartip-cli`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc

from tartip_cli.cli.errors import refusals_as_failures
from tartip_cli.clients.partner import outside
from tartip_cli.clients.traces import traced
from tartip_cli.settings import Settings
from tartip_cli.topology import INFERENCE_GATEWAY, Service


@asynccontextmanager
async def service_stub(
    settings: Settings,
    stub: Callable[[grpc.aio.Channel], Any],
    service: Service = INFERENCE_GATEWAY,
) -> AsyncIterator[Any]:
    """Yield a gRPC stub for a service of the running mesh. Calls are made with the certificate of
    `tartip-cli`. Raises Failure if the service refuses a call in the block."""
    async with outside(settings) as mesh:
        with traced(*settings.exports_to(mesh.otlp_endpoint)), refusals_as_failures():
            yield stub(mesh.as_command_line(service))
