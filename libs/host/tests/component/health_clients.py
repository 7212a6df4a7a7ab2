"""A server with a `Health`, and a client that asks about it over mutual TLS."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from chassis.authorities import Authorities
from chassis.identity import TokenVerifier
from grpc_health.v1 import health_pb2, health_pb2_grpc
from host.gate import Gate
from host.health import Health, reasons_in
from host.server import GrpcServer
from host.shares import Shares
from tartip_cli.provision.certificates import KeyPair

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
OFTEN_SECONDS = 0.1
SECONDS = 30.0


@dataclass
class Asked:
    """A server's health as one client sees it; `server` is for tests that stop it."""

    address: str
    server: GrpcServer
    stub: Any

    async def check(self, name: str = "") -> tuple[int, dict[str, str]]:
        """The status under a name, and what is said to be wrong."""
        call = self.stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
        answer = await call
        return answer.status, reasons_in(await call.trailing_metadata())

    async def until(self, status: int, name: str = "", *, seconds: float = SECONDS) -> None:
        """Watch the status under a name until it is this one. Raises TimeoutError."""
        watching = self.stub.Watch(health_pb2.HealthCheckRequest(service=name))
        async with asyncio.timeout(seconds):
            async for answer in watching:
                if answer.status == status:
                    watching.cancel()
                    return
        raise AssertionError("the stream ended")


@asynccontextmanager
async def answering(
    engines: Any,
    health: Health,
    *,
    address: str = "",
    pair: KeyPair | None = None,
    client: KeyPair | None = None,
) -> AsyncIterator[Asked]:
    """Serve `health` with the certificate `pair`, keep looking, and ask as `client`."""
    address = address or free_address()
    pair = pair or engines.certificates.service("fines")
    client = client or engines.certificates.service("tartip-cli")
    authorities = Authorities.in_folder(engines.certificates.client_authorities)
    gate = Gate({}, TokenVerifier("http://127.0.0.1:9"), authorities, Shares())
    server = GrpcServer(address, gate, cert=pair.certificate, key=pair.key, health=health)
    await server.start(())
    credentials = grpc.ssl_channel_credentials(
        engines.certificates.authority.read_bytes(),
        client.key.read_bytes(),
        client.certificate.read_bytes(),
    )
    async with asyncio.TaskGroup() as group, grpc.aio.secure_channel(address, credentials) as to:
        looking = group.create_task(health.run())
        try:
            yield Asked(address, server, health_pb2_grpc.HealthStub(to))
        finally:
            looking.cancel()
            await server.stop(0)


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
