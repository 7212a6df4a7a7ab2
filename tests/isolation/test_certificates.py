"""A client without a known certificate reaches no RPC of any service, and not Triton either.

A certificate names what the authority of its kind may name, and only a service's may serve.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from chassis.grpc_status import from_error
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import HealthServicer
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tartip_cli.provision.certificates import Authority, Certificates, KeyPair
from tartip_cli.topology import GRPC_SERVICES
from tartip_testing.mesh import RunningTestMesh

pytestmark = pytest.mark.mesh
SECONDS = 3
SERVICES = [service.name for service in GRPC_SERVICES]


def credentials(authority: Path, pair: KeyPair | None) -> grpc.ChannelCredentials:
    if pair is None:
        return grpc.ssl_channel_credentials(authority.read_bytes())
    return grpc.ssl_channel_credentials(
        authority.read_bytes(), pair.key.read_bytes(), pair.certificate.read_bytes()
    )


def strangers(certificates: Certificates, folder: Path) -> Iterator[tuple[str, KeyPair | None]]:
    yield "no certificate", None
    other = Authority.open(folder, "other-ca")
    pair = KeyPair(folder / "forged.pem", folder / "forged.key")
    other.issue(pair, common_name="fines", uri="spiffe://tartip/service/fines")
    yield "a certificate of another authority", pair
    yield "an officer's signing certificate", certificates.officer("inspector-almaty")


def certified_by_partners(certificates: Certificates, folder: Path, *, uri: str) -> KeyPair:
    """What whoever holds the partners' authority can make: any name, any usage."""
    pair = KeyPair(folder / "theirs.pem", folder / "theirs.key")
    partners = Authority.open(certificates.client_authorities, "partner")
    partners.issue(pair, common_name="theirs", uri=uri, serves=True)
    return pair


def reason_of(channel: grpc.Channel, method: str) -> str:
    """The refusal's name; empty for an answer."""
    try:
        channel.unary_unary(method, bytes, bytes)(b"", timeout=SECONDS)
    except grpc.RpcError as error:
        return from_error(error).reason  # type: ignore[arg-type]
    return ""


def methods_of(channel: grpc.Channel) -> list[str]:
    """Every method of every service that reflection tells of, as /package.Service/Method."""
    ask = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
    listing = reflection_pb2.ServerReflectionRequest(list_services="")
    [answer] = ask(iter([listing]), timeout=10)
    names = [service.name for service in answer.list_services_response.service]
    wanted = [reflection_pb2.ServerReflectionRequest(file_containing_symbol=n) for n in names]
    methods: set[str] = set()
    for reply in ask(iter(wanted), timeout=10):
        for content in reply.file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(content)
            for service in file.service:
                full = f"{file.package}.{service.name}"
                methods |= {f"/{full}/{m.name}" for m in service.method if full in names}
    return sorted(methods)


def assert_unreachable(channel: grpc.Channel, method: str, who: str) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(method, bytes, bytes)(b"", timeout=SECONDS)
    assert refused.value.code() in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    ), f"{who} got an answer from {method}: {refused.value}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_stranger_reaches_no_rpc(mesh: RunningTestMesh, service: str, tmp_path: Path) -> None:
    certificates = mesh.certificates
    address = mesh.address(service)
    known = credentials(certificates.authority, certificates.service("tartip-cli"))
    with grpc.secure_channel(address, known) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=10
        )
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        methods = methods_of(channel)
    assert any(method.startswith("/tartip.") for method in methods), methods
    for who, pair in strangers(certificates, tmp_path):
        with grpc.secure_channel(address, credentials(certificates.authority, pair)) as channel:
            for method in methods:
                assert_unreachable(channel, method, who)
    with grpc.insecure_channel(address) as channel:
        assert_unreachable(channel, "/grpc.health.v1.Health/Check", "plain text")


@pytest.mark.parametrize("service", SERVICES)
def test_the_partners_authority_names_no_service(
    mesh: RunningTestMesh, service: str, tmp_path: Path
) -> None:
    certificates, address = mesh.certificates, mesh.address(service)
    method = "/tartip.audit.v1.Audit/GetHead"
    uri = "spiffe://tartip/service/tartip-cli"
    forged = certified_by_partners(certificates, tmp_path, uri=uri)
    reasons = {}
    for who, pair in (("forged", forged), ("real", certificates.service("tartip-cli"))):
        with grpc.secure_channel(address, credentials(certificates.authority, pair)) as channel:
            reasons[who] = reason_of(channel, method)
    assert reasons["forged"] == "NOT_AUTHENTICATED"
    assert reasons["real"] in ("", "NOTHING_SEALED")


def test_who_may_only_call_cannot_serve(mesh: RunningTestMesh, tmp_path: Path) -> None:
    """An impostor on a service's address, with what partners and devices have or could make."""
    certificates = mesh.certificates
    method = "/grpc.health.v1.Health/Check"
    made_up = certified_by_partners(certificates, tmp_path, uri="spiffe://tartip/service/fines")
    known = credentials(certificates.authority, certificates.service("tartip-cli"))
    for who, pair in (
        ("a partner", certificates.partner("kaspi")),
        ("a device", certificates.device("edge-1")),
        ("the partners' authority", made_up),
    ):
        with serving_as(pair) as address, grpc.secure_channel(address, known) as channel:
            assert_unreachable(channel, method, who)
    with (
        serving_as(certificates.service("fines")) as address,
        grpc.secure_channel(address, known) as channel,
    ):
        assert reason_of(channel, method) == ""


@contextmanager
def serving_as(pair: KeyPair) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(1))
    health_pb2_grpc.add_HealthServicer_to_server(HealthServicer(), server)
    port = server.add_secure_port(
        "127.0.0.1:0",
        grpc.ssl_server_credentials([(pair.key.read_bytes(), pair.certificate.read_bytes())]),
    )
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


def test_triton_answers_the_inference_gateway_alone(mesh: RunningTestMesh, tmp_path: Path) -> None:
    certificates = mesh.certificates
    address = mesh.environment("inference-gateway")["TARTIP_TRITON_URL"]
    method = "/inference.GRPCInferenceService/ServerReady"
    known = credentials(certificates.authority, certificates.triton_caller("inference-gateway"))
    with grpc.secure_channel(address, known) as channel:
        assert channel.unary_unary(method, bytes, bytes)(b"", timeout=10) == b"\x08\x01"
    others = [
        ("another service", certificates.service("fines")),
        ("its certificate for services", certificates.service("inference-gateway")),
        ("a partner", certificates.partner("kaspi")),
        *strangers(certificates, tmp_path),
    ]
    for who, pair in others:
        with grpc.secure_channel(address, credentials(certificates.authority, pair)) as channel:
            assert_unreachable(channel, method, who)
