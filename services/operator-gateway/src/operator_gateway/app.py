"""Builds and serves the gateway. It has no database: it passes each request on to the service that
owns the data, and that service decides whether the request is permitted."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Iterator

import uvicorn
from chassis.channels import Channels
from chassis.clock import system_clock
from chassis.telemetry import UUID_SHAPE
from fastapi import FastAPI
from host.health import Health
from host.runtime import Chassis, Service
from law.yearly import read_yearly_tables

from operator_gateway import (
    answers_routes,
    audit_routes,
    camera_imports_routes,
    camera_map_routes,
    cameras_routes,
    complaints_routes,
    console_routes,
    events_routes,
    evidence_routes,
    fines_routes,
    health,
    notices_routes,
    reports_routes,
    routing_routes,
    search_routes,
    sign_in_routes,
    statistics_routes,
    triage_routes,
    violations_routes,
)
from operator_gateway.http import make_app
from operator_gateway.live import STREAMS, LiveFeed
from operator_gateway.operator_context import Peers, Verifies
from operator_gateway.security_headers import SecurityHeaders
from operator_gateway.settings import GatewaySettings
from operator_gateway.shares import operators_shares
from operator_gateway.stream_follower import StreamFollower
from operator_gateway.tickets import Tickets

GRACE_SECONDS = 5
BACKLOG = 256
ROUTERS = (
    camera_imports_routes.router,  # before the paths with an id
    camera_map_routes.router,
    cameras_routes.router,
    violations_routes.router,
    fines_routes.router,
    reports_routes.router,
    complaints_routes.router,
    routing_routes.router,
    triage_routes.router,
    search_routes.router,
    answers_routes.router,
    evidence_routes.router,
    statistics_routes.router,
    audit_routes.router,
    events_routes.router,
    sign_in_routes.router,
    notices_routes.router,
    health.router,
    console_routes.router,
)


def application(
    settings: GatewaySettings,
    channels: Channels,
    tokens: Verifies,
    feed: LiveFeed,
    process_health: Health,
) -> FastAPI:
    app = make_app(
        "Tartip: operators' gateway",
        version="1",
        description="What operators may do, over REST. Every refusal is a problem with a reason; "
        "Accept-Language chooses its language (kk, ru, en).",
    )
    app.state.tokens = tokens
    app.state.peers = Peers.over(channels, settings)
    app.state.shares = operators_shares()
    app.state.feed = feed
    app.state.tickets = Tickets()
    app.state.issuer = settings.oidc_issuer
    app.state.clock = system_clock
    app.state.yearly_tables = read_yearly_tables(assume_years=settings.assume_years)
    app.state.health = process_health
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(SecurityHeaders)
    return app


class Gateway:
    """The live feed, the loops that fill it, and the HTTP server."""

    def __init__(self) -> None:
        self._feed = LiveFeed()

    async def build(self, chassis: Chassis[GatewaySettings]) -> None:
        chassis.needs[""] = tuple(chassis.settings.peer_addresses)
        for stream in STREAMS:
            chassis.loop(f"follow {stream}", StreamFollower(chassis.broker, self._feed, stream).run)

    async def serve(self, chassis: Chassis[GatewaySettings], stopping: asyncio.Event) -> None:
        app = application(
            chassis.settings, chassis.channels, chassis.tokens, self._feed, chassis.health
        )
        await serve_until(stopping, app, chassis.settings.http_address, self._feed)


async def serve_until(stopping: asyncio.Event, app: FastAPI, address: str, feed: LiveFeed) -> None:
    listening = listen_on(address)
    server = _Server(server_config(app))
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server.serve(sockets=[listening]))
        stopped = group.create_task(stopping.wait())
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        feed.close()  # ends the open streams, which would keep the server waiting
        server.should_exit = True


def listen_on(address: str) -> socket.socket:
    """Return a socket that listens on `address` ("host:port"). On failure the process exits with a
    clear message."""
    host, _, port = address.rpartition(":")
    try:
        return socket.create_server((host, int(port)), backlog=BACKLOG)
    except (OSError, ValueError, OverflowError) as error:
        sys.exit(f"cannot listen on {address} ({error}): free it or set TARTIP_HTTP_ADDRESS")


def server_config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        limit_concurrency=128,
        backlog=BACKLOG,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=16_384,
        server_header=False,
        proxy_headers=False,
        forwarded_allow_ips=[],
        access_log=False,
        log_config=None,
    )


class _Server(uvicorn.Server):
    """A server that leaves the handling of signals to the runtime."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


GATEWAY = Gateway()
SERVICE = Service(
    "operator-gateway",
    settings=GatewaySettings,
    build=GATEWAY.build,
    serve_http=GATEWAY.serve,
    ids={
        "camera": UUID_SHAPE,
        "import": UUID_SHAPE,
        "violation": UUID_SHAPE,
        "report": UUID_SHAPE + "|KZ[0-9]{2}-[0-9]{4}-[0-9]{7}",
        "fine": "[0-9]{15}",
    },
)
