"""One of our services as a part: its command, its environment, how to ask whether it serves."""

from __future__ import annotations

import asyncio
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tartip_cli.home import Home
from tartip_cli.parts import Part, Probe
from tartip_cli.pki import Certificates, KeyPair
from tartip_cli.ports import Ports
from tartip_cli.settings import Settings
from tartip_cli.topology import (
    COMMAND_LINE,
    FINES,
    GRPC_SERVICES,
    INFERENCE_GATEWAY,
    VIOLATIONS,
    Service,
)

_PROBE_SECONDS = 2.0
_CHANNEL_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
# What a service frees is overwritten at once: no face stays in memory that was let go of. Blocks
# that glibc keeps at hand for a thread would escape it.
ERASING = {"GLIBC_TUNABLES": "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0"}


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where the parts that services use are, ours or outside ones."""

    nats: str
    triton: str
    evidence: str
    oidc: str
    otlp: str
    databases: Mapping[str, str]
    """Schema to the address with the runtime role."""


@dataclass(frozen=True, kw_only=True)
class ServiceParts:
    """Turns the table of services into parts."""

    settings: Settings
    home: Home
    ports: Ports
    certificates: Certificates
    addresses: Addresses

    def part(self, service: Service) -> Part:
        return Part(
            name=service.name,
            address=self.ports.address(service),
            command=(sys.executable, "-m", service.package, "serve"),
            environment=self.environment(service),
            folder=self.settings.checkout,
            log=self.home.log_of(service.name),
            probe=self._probe(service),
        )

    def environment(self, service: Service) -> dict[str, str]:
        pair = self.certificates.service(service.name)
        own = {
            "TARTIP_NATS_URL": self.addresses.nats,
            "TARTIP_NATS_SEED_FILE": str(self.home.keys / "nats" / f"{service.name}.nk"),
            "TARTIP_TLS_CERT": str(pair.certificate),
            "TARTIP_TLS_KEY": str(pair.key),
            "TARTIP_TLS_CA": str(self.certificates.authority),
            "TARTIP_TLS_CLIENT_AUTHORITIES": str(self.certificates.client_authorities),
            "TARTIP_KEYS_DIR": str(self.home.keys / service.name),
            "TARTIP_OIDC_ISSUER": self.addresses.oidc,
            "TARTIP_TRITON_URL": self.addresses.triton,
            "TARTIP_EVIDENCE_URL": self.addresses.evidence,
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.addresses.otlp,
            "TARTIP_LOG_LEVEL": self.settings.log_level,
            "TARTIP_ENVIRONMENT": self.settings.environment,
            "TARTIP_CLOCK_OFFSET": str(self.settings.clock_offset.total_seconds()),
            "TARTIP_ASSUME_YEARS": str(int(self.settings.assumes_years)),
            "GRPC_ENABLE_FORK_SUPPORT": "0",
            "MALLOC_ARENA_MAX": "2",  # glibc's arenas per thread cost memory and gain nothing here
            "PYTHONUNBUFFERED": "1",
            "TZ": "UTC",
        }
        for peer in GRPC_SERVICES:
            own[peer.address_variable] = self.ports.address(peer)
        if service.port_offset is None:
            own["TARTIP_HTTP_ADDRESS"] = self.ports.address(service)
        else:
            own["TARTIP_GRPC_ADDRESS"] = self.ports.address(service)
        if service.schema is not None:
            own["TARTIP_DATABASE_URL"] = self.addresses.databases[service.schema]
        return own | self._particular(service)

    def _particular(self, service: Service) -> dict[str, str]:
        if service is FINES:
            vehicles = self.settings.vehicles_file or self.home.path / "vehicles.json"
            return {
                "TARTIP_VEHICLES_FILE": str(vehicles),
                "TARTIP_LETTERS_DIR": str(self.home.letters),
            }
        if service is INFERENCE_GATEWAY:
            return ERASING
        if service is VIOLATIONS:
            return {"TARTIP_OFFICER_CA": str(self.certificates.officer_authority)}
        return {}

    def _probe(self, service: Service) -> Probe:
        address = self.ports.address(service)
        if service.port_offset is None:
            return lambda: asyncio.to_thread(_ready, f"http://{address}/readyz")
        return GrpcHealth(
            address, self.certificates.service(COMMAND_LINE), self.certificates.authority
        )


class GrpcHealth:
    """The standard health service over mutual TLS; the channel is kept between questions."""

    def __init__(self, address: str, pair: KeyPair, authority: Path) -> None:
        self._address = address
        self._pair = pair
        self._authority = authority
        self._channel: grpc.aio.Channel | None = None

    async def __call__(self) -> bool:
        if self._channel is None:
            self._channel = secure_channel(self._address, self._pair, self._authority)
        stub = health_pb2_grpc.HealthStub(self._channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_PROBE_SECONDS)
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise ConnectionError(f"{self._address} does not serve now")
        return True


def secure_channel(address: str, pair: KeyPair, authority: Path) -> grpc.aio.Channel:
    """A channel with our certificate; the way of every gRPC client of this package."""
    credentials = grpc.ssl_channel_credentials(
        root_certificates=authority.read_bytes(),
        private_key=pair.key.read_bytes(),
        certificate_chain=pair.certificate.read_bytes(),
    )
    return grpc.aio.secure_channel(address, credentials, options=_CHANNEL_OPTIONS)


def _ready(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=_PROBE_SECONDS) as answer:
        return bool(answer.status == 200)
