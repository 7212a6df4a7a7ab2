"""The gate: one interceptor of the gRPC server (`server`) that every call passes.

It identifies the caller, admits the call within the caller's limits (`Shares`), opens a span,
applies the service's policy, requires a deadline, and turns refusals and database outages into
statuses. Any other exception is a bug: the caller gets INTERNAL with an error id, and the log has
the details. Calls answered by a stream need no deadline. If a caller exceeds its limits often,
further refusals of its calls are delayed. A delayed refusal is counted but gets no span.
"""

import asyncio
import inspect
import logging
import time
import weakref
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
)
from contextlib import AbstractContextManager, aclosing, nullcontext
from dataclasses import dataclass
from typing import Any

import grpc
from chassis import call_context, telemetry
from chassis.authorities import Authorities
from chassis.grpc_status import DETAILS_KEY, as_refusal, to_status
from chassis.identity import Caller, Policy, TokenVerifier
from chassis.purpose import PurposeRequired, purpose_in
from chassis.refusals import (
    BadRequest,
    DeadlineRequired,
    FieldError,
    Kind,
    NotAllowed,
    Refusal,
    ShareExceeded,
    Stopping,
)
from google.protobuf.message import DecodeError
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span

from host.revocation import Revocations
from host.shares import Place, Shares
from host.telemetry.calls import MeasuredCall

STREAM_END_SECONDS = 2.0
# For every known caller, without deadline or span, but within the caller's share.
OPEN_SERVICES = (
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
)
_NO_SPAN = nullcontext(INVALID_SPAN)
log = logging.getLogger(__name__)
Metadata = Mapping[str, str | bytes]


class Gate(grpc.aio.ServerInterceptor):
    """Identifies callers, checks calls by policy and limits, turns refusals into gRPC statuses."""

    def __init__(
        self,
        policy: Policy,
        tokens: TokenVerifier,
        authorities: Authorities,
        shares: Shares,
        revocations: Revocations | None = None,
    ) -> None:
        self.policy = policy
        self.authorities = authorities
        self._revocations = revocations
        self._tokens = tokens
        self._shares = shares
        self._handlers: dict[str, grpc.RpcMethodHandler] = {}
        self._endless: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self._waiting: set[asyncio.Task[Any]] = set()
        self._stopping = False

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Return the method's handler, wrapped in the gate's checks; None for an unknown method."""
        method = handler_call_details.method
        if (known := self._handlers.get(method)) is not None:
            return known
        handler = await continuation(handler_call_details)
        if handler is not None:
            handler = self._handlers[method] = self._guarded(method, handler)
        return handler

    def _guarded(self, method: str, handler: Any) -> grpc.RpcMethodHandler:
        received, answered = (
            "stream" if streams else "unary"
            for streams in (handler.request_streaming, handler.response_streaming)
        )
        shape = f"{received}_{answered}"  # "unary_stream", as gRPC names its attributes
        serving = self._streaming if handler.response_streaming else self._unary
        handler_of = getattr(grpc, f"{shape}_rpc_method_handler")
        guarded: grpc.RpcMethodHandler = handler_of(
            serving(method, getattr(handler, shape)),
            request_deserializer=_receiving(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )
        return guarded

    def _unary(self, method: str, inner: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        of_call, is_open = _span_of(method), method.startswith(OPEN_SERVICES)

        async def serve(request: Any, context: grpc.aio.ServicerContext) -> Any:
            metadata = _metadata(context)
            parent = _parent(metadata)
            with MeasuredCall(method, context, left_out=is_open) as measured:
                try:
                    call = await self._call(method, metadata, context)
                    with self._place(call, request, stream=False) as place:
                        opened = _NO_SPAN if is_open else telemetry.span(parent=parent, **of_call)
                        reply = await admitted(call, opened, request, context, place)
                except Exception as error:
                    reply = _not_admitted(error, parent, of_call)
                measured.answered(reply)
            return await _abort(context, reply) if isinstance(reply, Refusal) else reply

        async def admitted(
            call: call_context.Call,
            opened: AbstractContextManager[Span],
            request: Any,
            context: grpc.aio.ServicerContext,
            place: Place,
        ) -> Any:
            """The reply or a refusal."""
            with opened as span:
                try:
                    self._check(call, span, needs_deadline=True)
                    return await inner(_readable(request, place), context)
                except Exception as error:
                    return _noted(error, span)

        return serve

    def _streaming(
        self, method: str, inner: Callable[..., AsyncIterator[Any]]
    ) -> Callable[..., Any]:
        of_call, is_open = _span_of(method), method.startswith(OPEN_SERVICES)

        async def serve(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
            metadata = _metadata(context)
            parent = _parent(metadata)
            reply: Any = None
            with MeasuredCall(method, context, left_out=is_open) as measured:
                try:
                    call = await self._call(method, metadata, context)
                    with self._place(call, request, stream=True) as place:
                        span = (
                            INVALID_SPAN if is_open else telemetry.begin(parent=parent, **of_call)
                        )
                        made = admitted(call, span, request, context, place)
                        async with aclosing(made) as replies:
                            async for reply in replies:
                                if not isinstance(reply, Refusal):
                                    yield reply
                except Exception as error:
                    reply = _not_admitted(error, parent, of_call)
                measured.answered(reply)
            if isinstance(reply, Refusal):
                await _abort(context, reply)

        async def admitted(
            call: call_context.Call,
            span: Span,
            request: Any,
            context: grpc.aio.ServicerContext,
            place: Place,
        ) -> AsyncGenerator[Any, None]:
            """The replies, and last a refusal if there is one."""
            try:
                self._check(call, span, needs_deadline=False)
                made = inner(_readable(request, place), context)
                endless = call.is_endless and not is_open
                async with aclosing(self._replies(made, endless=endless)) as replies:
                    async for reply in replies:
                        yield reply
            except Exception as error:
                yield _noted(error, span)
            finally:
                span.end()

        return serve

    async def _replies(self, made: Any, *, endless: bool) -> AsyncGenerator[Any, None]:
        """The replies of a stream's handler. Raises Stopping for an endless one when we stop."""
        task = asyncio.current_task()
        assert task is not None
        if endless:
            self._endless.add(task)
        replies = aiter(_awaited(made) if inspect.isawaitable(made) else made)
        try:
            while True:
                # Only here may it be interrupted: never while a reply is on its way.
                self._waiting.add(task)
                try:
                    reply = await anext(replies)
                except StopAsyncIteration:
                    return
                finally:
                    self._waiting.discard(task)
                yield reply
                if self._stopping and endless:
                    raise Stopping
        except asyncio.CancelledError:
            if not (endless and self._stopping):
                raise
            task.uncancel()
            raise Stopping from None
        finally:
            if isinstance(replies, AsyncGenerator):
                await replies.aclose()

    async def end_endless_streams(self) -> None:
        """End all streams without a deadline by the refusal `Stopping`; the callers reconnect.

        Waits at most `STREAM_END_SECONDS` until the streams have ended.
        """
        self._stopping = True
        tasks = tuple(self._endless)
        for task in tasks:
            if task in self._waiting:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STREAM_END_SECONDS)

    async def _call(
        self, method: str, metadata: Metadata, context: grpc.aio.ServicerContext
    ) -> call_context.Call:
        """Return the call with its caller.

        Raises NotAuthenticated, CertificateRevoked, TokenExpired or PurposeWrong.
        """
        chain = _chain(context)
        kind, name = self.authorities.caller(chain)
        if self._revocations is not None:
            self._revocations.require(kind, chain)
        token = str(metadata.get("authorization", "")).removeprefix("Bearer ").strip()
        operator = await self._tokens.verify(token) if token else None
        caller, left = Caller(kind, name, operator, purpose_in(metadata)), context.time_remaining()
        deadline = None if left is None else time.monotonic() + left
        return call_context.Call(caller, method, deadline, token)

    def _place(
        self, call: call_context.Call, request: Any, *, stream: bool
    ) -> AbstractContextManager[Place]:
        received = request if isinstance(request, _Received) else _Received(None, 0)
        rule = self.policy.get(call.method)
        is_urgent = rule.urgent if rule and received.message is not None else None
        is_probe = call.caller.kind == "service" and call.method.startswith(OPEN_SERVICES)
        urgent = is_probe or (is_urgent is not None and is_urgent(received.message))
        return self._shares.place(call.caller, received.size, stream=stream, urgent=urgent)

    def _check(self, call: call_context.Call, span: Any, *, needs_deadline: bool) -> None:
        """Raises NotAllowed, PurposeRequired or DeadlineRequired; binds the call otherwise."""
        if call.method.startswith(OPEN_SERVICES):
            call_context.bind(call)  # services are told more by that of health
            return
        telemetry.set_attribute(span, "tartip.caller", f"{call.caller.kind}/{call.caller.name}")
        rule = self.policy.get(call.method)
        if rule is None or not rule.admits(call.caller):
            raise NotAllowed
        if rule.purpose and not call.caller.purpose:
            raise PurposeRequired
        if call.deadline is None and needs_deadline:
            raise DeadlineRequired
        call_context.bind(call)


@dataclass(frozen=True)
class _Received:
    """A request and its size. `message` is None if the request cannot be decoded: gRPC itself would
    answer UNKNOWN and log a bug."""

    message: Any
    size: int


def _receiving(read: Callable[[bytes], Any]) -> Callable[[bytes], _Received]:
    def attempt(content: bytes) -> _Received:
        try:
            return _Received(read(content), len(content))
        except DecodeError:
            return _Received(None, len(content))

    return attempt


def _readable(request: Any, place: Place) -> Any:
    """Return a request, or a stream of them that is checked as it is read. Raises BadRequest."""
    if isinstance(request, AsyncIterable):
        return _each_readable(request, place)
    if request.message is None:
        wrong = FieldError("", BadRequest.code, "not a message of this method's type")
        raise BadRequest(fields=(wrong,))
    return request.message


async def _each_readable(requests: AsyncIterable[Any], place: Place) -> AsyncIterator[Any]:
    async for request in requests:
        await place.take(request.size)
        yield _readable(request, place)


async def _awaited(writing: Awaitable[None]) -> AsyncIterator[Any]:
    """Wait for a handler that writes its replies itself; yield nothing."""
    await writing
    return
    yield


def _chain(context: grpc.aio.ServicerContext) -> bytes:
    """The caller's certificates in PEM, its own first; empty if it presented none."""
    found = context.auth_context() or {}
    shown = (*found.get("x509_pem_cert", ()), *found.get("x509_pem_cert_chain", ()))
    return b"\n".join(shown)


def _metadata(context: grpc.aio.ServicerContext) -> Metadata:
    return {key: value for key, value in context.invocation_metadata() or ()}


def _parent(metadata: Metadata) -> Context:
    return telemetry.context_from(str(metadata.get("traceparent", "")))


def _span_of(method: str) -> dict[str, Any]:
    service, _, name = method.lstrip("/").partition("/")
    return {
        "name": f"{service}/{name}",
        "kind": telemetry.SpanKind.SERVER,
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


def _not_admitted(error: Exception, parent: Context, of_call: dict[str, Any]) -> Refusal:
    """Return the refusal of a call that had no span yet. The call gets a span, unless it is held
    back."""
    if isinstance(error, ShareExceeded) and error.pause_seconds:
        telemetry.refusals_total.add(1, {"reason": error.reason})
        return error
    with telemetry.span(parent=parent, **of_call) as span:
        return _noted(error, span)


async def _hold_back(seconds: float) -> None:
    """Wait, even if the caller gives up, so that the caller cannot make another call instead
    meanwhile."""
    until = time.monotonic() + seconds
    task = asyncio.current_task()
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        assert task is not None
        task.uncancel()
        await asyncio.sleep(max(0.0, until - time.monotonic()))
        raise


async def _abort(context: grpc.aio.ServicerContext, refusal: Refusal) -> None:
    if isinstance(refusal, ShareExceeded) and refusal.pause_seconds:
        await _hold_back(refusal.pause_seconds)
    status = to_status(refusal)
    await context.abort(
        refusal.kind.grpc_status,
        status.message,
        trailing_metadata=((DETAILS_KEY, status.SerializeToString()),),
    )
