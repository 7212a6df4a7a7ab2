"""The connection of a client: opened with the newest certificate, and anew when that changes.

Calls that are under way keep the connection that they began on; it is closed after the last one.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc

from tartip_partner.errors import ClientClosed
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

    def __init__(
        self,
        identity: Identity,
        open_: Callable[[grpc.ChannelCredentials], C],
        stub_of: Callable[[C], Any],
    ) -> None:
        self._identity = identity
        self._open = open_
        self._stub_of = stub_of
        self._connections: list[_Connection[C]] = []
        self.is_closed = False

    def take(self) -> _Connection[C]:
        """Raises CertificateExpired, and ClientClosed after `close`."""
        if self.is_closed:
            raise ClientClosed
        credentials = self._identity.current()
        credentials.check()
        newest = self._connections[-1] if self._connections else None
        if newest is None or newest.credentials != credentials:
            for connection in self._connections:
                connection.is_retired = True
            channel = self._open(credentials.for_channel())
            newest = _Connection(channel, self._stub_of(channel), credentials)
            self._connections.append(newest)
        newest.users += 1
        return newest

    def give_back(self, connection: _Connection[C]) -> list[C]:
        """Returns the channels that nobody uses any more, which the caller closes."""
        connection.users -= 1
        over = [one.channel for one in self._connections if one.is_over]
        self._connections = [one for one in self._connections if not one.is_over]
        return over

    def close(self) -> list[C]:
        """Returns all channels, which the caller closes with the calls on them."""
        self.is_closed = True
        channels = [connection.channel for connection in self._connections]
        self._connections = []
        return channels


class Connections:
    """Connections of a client without asyncio; may be used from several threads."""

    def __init__(
        self,
        address: str,
        identity: Identity,
        stub_of: Callable[[grpc.Channel], Any],
        options: Options,
    ) -> None:
        chosen = [*_OPTIONS, *options]
        self._lock = threading.Lock()
        self._newest = _Newest(
            identity,
            lambda secret: grpc.secure_channel(address, secret, options=chosen),
            stub_of,
        )

    @contextlib.contextmanager
    def stub(self) -> Iterator[Any]:
        """The stub for one call. Raises CertificateExpired, and ClientClosed if the client is, or
        is being closed."""
        with self._lock:
            connection = self._newest.take()
        try:
            yield connection.stub
        except (grpc.RpcError, ValueError) as error:  # ValueError: the channel is closed already
            if self._newest.is_closed:
                raise ClientClosed from error
            raise
        finally:
            with self._lock:
                over = self._newest.give_back(connection)
            for channel in over:
                channel.close()

    def close(self) -> None:
        with self._lock:
            channels = self._newest.close()
        for channel in channels:
            channel.close()


class AsyncConnections:
    """Connections of a client in an event loop."""

    def __init__(
        self,
        address: str,
        identity: Identity,
        stub_of: Callable[[grpc.aio.Channel], Any],
        options: Options,
    ) -> None:
        chosen = [*_OPTIONS, *options]
        self._newest = _Newest(
            identity,
            lambda secret: grpc.aio.secure_channel(address, secret, options=chosen),
            stub_of,
        )

    @contextlib.asynccontextmanager
    async def stub(self) -> AsyncIterator[Any]:
        """The stub for one call. Raises CertificateExpired, and ClientClosed if the client is, or
        is being closed."""
        connection = self._newest.take()
        try:
            yield connection.stub
        except (grpc.RpcError, grpc.aio.UsageError, asyncio.CancelledError) as error:
            # A call whose channel is closed ends as cancelled, like the task that makes it.
            task = asyncio.current_task()
            if self._newest.is_closed and not (task and task.cancelling()):
                raise ClientClosed from error
            raise
        finally:
            for channel in self._newest.give_back(connection):
                await channel.close(None)

    async def close(self) -> None:
        for channel in self._newest.close():
            await channel.close(None)
