"""Probes that find out the health of a part: by the standard gRPC health service, or by an HTTP
request."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from host.health import reasons_in

from tartip_cli.parts.health import READY, Health, degraded, unready
from tartip_cli.provision.certificates import KeyPair

PROBE_SECONDS = 2.0
_CHANNEL_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
_NO_ANSWER = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
_REASON_CHARACTERS = 200
# Probes have threads of their own: asyncio's are few and may be busy measuring memory.
_THREADS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="probe")
_WITHOUT_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class GrpcHealth:
    """A probe that calls the standard gRPC health service over mutual TLS. The channel stays open
    between calls. When the client certificate is renewed, a new channel is opened."""

    def __init__(self, address: str, pair: KeyPair, authority: Path) -> None:
        self._address = address
        self._pair = pair
        self._authority = authority
        self._channel: grpc.aio.Channel | None = None
        self._certificate = b""

    async def __call__(self) -> Health:
        certificate = self._pair.certificate.read_bytes()
        if self._channel is not None and certificate != self._certificate:  # it was renewed
            await self._channel.close(None)
            self._channel = None
        if self._channel is None:
            self._channel = secure_channel(self._address, self._pair, self._authority)
            self._certificate = certificate
        stub = health_pb2_grpc.HealthStub(self._channel)
        call = stub.Check(health_pb2.HealthCheckRequest(), timeout=PROBE_SECONDS)
        try:
            answer = await call
        except grpc.aio.AioRpcError as error:
            return health_of(error)
        reasons = _in_lines(reasons_in(await call.trailing_metadata()))
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            return unready(*reasons or ("its health service says NOT_SERVING",))
        return degraded(*reasons) if reasons else READY


@dataclass(frozen=True)
class HttpHealth:
    """A probe of the operator gateway by a GET of its `/readyz`. Status 200 means ready, any other
    status unready. OSError is raised if there is no answer.

    The body may be a JSON object whose key `reasons` is an object of texts. If the status is 200
    and there are reasons, the gateway is degraded.
    """

    url: str

    async def __call__(self) -> Health:
        status, body = await get(self.url)
        try:
            reasons = _in_lines(json.loads(body)["reasons"])
        except (ValueError, LookupError, TypeError, AttributeError):  # it is not the gateway's
            reasons = ()
        if status != 200:
            said = body.decode(errors="replace")[:_REASON_CHARACTERS]
            return unready(*reasons or (f"HTTP {status}: {said}",))
        return degraded(*reasons) if reasons else READY


def _in_lines(reasons: Mapping[str, str]) -> tuple[str, ...]:
    """As {"database": "does not answer"} becomes "database does not answer"."""
    return tuple(f"{what} {why}"[:_REASON_CHARACTERS] for what, why in reasons.items())


async def get(url: str) -> tuple[int, bytes]:
    """Return the status and body of a GET request. Raises OSError if there is no answer."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _get, url)


def health_of(error: grpc.aio.AioRpcError) -> Health:
    """Convert a failed gRPC call to the health of the server: unready, with the status as the
    reason. The statuses UNAVAILABLE and DEADLINE_EXCEEDED mean that the server did not answer; for
    these, ConnectionError is raised."""
    reason = f"{error.code().name}: {error.details()}"
    if error.code() in _NO_ANSWER:
        raise ConnectionError(reason) from error
    return unready(reason)


def secure_channel(address: str, pair: KeyPair, authority: Path) -> grpc.aio.Channel:
    """Open a gRPC channel over mutual TLS with the client certificate in `pair`. The file
    `authority` has the certificate of an authority, which must have signed the server's
    certificate."""
    credentials = grpc.ssl_channel_credentials(
        root_certificates=authority.read_bytes(),
        private_key=pair.key.read_bytes(),
        certificate_chain=pair.certificate.read_bytes(),
    )
    return grpc.aio.secure_channel(address, credentials, options=_CHANNEL_OPTIONS)


def _get(url: str) -> tuple[int, bytes]:
    try:
        with _WITHOUT_PROXY.open(url, timeout=PROBE_SECONDS) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
