"""The gate over real mutual TLS: what is no request is refused by name, and is no bug of ours."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from chassis.authorities import Authorities
from chassis.channels import peers_refusals
from chassis.identity import TokenVerifier, allow
from chassis.refusals import Refusal
from host.gate import Gate
from host.server import GrpcServer
from host.shares import Shares
from sqlalchemy.exc import TimeoutError as PoolTimeout
from tartip.audit.v1 import audit_pb2, audit_pb2_grpc
from tartip_cli.provision.certificates import Authority, KeyPair

SERVICE = "tartip.audit.v1.Audit"
METHODS = [method.name for method in audit_pb2.DESCRIPTOR.services_by_name["Audit"].methods]


class Crowded(audit_pb2_grpc.AuditServicer):
    async def GetHead(self, request: Any, context: Any) -> audit_pb2.GetHeadResponse:
        raise PoolTimeout("QueuePool limit of size 4 overflow 4 reached")

    async def ListEntries(self, request: Any, context: Any) -> audit_pb2.ListEntriesResponse:
        return audit_pb2.ListEntriesResponse()

    async def ProveInclusion(self, request: Any, context: Any) -> audit_pb2.ProveInclusionResponse:
        await asyncio.sleep(5)
        return audit_pb2.ProveInclusionResponse()


@pytest.fixture
async def address(postgres: Any) -> AsyncIterator[str]:
    pair = postgres.certificates.service("fines")
    address = f"127.0.0.1:{postgres.ports.base + 4}"  # its service does not run here
    gate = Gate(
        {f"/{SERVICE}/{name}": allow(services=("tartip-cli",)) for name in METHODS},
        TokenVerifier("http://127.0.0.1:9"),
        Authorities.in_folder(postgres.certificates.client_authorities),
        Shares(),
    )
    server = GrpcServer(address, gate, cert=pair.certificate, key=pair.key)
    audit_pb2_grpc.add_AuditServicer_to_server(Crowded(), server.server)
    await server.start((SERVICE,))
    yield address
    await server.stop(0)


def calling_as(postgres: Any, pair: KeyPair, address: str) -> grpc.aio.Channel:
    ca = postgres.certificates.authority
    credentials = grpc.ssl_channel_credentials(
        ca.read_bytes(), pair.key.read_bytes(), pair.certificate.read_bytes()
    )
    return grpc.aio.secure_channel(address, credentials)


@pytest.fixture
async def channel(postgres: Any, address: str) -> AsyncIterator[grpc.aio.Channel]:
    pair = postgres.certificates.service("tartip-cli")
    async with calling_as(postgres, pair, address) as opened:
        yield opened


@pytest.mark.parametrize("kind", ["partner", "device"])
async def test_an_authority_of_outsiders_names_no_service(
    postgres: Any, address: str, kind: str, tmp_path: Path
) -> None:
    pair = KeyPair(tmp_path / "forged.pem", tmp_path / "forged.key")
    authority = Authority.open(postgres.certificates.client_authorities, kind)
    authority.issue(pair, common_name="forged", uri="spiffe://tartip/service/tartip-cli")
    async with calling_as(postgres, pair, address) as channel:
        with pytest.raises(Refusal, match="NOT_AUTHENTICATED"), peers_refusals():
            await audit_pb2_grpc.AuditStub(channel).GetHead(audit_pb2.GetHeadRequest(), timeout=5)


async def test_bytes_that_are_no_message_are_refused_by_name(channel: grpc.aio.Channel) -> None:
    call = channel.unary_unary(f"/{SERVICE}/ListEntries", None, None)
    with pytest.raises(Refusal, match="BAD_REQUEST"), peers_refusals():
        await call(b"\xff\xff\xff", timeout=5)


async def test_more_calls_than_connections_are_an_overload(channel: grpc.aio.Channel) -> None:
    with pytest.raises(Refusal, match="OVERLOADED"), peers_refusals():
        await audit_pb2_grpc.AuditStub(channel).GetHead(audit_pb2.GetHeadRequest(), timeout=5)


async def test_calls_are_measured_by_method_and_status(
    channel: grpc.aio.Channel, measured: Any
) -> None:
    labels = ("rpc_method", "rpc_response_status_code", "error_type")
    stub = audit_pb2_grpc.AuditStub(channel)

    def calls() -> dict[tuple[str, ...], float]:
        found = measured("rpc_server_call_duration_seconds_count", *labels)
        return dict(found)

    before = calls()
    with pytest.raises(Refusal), peers_refusals():
        await stub.GetHead(audit_pb2.GetHeadRequest(), timeout=5)
    await stub.ListEntries(audit_pb2.ListEntriesRequest(), timeout=5)
    with pytest.raises(Refusal), peers_refusals():
        await stub.ProveInclusion(audit_pb2.ProveInclusionRequest(), timeout=0.3)
    await asyncio.sleep(0.2)  # the server learns of a deadline a moment after its caller
    new = {key: count - before.get(key, 0) for key, count in calls().items()}
    assert new[f"{SERVICE}/GetHead", "RESOURCE_EXHAUSTED", ""] == 1
    assert new[f"{SERVICE}/ListEntries", "OK", ""] == 1
    assert new[f"{SERVICE}/ProveInclusion", "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"] == 1
