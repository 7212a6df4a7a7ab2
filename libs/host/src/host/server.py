"""The gRPC server of a process: mutual TLS, the gate, health and reflection.

The server's options set how soon the calls of a vanished client stop counting against the client's
limits, how often clients may ping, and how many concurrent calls a connection may have.
"""

from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from host.certificates import CertificateFiles, CurrentCertificate, Pem
from host.gate import Gate
from host.health import Health, HealthServicer

# Its messages are those of v1alpha, which older tools ask for.
REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"
MESSAGE_BYTES_MAX = 9 * 1024 * 1024
# Against memory alone: long before, `Shares` has refused a caller or all of them by name.
RPCS_MAX = 4096
KEEPALIVE_SECONDS = 10.0
OPTIONS = [
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_metadata_size", 16384),
    ("grpc.so_reuseport", 0),
    # A connection's calls beyond these are refused by HTTP/2, without a name and at little cost.
    ("grpc.max_concurrent_streams", 128),
    # A client that is gone without a word frees its places after keepalive and time-out.
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),  # a minute by default, whatever the line above says
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # Clients may ping this often, with or without calls: those behind a NAT need it. (The header's
    # name GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS stands for this key.)
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
]


class GrpcServer:
    """The gRPC server of this process at `address` ("host:port"), for callers with mutual TLS.

    `gate` decides which calls are let through. `cert` and `key` are the paths of two PEM files: the
    server's certificate and its private key. These two files may be replaced while the server runs;
    new connections then get the new certificate.

    The server includes the standard health service, which reports the last results of the checks in
    `health`. Running these checks is the caller's task. Without `health` there are no checks: the
    process is reported as ready until `stop`.

    Raises CertificateUnusable if one of the two files is missing or damaged.
    """

    def __init__(
        self,
        address: str,
        gate: Gate,
        *,
        cert: Path,
        key: Path,
        health: Health | None = None,
        keepalive_seconds: float = KEEPALIVE_SECONDS,
    ) -> None:
        self._gate = gate
        self.health = health or Health()
        self.server = grpc.aio.server(
            interceptors=[gate],
            options=[*OPTIONS, ("grpc.keepalive_time_ms", int(keepalive_seconds * 1e3))],
            maximum_concurrent_rpcs=RPCS_MAX,
        )
        health_pb2_grpc.add_HealthServicer_to_server(HealthServicer(self.health), self.server)
        credentials = _renewed_credentials(CertificateFiles(cert, key), gate.authorities.bundle)
        if self.server.add_secure_port(address, credentials) == 0:
            raise OSError(f"cannot listen on {address}")

    async def start(self, services: tuple[str, ...]) -> None:
        """Start the services with these full names.

        Raises RuntimeError unless the gate's policy has exactly the methods of these services.
        """
        names = (*services, health.SERVICE_NAME, reflection.SERVICE_NAME)
        _serve_reflection(self.server, names)
        self._check_policy(services)
        self.health.serves(services)
        await self.server.start()

    async def stop(self, grace_seconds: float) -> None:
        """End the streams that have no deadline, accept no new calls and wait for calls in flight.

        Calls that take longer than `grace_seconds` are cancelled.
        """
        self.health.stop()
        await self._gate.end_endless_streams()
        await self.server.stop(grace_seconds)

    def _check_policy(self, services: tuple[str, ...]) -> None:
        """Raise RuntimeError unless the policy has exactly the methods of these services."""
        pool = descriptor_pool.Default()
        methods = {
            f"/{service}/{method.name}"
            for service in services
            for method in pool.FindServiceByName(service).methods
        }
        if methods != set(self._gate.policy):
            missing, extra = methods - set(self._gate.policy), set(self._gate.policy) - methods
            raise RuntimeError(f"policy differs from the services: {missing=} {extra=}")


def _serve_reflection(server: grpc.aio.Server, services: tuple[str, ...]) -> None:
    servicer = reflection.aio.ReflectionServicer(services)  # type: ignore[attr-defined]
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    methods = {"ServerReflectionInfo": handler}
    for name in (REFLECTION_V1, reflection.SERVICE_NAME):
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, methods),))


def _renewed_credentials(files: CertificateFiles, authorities: bytes) -> grpc.ServerCredentials:
    """Credentials for mutual TLS with the certificate that `files` hold at each handshake.

    `authorities`, in PEM, certify the callers. Raises CertificateUnusable.
    """
    certificate = CurrentCertificate(files)
    shown = certificate.get()

    def configuration(pem: Pem) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([(pem.key, pem.certificate)], authorities)

    def renewed() -> Any:
        """Called by gRPC before each handshake, in a thread of its own; None: as before."""
        nonlocal shown
        current = certificate.get()
        if current is shown:
            return None
        shown = current
        return configuration(current)

    return grpc.dynamic_ssl_server_credentials(
        configuration(shown), renewed, require_client_authentication=True
    )
