"""Health probes: /healthz states that the process runs, /readyz which peer services are ready.

To find out, /readyz calls the standard gRPC health service of each peer over mutual TLS. The result
is cached for a second, so that probes cost the peers little. These calls create no tracing spans.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import grpc
from chassis.channels import Channels
from fastapi import APIRouter, Request, Response
from grpc_health.v1 import health_pb2, health_pb2_grpc
from host.broker import Broker
from opentelemetry import context, trace

from operator_gateway.schemas import Answer

CHECK_SECONDS = 1.0
CACHED_SECONDS = 1.0
_UNSAMPLED = trace.NonRecordingSpan(trace.SpanContext(1, 1, is_remote=False))
router = APIRouter(tags=["health"])


class Alive(Answer):
    alive: bool


class PeerReadiness(Answer):
    name: str
    ready: bool
    reason: str


class Readiness(Answer):
    ready: bool
    peers: list[PeerReadiness]
    live_feed: bool


class Readies:
    """Checks whether the peer services are ready, at most once in `CACHED_SECONDS`."""

    def __init__(
        self, channels: Channels, addresses: Mapping[str, str], broker: Broker | None
    ) -> None:
        self._stubs = {
            name: health_pb2_grpc.HealthStub(channels.to(address, name))
            for name, address in addresses.items()
        }
        self._broker = broker
        self._lock = asyncio.Lock()
        self._answer: Readiness | None = None
        self._checked_at = 0.0

    async def readiness(self) -> Readiness:
        """Return the readiness of all peers, at most `CACHED_SECONDS` old."""
        async with self._lock:
            if self._answer is None or time.monotonic() - self._checked_at > CACHED_SECONDS:
                peers = await asyncio.gather(*(self._peer(name) for name in self._stubs))
                self._answer = Readiness(
                    ready=all(peer.ready for peer in peers),
                    peers=peers,
                    live_feed=self._broker is not None and self._broker.is_connected,
                )
                self._checked_at = time.monotonic()
            return self._answer

    async def _peer(self, name: str) -> PeerReadiness:
        reason = ""
        with _leaving_no_spans():
            try:
                answer = await self._stubs[name].Check(
                    health_pb2.HealthCheckRequest(), timeout=CHECK_SECONDS
                )
                if answer.status != health_pb2.HealthCheckResponse.SERVING:
                    reason = "NOT_SERVING"
            except grpc.aio.AioRpcError as error:
                reason = error.code().name
        return PeerReadiness(name=name, ready=not reason, reason=reason)


@router.get("/healthz")
async def healthz() -> Alive:
    return Alive(alive=True)


@router.get("/readyz")
async def readyz(request: Request, response: Response) -> Readiness:
    """200 if every peer is ready, else 503; the body states which peers are not."""
    readies: Readies = request.app.state.readies
    found = await readies.readiness()
    response.status_code = 200 if found.ready else 503
    return found


@contextmanager
def _leaving_no_spans() -> Iterator[None]:
    token = context.attach(trace.set_span_in_context(_UNSAMPLED))
    try:
        yield
    finally:
        context.detach(token)
