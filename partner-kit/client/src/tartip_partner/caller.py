"""Carries out flows: over gRPC, in a thread (`Caller`) or in an event loop (`AsyncCaller`)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar, cast

from google.protobuf.message import Message

from tartip_partner.connections import AsyncConnections, Connections, Options
from tartip_partner.flows import Call, Flow, Pause, Work
from tartip_partner.identity import Identity

T = TypeVar("T")
StubOf = Callable[[Any], Any]


class Caller:
    """Calls one service of Tartip; may be used from several threads."""

    def __init__(self, address: str, identity: Identity, stub_of: StubOf, options: Options) -> None:
        self._connections = Connections(address, identity, stub_of, options)
        self._closing = threading.Event()

    @property
    def is_open(self) -> bool:
        return not self._closing.is_set()

    def run(self, flow: Flow[T]) -> T:
        """Carry out the steps of a flow, and return its result or raise its error."""
        result: Any = None
        failed: Exception | None = None
        while True:
            try:
                step = flow.throw(failed) if failed else flow.send(result)
            except StopIteration as end:
                return cast(T, end.value)
            failed = None
            try:
                result = self._carry_out(step)
            except Exception as error:
                failed = error  # thrown into the flow, which handles it or ends with it

    @contextlib.contextmanager
    def stream(self, method: str, request: Message) -> Iterator[Iterator[Any]]:
        """A stream of answers, which ends with the block. Raises grpc.RpcError, ClientClosed."""
        with self._connections.stub() as stub:
            stream = getattr(stub, method)(request)
            try:
                yield stream
            finally:
                stream.cancel()

    def pause(self, seconds: float) -> None:
        """Wait, or less long if the client is closed meanwhile."""
        self._closing.wait(seconds)

    def close(self) -> None:
        """Close the connection; calls and streams that are under way end."""
        self._closing.set()
        self._connections.close()

    def _carry_out(self, step: Call | Pause | Work) -> object:
        if isinstance(step, Work):
            return step.run()
        if isinstance(step, Pause):
            self.pause(step.seconds)
            return None
        with self._connections.stub() as stub:
            return getattr(stub, step.method)(step.request, timeout=step.deadline_seconds)


class AsyncCaller:
    """Calls one service of Tartip from an event loop."""

    def __init__(self, address: str, identity: Identity, stub_of: StubOf, options: Options) -> None:
        self._connections = AsyncConnections(address, identity, stub_of, options)
        self._closing = asyncio.Event()

    @property
    def is_open(self) -> bool:
        return not self._closing.is_set()

    async def run(self, flow: Flow[T]) -> T:
        """Carry out the steps of a flow, and return its result or raise its error."""
        result: Any = None
        failed: Exception | None = None
        while True:
            try:
                step = flow.throw(failed) if failed else flow.send(result)
            except StopIteration as end:
                return cast(T, end.value)
            failed = None
            try:
                result = await self._carry_out(step)
            except Exception as error:
                failed = error  # thrown into the flow, which handles it or ends with it

    @contextlib.asynccontextmanager
    async def stream(self, method: str, request: Message) -> AsyncIterator[AsyncIterator[Any]]:
        """A stream of answers, which ends with the block. Raises grpc.RpcError, ClientClosed."""
        async with self._connections.stub() as stub:
            stream = getattr(stub, method)(request)
            try:
                yield stream
            finally:
                stream.cancel()

    async def pause(self, seconds: float) -> None:
        """Wait, or less long if the client is closed meanwhile."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    async def close(self) -> None:
        """Close the connection; calls and streams that are under way end."""
        self._closing.set()
        await self._connections.close()

    async def _carry_out(self, step: Call | Pause | Work) -> object:
        if isinstance(step, Work):
            return await asyncio.to_thread(step.run)
        if isinstance(step, Pause):
            await self.pause(step.seconds)
            return None
        async with self._connections.stub() as stub:
            return await getattr(stub, step.method)(step.request, timeout=step.deadline_seconds)
