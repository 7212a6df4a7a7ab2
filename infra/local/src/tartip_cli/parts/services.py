"""Describes each service of the mesh as a part: its command, environment and health probe."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from tartip_cli.data_dir import DataDir
from tartip_cli.parts.health import Probe
from tartip_cli.parts.part import Part
from tartip_cli.parts.probes import GrpcHealth, HttpHealth
from tartip_cli.ports import Ports
from tartip_cli.provision.certificates import Certificates
from tartip_cli.settings import Settings
from tartip_cli.topology import (
    CITIZEN_REPORTS,
    COMMAND_LINE,
    FINES,
    GRPC_SERVICES,
    INFERENCE_GATEWAY,
    PARTNERS,
    SERVICES,
    TRIAL_OFFICERS,
    VIOLATIONS,
    Service,
)

# Freed memory is overwritten at once, so that no face stays in it. Blocks that glibc caches for a
# thread would not be overwritten.
ERASING = {"GLIBC_TUNABLES": "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0"}


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """The addresses at which services reach the databases, NATS, Triton, the evidence store, the
    OIDC issuer and the OTLP collector. Each of these may be embedded or external."""

    nats: str
    triton: str
    evidence: str
    oidc: str
    otlp: str
    databases: Mapping[str, Mapping[str, str]]
    """By database schema: the environment variables of the service, with the URLs of its
    log-ins."""


@dataclass(frozen=True, kw_only=True)
class ServiceParts:
    """Describes the services listed in `topology.SERVICES` as parts of the mesh."""

    settings: Settings
    home: DataDir
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
            "TARTIP_LOG_LEVEL": self.settings.log_level,
            "TARTIP_ENVIRONMENT": self.settings.environment,
            "TARTIP_CLOCK_OFFSET": str(self.settings.clock_offset.total_seconds()),
            "TARTIP_ASSUME_YEARS": str(int(self.settings.assumes_years)),
            "GRPC_ENABLE_FORK_SUPPORT": "0",
            "MALLOC_ARENA_MAX": "2",  # glibc's arenas per thread cost memory without benefit here
            "PYTHONUNBUFFERED": "1",
            "TZ": "UTC",
            **self._telemetry(service),
        }
        if self.settings.nats_url and self.settings.nats_ca:
            own["TARTIP_NATS_CA"] = str(self.settings.nats_ca)
        for peer in GRPC_SERVICES:
            own[peer.address_variable] = self.ports.address(peer)
        if service.port_offset is None:
            own["TARTIP_HTTP_ADDRESS"] = self.ports.address(service)
        else:
            own["TARTIP_GRPC_ADDRESS"] = self.ports.address(service)
        if service.schema is not None:
            own |= self.addresses.databases[service.schema]
            own["TARTIP_ERASURES"] = str(self.settings.erasures_folder)
        return own | self._particular(service)

    def _telemetry(self, service: Service) -> dict[str, str]:
        """Where the service's spans, metrics and logs go. The supervisor's own receiver speaks HTTP
        and gets no logs, as they are in files of the data folder already."""
        settings = self.settings
        own = {
            **settings.otel,
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.addresses.otlp,
            "OTEL_EXPORTER_OTLP_PROTOCOL": settings.otlp_protocol,
            "TARTIP_TRACE_RATIO": str(settings.trace_ratio),
        }
        if settings.otlp_endpoint is None:
            own |= {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_LOGS_EXPORTER": "none"}
        if settings.metrics_address is not None:
            host, port = settings.metrics_address
            own["TARTIP_METRICS_ADDRESS"] = f"{host}:{port + SERVICES.index(service)}"
        return own

    def _particular(self, service: Service) -> dict[str, str]:
        # Whoever gets a certificate at each start may call in a trial; else `tartip partners add`.
        trial = {"TARTIP_TRIAL_PARTNERS": ",".join(PARTNERS)} if self.settings.is_trial else {}
        if service is FINES:
            vehicles = self.settings.vehicles_file or self.home.path / "vehicles.json"
            return trial | {
                "TARTIP_VEHICLES_FILE": str(vehicles),
                "TARTIP_LETTERS_DIR": str(self.home.letters),
            }
        if service is CITIZEN_REPORTS:
            officers = {"TARTIP_TRIAL_OFFICERS": TRIAL_OFFICERS} if trial else {}
            return {**trial, **officers, **self.settings.webhooks}
        if service is INFERENCE_GATEWAY:
            caller = self.certificates.triton_caller(service.name)
            return {
                **ERASING,
                **self.settings.inference,
                "TARTIP_TRITON_CERT": str(caller.certificate),
                "TARTIP_TRITON_KEY": str(caller.key),
            }
        if service is VIOLATIONS:
            return {"TARTIP_OFFICER_CA": str(self.certificates.officer_authority)}
        return {}

    def _probe(self, service: Service) -> Probe:
        address = self.ports.address(service)
        if service.port_offset is None:
            return HttpHealth(f"http://{address}/readyz")
        return GrpcHealth(
            address, self.certificates.service(COMMAND_LINE), self.certificates.authority
        )
