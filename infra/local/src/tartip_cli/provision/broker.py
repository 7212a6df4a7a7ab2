"""Provisions NATS: creates the streams and consumers that `streams.yaml` describes.

An existing stream or consumer is updated only if it differs from `streams.yaml`. Settings that
`streams.yaml` does not mention stay as they are. The number of replicas is raised to the setting
`TARTIP_NATS_REPLICAS`, but never lowered.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats
from host.broker import client_tls
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig, StreamConfig
from nats.js.errors import APIError, NotFoundError

from tartip_cli.failures import Exit, Failure
from tartip_cli.provision.certificates import Certificates, KeyPair
from tartip_cli.provision.keys import Keys
from tartip_cli.provision.streams import FEED_PROVISIONER, PROVISIONER, Topology, inbox_of
from tartip_cli.topology import COMMAND_LINE

_CLOSE_SECONDS = 1.0
_REQUEST_SECONDS = 10.0
# What `streams.yaml` says of a stream and of a consumer, by the names of the JetStream API.
_OF_STREAM = (
    "subjects",
    "discard",
    "max_age",
    "max_bytes",
    "duplicate_window",
    "deny_delete",
    "deny_purge",
    "allow_direct",
    "no_ack",
)
_OF_CONSUMER = ("filter_subjects", "ack_wait", "max_deliver", "max_ack_pending")
# Error codes of JetStream: the server is in no cluster; the cluster has too few servers (now).
_NO_CLUSTER, _TOO_FEW_SERVERS = 10074, 10005
_TRIES, _TRY_AGAIN_SECONDS = 10, 1.0


@dataclass(frozen=True, kw_only=True)
class Broker:
    """The NATS server to provision: the embedded one, or an external one with the same users.

    The field `url` is the server's address; several addresses of one cluster are separated by
    commas. The file `authority` has the certificate of the authority that signed the server's
    certificate. By default, this is the services' authority.
    """

    url: str
    certificates: Certificates
    keys: Keys
    topology: Topology
    authority: Path | None = None

    async def answers(self) -> bool:
        async with self._connected() as client:
            await client.jetstream().account_info()
        return True

    async def provision(self) -> None:
        """Create missing streams and consumers, and update those that differ from `topology`. Can
        be repeated. Raises Failure if the broker cannot have the wanted number of replicas."""
        async with self._connected(FEED_PROVISIONER) as client:
            for stream in self.topology.feed_streams:
                await _provision_stream(client, stream)
        async with self._connected() as client:
            for stream in self.topology.streams:
                await _provision_stream(client, stream)
                for consumer in self.topology.consumers[stream.name or ""]:
                    await _provision_consumer(client, stream, consumer)

    @asynccontextmanager
    async def _connected(self, user: str = PROVISIONER) -> AsyncIterator[Client]:
        client = await connect(
            self.url,
            user=user,
            seed=self.keys.nats_seed(user),
            pair=self.certificates.service(COMMAND_LINE),
            authority=self.authority or self.certificates.authority,
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
    """Connect to NATS as `user`, as services do, and return the client. The connection uses the
    certificate `pair` and the user's nkey seed in the file `seed`. Its inbox prefix is one to which
    only this user may subscribe. The file `authority` has the certificate of the authority that
    signed the server's certificate.

    `url` may have several addresses of one cluster, separated by commas. The first address that
    answers is used. `options` are passed to `nats.connect`. With `allow_reconnect=True`, the other
    addresses are used if the connection to the first one fails.
    """
    context = client_tls(pair.certificate, pair.key, authority)
    settings: dict[str, Any] = {
        "connect_timeout": 2,
        "allow_reconnect": False,
        "error_cb": _ignore,
        "tls": context,
        "nkeys_seed": str(seed),
        "inbox_prefix": inbox_of(user).removesuffix(".>").encode(),
        "name": user,
        **options,
    }
    addresses = [address.strip() for address in url.split(",")]
    if settings["allow_reconnect"] or len(addresses) == 1:
        return await nats.connect(addresses, **settings)
    # The library gives up at the first server that takes a connection and does not answer.
    once = {**settings, "max_reconnect_attempts": 1, "reconnect_time_wait": 0.1}
    for address in addresses[:-1]:
        try:
            return await nats.connect([address], **once)
        except (OSError, TimeoutError, NatsError):
            continue
    return await nats.connect([addresses[-1]], **once)


async def _provision_stream(client: Client, wanted: StreamConfig) -> None:
    name, config = wanted.name or "", wanted.as_dict()
    for tries_left in reversed(range(_TRIES)):
        try:
            known = await _config_of(client, f"STREAM.INFO.{name}")
            if known is None:
                await _ask(client, f"STREAM.CREATE.{name}", config)
            elif (changed := _changed(known, config, _OF_STREAM)) is not None:
                await _ask(client, f"STREAM.UPDATE.{name}", changed)
            return
        except APIError as error:
            if error.err_code == _NO_CLUSTER or (
                error.err_code == _TOO_FEW_SERVERS and not tries_left
            ):
                raise Failure(
                    f"NATS cannot keep {config['num_replicas']} replicas of the stream {name} "
                    f"({error.description}): start as many servers with JetStream in one cluster, "
                    "or set TARTIP_NATS_REPLICAS to 1",
                    Exit.PART_FAILED,
                ) from error
            if error.err_code != _TOO_FEW_SERVERS:
                raise
        await asyncio.sleep(_TRY_AGAIN_SECONDS)  # servers that have just started are not known yet


async def _provision_consumer(client: Client, stream: StreamConfig, wanted: ConsumerConfig) -> None:
    """A new consumer has as many replicas as its stream, also later."""
    place = f"{stream.name}.{wanted.name}"
    known = await _config_of(client, f"CONSUMER.INFO.{place}")
    config: dict[str, Any] | None = wanted.as_dict()
    if known is not None:
        # 0 replicas stand for those of the stream; a number is the operator's.
        replicas = stream.num_replicas if known.get("num_replicas") else 0
        config = _changed(known, {**wanted.as_dict(), "num_replicas": replicas}, _OF_CONSUMER)
    if config is not None:
        request = {"stream_name": stream.name, "config": config}
        await _ask(client, f"CONSUMER.CREATE.{place}", request)


def _changed(
    known: Mapping[str, Any], wanted: Mapping[str, Any], fields: tuple[str, ...]
) -> dict[str, Any] | None:
    """The configuration `known` with the wanted values of `fields`, and at least as many replicas
    as wanted; None if it has all of them already."""
    differing = {
        name: wanted.get(name)
        for name in fields
        if (known.get(name) or None) != (wanted.get(name) or None)  # the server leaves out zeros
    }
    if (known.get("num_replicas") or 0) < wanted["num_replicas"]:
        differing["num_replicas"] = wanted["num_replicas"]
    if not differing:
        return None
    changed = {**known, **differing}
    if "filter_subjects" in differing:
        changed.pop("filter_subject", None)
    return changed


async def _config_of(client: Client, request: str) -> dict[str, Any] | None:
    """The configuration as the server has it, with fields that are unknown to the library."""
    try:
        config: dict[str, Any] = (await _ask(client, request))["config"]
    except NotFoundError:
        return None
    return config


async def _ask(client: Client, request: str, content: object = None) -> dict[str, Any]:
    """Call the JetStream API. Raises APIError if it refuses."""
    payload = b"" if content is None else json.dumps(content).encode()
    reply = await client.request(f"$JS.API.{request}", payload, timeout=_REQUEST_SECONDS)
    answer: dict[str, Any] = json.loads(reply.data)
    if "error" in answer:
        raise APIError.from_error(answer["error"])
    return answer


async def _ignore(_: Exception) -> None:
    """Ignore an error of the NATS library, which connect() raises too; by default it is printed."""
