"""Provisions NATS: creates streams and consumers as described in `streams.yaml`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats
from host.broker import client_tls
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from nats.js.errors import NotFoundError

from tartip_cli.provision.certificates import Certificates, KeyPair
from tartip_cli.provision.keys import Keys
from tartip_cli.provision.streams import FEED_PROVISIONER, PROVISIONER, Topology, inbox_of
from tartip_cli.topology import COMMAND_LINE

_CLOSE_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Broker:
    """The NATS server to provision: the embedded one, or an external one with the same users."""

    url: str
    certificates: Certificates
    keys: Keys
    topology: Topology

    async def answers(self) -> bool:
        async with self._connected() as client:
            await client.jetstream().account_info()
        return True

    async def provision(self) -> None:
        """Create missing streams and consumers, and update those that differ from `topology`. Can
        be repeated."""
        async with self._connected(FEED_PROVISIONER) as client:
            js = client.jetstream(timeout=10)
            for stream in self.topology.feed_streams:
                await _provision_stream(js, stream)
        async with self._connected() as client:
            js = client.jetstream(timeout=10)
            for stream in self.topology.streams:
                await _provision_stream(js, stream)
                for consumer in self.topology.consumers[stream.name or ""]:
                    await js.add_consumer(stream.name or "", consumer)

    @asynccontextmanager
    async def _connected(self, user: str = PROVISIONER) -> AsyncIterator[Client]:
        client = await connect(
            self.url,
            user=user,
            seed=self.keys.nats_seed(user),
            pair=self.certificates.service(COMMAND_LINE),
            authority=self.certificates.authority,
        )
        try:
            yield client
        finally:
            # Closing waits for the server's end of TLS, which does not come if it hangs.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(client.close(), _CLOSE_SECONDS)


async def connect(
    url: str, *, user: str, seed: Path, pair: KeyPair, authority: Path, **options: Any
) -> Client:
    """Connect to NATS as `user`, the way services do: with the certificate `pair`, the user's nkey
    seed in the file `seed`, and an inbox prefix that only this user may subscribe to."""
    context = client_tls(pair.certificate, pair.key, authority)
    settings: dict[str, Any] = {
        "connect_timeout": 2,
        "allow_reconnect": False,
        "error_cb": _ignore,
        **options,
    }
    return await nats.connect(
        url,
        tls=context,
        nkeys_seed=str(seed),
        inbox_prefix=inbox_of(user).removesuffix(".>").encode(),
        name=user,
        **settings,
    )


async def _provision_stream(js: JetStreamContext, wanted: StreamConfig) -> None:
    try:
        await js.stream_info(wanted.name or "")
    except NotFoundError:
        await js.add_stream(wanted)
    else:
        await js.update_stream(wanted)


async def _ignore(_: Exception) -> None:
    """Ignore an error of the NATS library, which connect() raises too; by default it is printed."""
