"""The connection to NATS: one per process, with mutual TLS and an nkey, reconnecting without limit.

A service may only fetch, acknowledge, publish its own subjects and read the state of its own
streams. Streams and consumers are created by the operator of the broker, never here.
"""

import json
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import SlowConsumerError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

log = logging.getLogger(__name__)


class _Errors:
    """The handler of the NATS client's errors: calls `dropped` for each message lost by a slow
    listener, and logs all other errors."""

    def __init__(self) -> None:
        self.dropped: dict[object, Callable[[], None]] = {}

    async def report(self, error: Exception) -> None:
        if isinstance(error, SlowConsumerError) and error.sub in self.dropped:
            self.dropped[error.sub]()
        else:
            log.warning("nats: %s", type(error).__name__)


class Broker:
    def __init__(self, client: Client, name: str, errors: _Errors) -> None:
        self.client = client
        self.name = name
        self._errors = errors
        self.jetstream: JetStreamContext = client.jetstream(timeout=5)

    @classmethod
    async def connect(
        cls, url: str, *, name: str, seed_file: Path | None, tls: ssl.SSLContext | None
    ) -> "Broker":
        """Connect with the nkey in `seed_file`; this and reconnections are retried for ever."""
        errors = _Errors()
        client = await nats.connect(
            url,
            name=name,
            tls=tls,
            nkeys_seed=str(seed_file) if seed_file else None,
            inbox_prefix=f"_INBOX_{name}".encode(),
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.5,
            ping_interval=10,
            max_outstanding_pings=2,
            connect_timeout=5,
            error_cb=errors.report,
            pending_size=0,
        )
        return cls(client, name, errors)

    @property
    def is_connected(self) -> bool:
        """Whether the connection is up now."""
        return self.client.is_connected

    @property
    def reconnects(self) -> int:
        """The number of reconnections; core NATS messages sent while disconnected were missed."""
        return int(self.client.stats["reconnects"])

    @asynccontextmanager
    async def listening(
        self,
        subject: str,
        on_message: Callable[[Msg], None],
        *,
        dropped: Callable[[], None],
        pending_max: int,
    ) -> AsyncIterator[None]:
        """Call `on_message` for each core NATS message on `subject` while the block runs.

        `dropped` is called for each message that is lost because `pending_max` messages wait.
        Messages sent while the connection is down are missed.
        """

        async def received(msg: Msg) -> None:
            on_message(msg)

        subscription = await self.client.subscribe(
            subject, cb=received, pending_msgs_limit=pending_max
        )
        self._errors.dropped[subscription] = dropped
        try:
            if self.is_connected:
                await self.client.flush()
            yield
        finally:
            del self._errors.dropped[subscription]
            await subscription.unsubscribe()

    @property
    def inbox_prefix(self) -> bytes:
        """The subject prefix of replies to this NATS user, in bytes as the client requires."""
        # With the dot: the library appends a bare token, and only what is below is permitted.
        return f"_INBOX_{self.name}.".encode()

    async def stream_made_at(self, stream: str) -> str:
        """The server's time at which the stream was created; a new value means a new stream.

        Raises NotFoundError, or NATS's errors if the server does not answer.
        """
        reply = await self.client.request(f"$JS.API.STREAM.INFO.{stream}", b"", timeout=5)
        answer: dict[str, Any] = json.loads(reply.data)
        if "error" in answer:
            raise NotFoundError(description=answer["error"].get("description"))
        return str(answer["created"])

    async def close(self) -> None:
        """Close the connection."""
        await self.client.close()


def client_tls(cert: Path, key: Path, ca: Path) -> ssl.SSLContext:
    """A context for mutual TLS 1.2 or later, from PEM files. Raises OSError or ssl.SSLError."""
    context = ssl.create_default_context(cafile=str(ca))
    context.load_cert_chain(str(cert), str(key))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
