"""The gRPC server: mutual TLS, and one interceptor (the gate) that every call passes.

The gate identifies the caller, applies the service's policy, requires a deadline, limits concurrent
calls, opens the span, and turns refusals into statuses. Any other exception is a bug: the caller
gets INTERNAL with an error id, and the log has the details. Streams have a limit of their own and
need no deadline.
"""

import asyncio
import logging
import time
import weakref
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.message import DecodeError
from grpc_health.v1 import _async as health_aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from sqlalchemy.exc import TimeoutError as PoolTimeout

from chassis import call_context, telemetry
from chassis.authorities import Authorities
from chassis.clock import new_id
from chassis.db import storage_is_away
from chassis.grpc_status import DETAILS_KEY, to_status
from chassis.identity import Allow, Caller, TokenVerifier
from chassis.purpose import PurposeRequired, purpose_in
from chassis.refusals import (
    BadRequest,
    DeadlineRequired,
    FieldError,
    InternalError,
    Kind,
    NotAllowed,
    Overloaded,
    Refusal,
    Stopping,
    StorageAway,
)

CALLS_MAX = 64
STREAMS_MAX = 256
STREAM_END_SECONDS = 2.0
MESSAGE_BYTES_MAX = 9 * 1024 * 1024
OPEN_SERVICES = ("/grpc.health.v1.Health/", "/grpc.reflection.v1alpha.ServerReflection/")
OPTIONS = [
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_metadata_size", 16384),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 20_000),
]
log = logging.getLogger(__name__)
Policy = Mapping[str, Allow]


class Gate(grpc.aio.ServerInterceptor):
    def __init__(self, policy: Policy, tokens: TokenVerifier, authorities: Authorities) -> None:
        self._policy = policy
        self._tokens = tokens
        self._authorities = authorities
        self._running_calls = 0
        self._running_streams = 0
        self._endless: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self._waiting: set[asyncio.Task[Any] | None] = set()
        self._stopping = False

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        """Return the method's handler, wrapped in the gate except for health and reflection."""
        handler: Any = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method.startswith(OPEN_SERVICES):
            return handler  # type: ignore[no-any-return]
        read = handler.request_deserializer
        shape: dict[str, Any] = {
            "request_deserializer": _or_unreadable(read),
            "response_serializer": handler.response_serializer,
        }
        if handler.response_streaming:
            inner = handler.stream_stream if handler.request_streaming else handler.unary_stream
            make = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            return make(self._streaming(method, inner), **shape)
        inner = handler.stream_unary if handler.request_streaming else handler.unary_unary
        make = (
            grpc.stream_unary_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return make(self._unary(method, inner), **shape)

    def _unary(self, method: str, inner: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        async def serve(request: Any, context: grpc.aio.ServicerContext) -> Any:
            started = time.perf_counter()
            with telemetry.span(**_span_of(method, context)) as span:
                try:
                    if self._running_calls >= CALLS_MAX:
                        raise Overloaded
                    self._running_calls += 1
                    try:
                        await self._admit(method, context, span, needs_deadline=True)
                        return await inner(_readable(request), context)
                    finally:
                        self._running_calls -= 1
                except Exception as error:
                    refusal = _noted(error, span)
                finally:
                    telemetry.rpc_duration.record(
                        (time.perf_counter() - started) * 1e3, {"rpc.method": method}
                    )
            return await _abort(context, refusal)

        return serve

    def _streaming(
        self, method: str, inner: Callable[..., AsyncIterator[Any]]
    ) -> Callable[..., Any]:
        async def serve(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
            span = telemetry.begin(**_span_of(method, context))
            refusal: Refusal | None = None
            task = asyncio.current_task()
            try:
                if self._running_streams >= STREAMS_MAX:
                    raise Overloaded
                self._running_streams += 1
                try:
                    await self._admit(method, context, span, needs_deadline=False)
                    readable = _readable(request)
                    if task is not None and context.time_remaining() is None:
                        self._endless.add(task)
                    replies = aiter(inner(readable, context))
                    while True:
                        # Only here may it be interrupted: never while a reply is on its way.
                        self._waiting.add(task)
                        try:
                            reply = await anext(replies)
                        except StopAsyncIteration:
                            break
                        finally:
                            self._waiting.discard(task)
                        yield reply
                        if self._stopping and task in self._endless:
                            raise Stopping
                finally:
                    self._running_streams -= 1
            except asyncio.CancelledError:
                if task is None or task not in self._endless or not self._stopping:
                    raise
                task.uncancel()
                refusal = _noted(Stopping(), span)
            except Exception as error:
                refusal = _noted(error, span)
            finally:
                span.end()
            if refusal is not None:
                await _abort(context, refusal)

        return serve

    async def end_endless_streams(self) -> None:
        """End streams that have no deadline with `Stopping`; their callers reconnect elsewhere."""
        self._stopping = True
        tasks = tuple(self._endless)
        for task in tasks:
            if task in self._waiting:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STREAM_END_SECONDS)

    async def _admit(
        self, method: str, context: grpc.aio.ServicerContext, span: Any, *, needs_deadline: bool
    ) -> None:
        metadata = {key: value for key, value in context.invocation_metadata() or ()}
        kind, name = self._authorities.caller(_chain(context))
        token = str(metadata.get("authorization", "")).removeprefix("Bearer ").strip()
        operator = await self._tokens.verify(token) if token else None
        caller = Caller(kind, name, operator, purpose_in(metadata))
        telemetry.set_attribute(span, "tartip.caller", f"{kind}/{name}")
        rule = self._policy.get(method)
        if rule is None or not rule.admits(caller):
            raise NotAllowed
        if rule.purpose and not caller.purpose:
            raise PurposeRequired
        remaining = context.time_remaining()
        if remaining is None and needs_deadline:
            raise DeadlineRequired
        deadline = None if remaining is None else time.monotonic() + remaining
        call_context.bind(call_context.Call(caller, method, deadline, token))


class _Unreadable:
    """A request that cannot be decoded; gRPC itself would answer UNKNOWN and log a bug."""


def _or_unreadable(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def attempt(content: bytes) -> Any:
        try:
            return read(content)
        except DecodeError:
            return _Unreadable()

    return attempt


def _readable(request: Any) -> Any:
    """Return a request, or a stream of them that is checked as it is read. Raises BadRequest."""
    if isinstance(request, AsyncIterable):
        return _each_readable(request)
    if isinstance(request, _Unreadable):
        wrong = FieldError("", BadRequest.code, "not a message of this method's type")
        raise BadRequest(fields=(wrong,))
    return request


async def _each_readable(requests: AsyncIterable[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _readable(request)


def _chain(context: grpc.aio.ServicerContext) -> bytes:
    """The caller's certificates in PEM, its own first; empty if it presented none."""
    found = context.auth_context() or {}
    shown = (*found.get("x509_pem_cert", ()), *found.get("x509_pem_cert_chain", ()))
    return b"\n".join(shown)


def _span_of(method: str, context: grpc.aio.ServicerContext) -> dict[str, Any]:
    metadata = {key: value for key, value in context.invocation_metadata() or ()}
    service, _, name = method.lstrip("/").partition("/")
    return {
        "name": f"{service}/{name}",
        "kind": telemetry.SpanKind.SERVER,
        "parent": telemetry.context_from(str(metadata.get("traceparent", ""))),
        "attributes": {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name},
    }


def _noted(error: Exception, span: Any) -> Refusal:
    """Return the refusal for an error, recorded on the span; a bug is logged here, once."""
    refusal = as_refusal(error)
    telemetry.set_attribute(span, "tartip.refusal", refusal.reason)
    telemetry.set_attribute(span, "rpc.grpc.status_code", refusal.kind.grpc_status.value[0])
    telemetry.refusals_total.add(1, {"reason": refusal.reason})
    if refusal.kind is Kind.INTERNAL:
        span.set_status(telemetry.Status(telemetry.StatusCode.ERROR, refusal.reason))
        log.error("error id %s", refusal.facts.get("error_id"), exc_info=error)
    return refusal


async def _abort(context: grpc.aio.ServicerContext, refusal: Refusal) -> None:
    status = to_status(refusal)
    await context.abort(
        refusal.kind.grpc_status,
        status.message,
        trailing_metadata=((DETAILS_KEY, status.SerializeToString()),),
    )


def as_refusal(error: Exception) -> Refusal:
    """Return a refusal unchanged; for other errors Overloaded, StorageAway or InternalError."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, PoolTimeout):  # more calls than connections, for too long
        return Overloaded()
    if storage_is_away(error):
        log.warning("storage away: %s", type(error).__name__)
        return StorageAway()
    return InternalError(facts={"error_id": str(new_id())})


class GrpcServer:
    """The server at `address` ("host:port"); its health is SERVING once it has started."""

    def __init__(
        self,
        address: str,
        *,
        policy: Policy,
        tokens: TokenVerifier,
        cert: Path,
        key: Path,
        authorities: Authorities,
    ) -> None:
        self._address = address
        self._policy = policy
        self._gate = Gate(policy, tokens, authorities)
        self.server = grpc.aio.server(
            interceptors=[self._gate],
            options=OPTIONS,
            maximum_concurrent_rpcs=CALLS_MAX + STREAMS_MAX + 64,
        )
        self._health = health_aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.server)
        credentials = grpc.ssl_server_credentials(
            [(key.read_bytes(), cert.read_bytes())], authorities.bundle, require_client_auth=True
        )
        if self.server.add_secure_port(address, credentials) == 0:
            raise OSError(f"cannot listen on {address}")

    async def start(self, services: tuple[str, ...]) -> None:
        """Start the services with these full names. Raises RuntimeError unless the policy fits."""
        names = (*services, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self.server)
        self._check_policy(services)
        await self.server.start()
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, grace_seconds: float) -> None:
        """Accept no new calls, end streams without a deadline and wait for calls in flight."""
        await self._health.enter_graceful_shutdown()
        await self._gate.end_endless_streams()
        await self.server.stop(grace_seconds)

    def _check_policy(self, services: tuple[str, ...]) -> None:
        """Raise RuntimeError unless the policy has exactly the methods of these services."""
        pool = descriptor_pool.Default()
        methods = {
            f"/{service}/{method.name}"
            for service in services
            for method in pool.FindServiceByName(service).methods
        }
        if methods != set(self._policy):
            missing, extra = methods - set(self._policy), set(self._policy) - methods
            raise RuntimeError(f"policy differs from the services: {missing=} {extra=}")
