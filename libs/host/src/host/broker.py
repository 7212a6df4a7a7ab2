"""The connection to NATS: one per process, with mutual TLS and an nkey, reconnecting without limit.

A service may only fetch and acknowledge events, publish on its own subjects and read the state of
its own streams. Streams and consumers are created by the operator of the broker, never here.
"""

import asyncio
import contextlib
import json
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import SlowConsumerError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from host.certificates import CertificateFiles, CertificateUnusable, Stamp, stamp_of

SEED_CHECK_SECONDS = 2.0
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


class _Client(Client):
    """A client that reads its nkey seed for each connection. The library's own client keeps the
    public key of the first seed."""

    def _connect_command(self) -> bytes:
        self._setup_nkeys_connect()
        return super()._connect_command()


class Broker:
    def __init__(
        self, client: Client, name: str, errors: _Errors, seed_file: Path | None = None
    ) -> None:
        self.client = client
        self.name = name
        self._errors = errors
        self._seed_file = seed_file
        self.jetstream: JetStreamContext = client.jetstream(timeout=5)

    @classmethod
    async def connect(
        cls, url: str, *, name: str, seed_file: Path | None, tls: ssl.SSLContext | None
    ) -> "Broker":
        """Connect to NATS as the client `name`, with the nkey seed in `seed_file`.

        `url` has one address, or several of one cluster with commas between them; the first that
        answers is used. Failed attempts, the first included, are repeated without limit.
        """
        errors = _Errors()
        client = _Client() if seed_file else Client()
        options: dict[str, Any] = {
            "nkeys_seed": str(seed_file) if seed_file else None,
            "inbox_prefix": f"_INBOX_{name}".encode(),
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": 0.5,
            "ping_interval": 10,
            "max_outstanding_pings": 2,
            "connect_timeout": 5,
            "pending_size": 0,
        }
        servers = addresses_in(url)
        await client.connect(servers, name=name, tls=tls, error_cb=errors.report, **options)
        return cls(client, name, errors, seed_file)

    async def keep_key_current(self) -> None:
        """Reconnect whenever the file with the nkey seed is replaced; never returns.

        The server accepts the old key for a while, and then closes connections that use it. After
        that, the NATS client would not reconnect without this function.
        """
        known = self._seed_stamp()
        while True:
            await asyncio.sleep(SEED_CHECK_SECONDS)
            found = self._seed_stamp()
            # While it is not connected, a connection may just begin with the old key.
            if found is not None and found != known and self.is_connected:
                log.info("the key to the broker was replaced")
                await self.client.force_reconnect()
                known = found

    def _seed_stamp(self) -> Stamp | None:
        with contextlib.suppress(OSError):
            return stamp_of(self._seed_file) if self._seed_file else None
        return None

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
        """Return the server's time, as text, at which a stream was created.

        A changed value means that the stream was created anew. Raises NotFoundError if there is no
        such stream, or another error of NATS if the server does not answer.
        """
        reply = await self.client.request(f"$JS.API.STREAM.INFO.{stream}", b"", timeout=5)
        answer: dict[str, Any] = json.loads(reply.data)
        if "error" in answer:
            raise NotFoundError(description=answer["error"].get("description"))
        return str(answer["created"])

    async def close(self) -> None:
        """Close the connection for good."""
        await self.client.close()


def addresses_in(url: str) -> list[str]:
    """Return the addresses in a comma-separated text, without spaces around them."""
    return [address.strip() for address in url.split(",") if address.strip()]


def client_tls(cert: Path, key: Path, ca: Path) -> ssl.SSLContext:
    """Return a client's context for mutual TLS 1.2 or later; `cert`, `key` and `ca` are PEM files.

    Certificate and key are read again for each connection. Raises CertificateUnusable if one of
    them is missing or damaged, and OSError or ssl.SSLError for an authority's file `ca` that is
    missing or damaged.
    """
    files = CertificateFiles(cert, key)
    files.read_settled()
    context = _RenewedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.files = files
    context.load_verify_locations(str(ca))
    context.load_cert_chain(str(cert), str(key))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class _RenewedContext(ssl.SSLContext):
    """A context that presents the certificate which its files hold when a connection begins."""

    files: CertificateFiles

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """Begin the TLS of one connection, as event loops do."""
        try:
            self.files.read()
            self.load_cert_chain(str(self.files.certificate), str(self.files.key))
        except (CertificateUnusable, OSError) as error:
            log.warning("nats: the certificate read before is presented: %s", error)
        return super().wrap_bio(*args, **options)
