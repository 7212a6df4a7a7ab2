"""Health probes: the standard gRPC health service, or a URL."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tartip_cli.provision.certificates import KeyPair

_PROBE_SECONDS = 2.0
_CHANNEL_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class GrpcHealth:
    """A probe that calls the standard gRPC health service over mutual TLS, on one channel."""

    def __init__(self, address: str, pair: KeyPair, authority: Path) -> None:
        self._address = address
        self._pair = pair
        self._authority = authority
        self._channel: grpc.aio.Channel | None = None
        self._certificate = b""

    async def __call__(self) -> bool:
        certificate = self._pair.certificate.read_bytes()
        if self._channel is not None and certificate != self._certificate:  # it was renewed
            await self._channel.close(None)
            self._channel = None
        if self._channel is None:
            self._channel = secure_channel(self._address, self._pair, self._authority)
            self._certificate = certificate
        stub = health_pb2_grpc.HealthStub(self._channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_PROBE_SECONDS)
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise ConnectionError(f"{self._address} does not serve now")
        return True


def secure_channel(address: str, pair: KeyPair, authority: Path) -> grpc.aio.Channel:
    """Open a gRPC channel over mutual TLS with the client certificate in `pair`. The server's
    certificate must be signed by the authority whose certificate is in the file `authority`."""
    credentials = grpc.ssl_channel_credentials(
        root_certificates=authority.read_bytes(),
        private_key=pair.key.read_bytes(),
        certificate_chain=pair.certificate.read_bytes(),
    )
    return grpc.aio.secure_channel(address, credentials, options=_CHANNEL_OPTIONS)


def answers_ok(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=_PROBE_SECONDS) as answer:
        return bool(answer.status == 200)
