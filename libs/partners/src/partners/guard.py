"""Checks each call of a partner against the partner's row in the database.

Before this check, `host.gate` has identified the caller and applied the method's policy. The guard
then requires the scope that the policy names. An open stream is checked every
`refresh_seconds` (`PartnerRegister`), even while it is idle.
"""

import asyncio
import contextvars
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import grpc
from chassis.call_context import current_caller
from chassis.identity import Policy
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from host.revocation import require_still

from partners.model import PartnerScope
from partners.register import PartnerRegister

_END = object()


class PartnerGuard:
    """Wraps gRPC servicers so that calls which a partner may not make are refused.

    The refusals are PartnerUnknown, PartnerRevoked and ScopeMissing. If the certificate is revoked
    while a stream is open, the refusal is CertificateRevoked.
    """

    def __init__(self, register: PartnerRegister, policy: Policy) -> None:
        self._register = register
        self._policy = policy

    def __call__(self, service: ServiceDescriptor, servicer: Any) -> Any:
        """Return a servicer with the methods of `service`, those for partners guarded.

        Raises ValueError if the policy names a scope that does not exist.
        """
        return SimpleNamespace(
            **{method.name: self._guarded(method, servicer) for method in service.methods}
        )

    def _guarded(self, method: MethodDescriptor, servicer: Any) -> Any:
        inner = getattr(servicer, method.name)
        rule = self._policy.get(f"/{method.containing_service.full_name}/{method.name}")
        if rule is None or not rule.partners:
            return inner
        guard = self._stream if method.server_streaming else self._unary
        return guard(inner, PartnerScope(rule.scope))

    def _unary(self, inner: Callable[..., Awaitable[Any]], scope: PartnerScope) -> Any:
        async def serve(request: Any, context: grpc.aio.ServicerContext) -> Any:
            await self._require(scope)
            return await inner(request, context)

        return serve

    def _stream(self, inner: Callable[..., AsyncIterator[Any]], scope: PartnerScope) -> Any:
        async def serve(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
            await self._require(scope)
            async for reply in self._while_allowed(inner(request, context), scope):
                yield reply

        return serve

    async def _while_allowed(
        self, replies: AsyncIterator[Any], scope: PartnerScope
    ) -> AsyncIterator[Any]:
        """Yield replies; raise the refusal once the partner may no longer have them."""
        # All steps of `replies` run in one context, as they would without the guard.
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()
        coming: asyncio.Task[Any] | None = None
        try:
            while True:
                coming = coming or loop.create_task(_next(replies), context=context)
                done, _ = await asyncio.wait({coming}, timeout=self._register.refresh_seconds)
                await self._require(scope)
                if not done:
                    continue
                reply, coming = coming.result(), None
                if reply is _END:
                    return
                yield reply
        finally:
            if coming is not None:
                coming.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await coming
            await loop.create_task(_close(replies), context=context)

    async def _require(self, scope: PartnerScope) -> None:
        caller = current_caller()
        if caller.kind == "partner":
            require_still()
            await self._register.read_once()
            self._register.require(caller.name, scope)


async def _close(replies: AsyncIterator[Any]) -> None:
    if isinstance(replies, AsyncGenerator):
        await replies.aclose()


async def _next(replies: AsyncIterator[Any]) -> Any:
    return await anext(replies, _END)
