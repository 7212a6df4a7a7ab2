"""The connection of a client: opened with the newest certificate, and anew when that changes.

Calls that are under way keep the connection that they began on; it is closed after the last one.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc
from tartip.reports.v1 import reports_pb2_grpc

from tartip_partner.identity import Credentials, Identity

C = TypeVar("C")
Options = Sequence[tuple[str, Any]]
_OPTIONS: Options = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # A connection that a router has forgotten is found within seconds, also on an idle stream.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
)


@dataclass
class _Connection(Generic[C]):
    channel: C
    stub: Any
    credentials: Credentials
    users: int = 0
    is_retired: bool = False

    @property
    def is_over(self) -> bool:
        return self.is_retired and self.users == 0


class _Newest(Generic[C]):
    """The connection for the next call; one that it replaces is retired."""

    def __init__(self, identity: Identity, open_: Callable[[grpc.ChannelCredentials], C]) -> None:
        self._identity = identity
        self._open = open_
        self._connections: list[_Connection[C]] = []

    def take(self) -> _Connection[C]:
        """Raises CertificateExpired."""
        credentials = self._identity.current()
        credentials.check()
        newest = self._connections[-1] if self._connections else None
        if newest is None or newest.is_retired or newest.credentials != credentials:
            self.retire()
            channel = self._open(credentials.for_channel())
            stub: Any = reports_pb2_grpc.CitizenReportsStub(channel)  # type: ignore[call-overload]
            newest = _Connection(channel, stub, credentials)
            self._connections.append(newest)
        newest.users += 1
        return newest

    def retire(self) -> None:
        for connection in self._connections:
            connection.is_retired = True

    def over(self) -> list[C]:
        """The channels that nobody uses any more, which the caller closes."""
        over = [connection.channel for connection in self._connections if connection.is_over]
        self._connections = [one for one in self._connections if not one.is_over]
        return over

    def all(self) -> list[C]:
        """All channels, for closing them with the calls on them."""
        channels = [connection.channel for connection in self._connections]
        self._connections = []
        return channels


class Connections:
    """Connections of a client without asyncio; may be used from several threads."""

    def __init__(self, address: str, identity: Identity, options: Options) -> None:
        chosen = [*_OPTIONS, *options]
        self._lock = threading.Lock()
        self._newest = _Newest(
            identity, lambda secret: grpc.secure_channel(address, secret, options=chosen)
        )

    @contextlib.contextmanager
    def stub(self) -> Iterator[Any]:
        """The stub for one call. Raises CertificateExpired."""
        with self._lock:
            connection = self._newest.take()
        try:
            yield connection.stub
        finally:
            with self._lock:
                connection.users -= 1
                over = self._newest.over()
            for channel in over:
                channel.close()

    def close(self) -> None:
        with self._lock:
            channels = self._newest.all()
        for channel in channels:
            channel.close()


class AsyncConnections:
    """Connections of a client in an event loop."""

    def __init__(self, address: str, identity: Identity, options: Options) -> None:
        chosen = [*_OPTIONS, *options]
        self._newest = _Newest(
            identity, lambda secret: grpc.aio.secure_channel(address, secret, options=chosen)
        )

    @contextlib.asynccontextmanager
    async def stub(self) -> AsyncIterator[Any]:
        """The stub for one call. Raises CertificateExpired."""
        connection = self._newest.take()
        try:
            yield connection.stub
        finally:
            connection.users -= 1
            for channel in self._newest.over():
                await channel.close(None)

    async def close(self) -> None:
        for channel in self._newest.all():
            await channel.close(None)
