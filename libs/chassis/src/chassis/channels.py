"""gRPC channels to peers (other services): mutual TLS; calls pass on deadline, purpose and trace.

A call to a peer while a transaction is open is a bug and raises CallInsideTransaction. The time-out
of a unary call is at most the time left for the call being served minus `WAY_BACK_SECONDS`.
"""

import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import grpc

from chassis import call_context, telemetry
from chassis.db import in_transaction
from chassis.grpc_status import from_error
from chassis.purpose import ASCII_METADATA_KEY, METADATA_KEY, purpose_metadata
from chassis.refusals import DeadlineRequired

T = TypeVar("T")
Proceed = Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]]
DEFAULT_SECONDS = 5.0
WAY_BACK_SECONDS = 0.05
MESSAGE_BYTES_MAX = 9 * 1024 * 1024
OPTIONS = [
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
]


class CallInsideTransaction(RuntimeError):
    """A peer was called while a transaction was open."""


class Channels:
    """A service's gRPC channels to its peers; each channel presents the service's certificate."""

    def __init__(self, *, cert: Path, key: Path, ca: Path) -> None:
        self._credentials = grpc.ssl_channel_credentials(
            ca.read_bytes(), key.read_bytes(), cert.read_bytes()
        )
        self._channels: dict[str, grpc.aio.Channel] = {}

    def to(self, address: str, peer: str) -> grpc.aio.Channel:
        """Return the channel to `address` ("host:port"), created on first use.

        `peer` is the name of the other service in trace spans.
        """
        if address not in self._channels:
            self._channels[address] = self.opened(address, peer)
        return self._channels[address]

    def opened(self, address: str, peer: str) -> grpc.aio.Channel:
        """Return a new channel, made with the arguments of `to`; the caller must close it."""
        interceptors: list[Any] = [interceptor(peer) for interceptor in _INTERCEPTORS]
        return grpc.aio.secure_channel(
            address, self._credentials, options=OPTIONS, interceptors=interceptors
        )

    async def close(self) -> None:
        """Close all channels; calls in flight are cancelled."""
        for channel in self._channels.values():
            await channel.close(None)


@contextlib.contextmanager
def peers_refusals() -> Iterator[None]:
    """Run a block that calls a peer; re-raise the peer's gRPC error as a `RemoteRefusal`."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise from_error(error) from error


async def refusals_of(stream: AsyncIterable[T]) -> AsyncIterator[T]:
    """Yield the messages of a peer's stream; raise the peer's gRPC error as a `RemoteRefusal`."""
    with peers_refusals():
        async for message in stream:
            yield message


def _details(details: grpc.aio.ClientCallDetails, *, streams: bool) -> grpc.aio.ClientCallDetails:
    if in_transaction():
        raise CallInsideTransaction(str(details.method))
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    metadata.add("traceparent", telemetry.traceparent())
    call, timeout = call_context.current_or_none(), details.timeout
    if call and not {METADATA_KEY, ASCII_METADATA_KEY} & {key for key, _ in metadata}:
        for key, value in purpose_metadata(call.caller.purpose):
            metadata.add(key, value)
    if not streams:
        timeout = timeout or DEFAULT_SECONDS
        remaining = call.remaining_seconds if call else None
        if remaining is not None:
            timeout = min(timeout, remaining - WAY_BACK_SECONDS)
            if timeout <= 0:
                raise DeadlineRequired
    return grpc.aio.ClientCallDetails(
        details.method, timeout, metadata, details.credentials, details.wait_for_ready
    )


class _Spans:
    """Base of the four kinds of interceptor: opens a span and sets metadata and time-out."""

    def __init__(self, peer: str) -> None:
        self._peer = peer

    async def until_done(self, proceed: Proceed, details: Any, request: Any) -> Any:
        """Make a call and wait for its status, so that the span covers the whole call."""
        with self._span(details) as span:
            call = await proceed(_details(details, streams=False), request)
            code = await call.code()
            telemetry.set_attribute(span, "rpc.grpc.status_code", code.value[0])
            return call

    async def until_begun(self, proceed: Proceed, details: Any, request: Any) -> Any:
        """Begin a streaming call; the span ends as soon as the stream has begun."""
        with self._span(details):
            return await proceed(_details(details, streams=True), request)

    def _span(self, details: grpc.aio.ClientCallDetails) -> AbstractContextManager[Any]:
        method = details.method
        path = method.decode() if isinstance(method, bytes) else str(method)
        service, _, name = path.lstrip("/").partition("/")
        return telemetry.span(
            f"{service}/{name}",
            kind=telemetry.SpanKind.CLIENT,
            story=telemetry.bound_story(),
            attributes={
                "rpc.system": "grpc",
                "rpc.service": service,
                "rpc.method": name,
                "peer.service": self._peer,
            },
        )


class _Unary(_Spans, grpc.aio.UnaryUnaryClientInterceptor):
    intercept_unary_unary: Any = _Spans.until_done


class _ServerStream(_Spans, grpc.aio.UnaryStreamClientInterceptor):
    intercept_unary_stream: Any = _Spans.until_begun


class _ClientStream(_Spans, grpc.aio.StreamUnaryClientInterceptor):
    intercept_stream_unary: Any = _Spans.until_begun


class _BothStream(_Spans, grpc.aio.StreamStreamClientInterceptor):
    intercept_stream_stream: Any = _Spans.until_begun


# The library sorts interceptors by their first kind: one class cannot be of all four.
_INTERCEPTORS = (_Unary, _ServerStream, _ClientStream, _BothStream)
