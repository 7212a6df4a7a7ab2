"""The gateway as its own process, between real peers over mutual TLS, a real broker and issuer.

The peers are small servers behind the chassis's own gate: they verify certificate and token
themselves, as the owners of data do.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from chassis.calls import current_caller
from chassis.grpc_server import GrpcServer
from chassis.identity import TokenVerifier, allow
from chassis.purpose import PurposeRequired
from chassis.refusals import Kind, Refusal, Says, checks
from joserfc import jwt
from joserfc.jwk import ECKey
from tartip.cameras.v1 import cameras_pb2, cameras_pb2_grpc
from tartip.inference.v1 import inference_pb2, inference_pb2_grpc
from tartip.violations.v1 import violations_pb2, violations_pb2_grpc

ANYBODY = allow(
    roles=("inspector", "supervisor", "camera_administrator", "finance", "auditor", "dispatcher")
)
SHA = "ab" * 32
PICTURE = bytes(range(256)) * 4096


class ViolationNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "VIOLATION_NOT_FOUND"
    says = Says(en="No such violation.", ru="Нет такого нарушения.", kk="Мұндай бұзушылық жоқ.")


@dataclass
class Asked:
    """What the peers were asked, and by whom."""

    requests: list[Any] = field(default_factory=list)
    callers: list[Any] = field(default_factory=list)
    # What stands in the review queue.
    queue: list[str] = field(default_factory=list)
    # Where they listen: the variables that tell a gateway so.
    addresses: dict[str, str] = field(default_factory=dict)

    def note(self, request: Any) -> None:
        self.requests.append(request)
        self.callers.append(current_caller())


class PeerViolations(violations_pb2_grpc.ViolationsServicer):
    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    async def GetViolation(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        operator = current_caller().operator
        assert operator is not None
        if "KZ-75" not in operator.regions:
            raise ViolationNotFound
        return violations_pb2.GetViolationResponse(violation=_violation(request.violation_id))

    async def OpenEvidence(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self._asked.note(request)
        if not current_caller().purpose:
            raise PurposeRequired
        kind = "image/jpeg" if request.sha256 == SHA else "text/html"
        yield violations_pb2.OpenEvidenceResponse(
            content_type=kind, content=PICTURE[:1000], sha256=request.sha256,
            original_sha256="0e" * 32, size_bytes=len(PICTURE),
        )  # fmt: skip
        for start in range(1000, len(PICTURE), 100_000):
            yield violations_pb2.OpenEvidenceResponse(content=PICTURE[start : start + 100_000])

    async def ConfirmViolation(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        return violations_pb2.ConfirmViolationResponse(
            violation=violations_pb2.Violation(violation_id=request.violation_id, version=2)
        )

    async def ListViolations(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        found = [_violation(violation_id) for violation_id in self._asked.queue]
        return violations_pb2.ListViolationsResponse(
            violations=found, next_page_token="" if found else "further"
        )

    async def PrepareDecision(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        canonical = f"{request.verdict} {request.violation_id} {request.reason}"
        return violations_pb2.PrepareDecisionResponse(canonical=canonical.encode())

    async def RejectViolation(self, request: Any, context: Any) -> Any:
        self._asked.note(request)
        return violations_pb2.RejectViolationResponse(
            violation=violations_pb2.Violation(violation_id=request.violation_id, version=2)
        )


def _violation(violation_id: str) -> violations_pb2.Violation:
    violation = violations_pb2.Violation(
        violation_id=violation_id, state=violations_pb2.VIOLATION_STATE_REVIEW,
        evidence_sha256=[SHA],
    )  # fmt: skip
    violation.place.region = "KZ-75"
    violation.plate.text = "777ABA02"
    return violation


class PeerInference(inference_pb2_grpc.InferenceServicer):
    """Answers operators nothing."""


class PeerCameras(cameras_pb2_grpc.CameraRegistryServicer):
    async def RegisterCamera(self, request: Any, context: Any) -> Any:
        with checks() as check:
            check.wrong("camera_id", "must be a UUIDv7")
            check.wrong("description.serial", "must not be empty")
        raise AssertionError


@dataclass
class RunningGateway:
    url: str
    process: subprocess.Popen[bytes]
    asked: Asked
    engines: Any

    def headers(self, operator: str, **more: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.engines.token(operator)}", **more}

    def forged(self, **claims: Any) -> dict[str, str]:
        """A token under the issuer's own key, with claims of our choice."""
        key = ECKey.import_key((self.engines.home.oidc / "signing.pem").read_text())
        key.ensure_kid()
        now = int(time.time())
        full = {"iss": self.engines.oidc_issuer, "aud": "tartip", "sub": "inspector-almaty",
                "roles": ["inspector"], "regions": ["KZ-75"], "exp": now + 60,
                **claims}  # fmt: skip
        token = jwt.encode({"alg": "ES256", "kid": key.kid}, full, key)
        return {"Authorization": f"Bearer {token}"}

    def client(self, **options: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=20, trust_env=False, **options)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def peers(engines: Any) -> AsyncIterator[Asked]:
    # Nobody listens for these two: the gateway must say so, whoever else runs in this session.
    absent = ("TARTIP_FINES_ADDRESS", "TARTIP_CITIZEN_REPORTS_ADDRESS")
    asked = Asked(addresses={name: free_address() for name in absent})
    running = [
        await _serve(engines, asked, "violations",
                     violations_pb2.DESCRIPTOR.services_by_name["Violations"],
                     violations_pb2_grpc.add_ViolationsServicer_to_server, PeerViolations(asked)),
        await _serve(engines, asked, "inference-gateway",
                     inference_pb2.DESCRIPTOR.services_by_name["Inference"],
                     inference_pb2_grpc.add_InferenceServicer_to_server, PeerInference()),
        await _serve(engines, asked, "camera-registry",
                     cameras_pb2.DESCRIPTOR.services_by_name["CameraRegistry"],
                     cameras_pb2_grpc.add_CameraRegistryServicer_to_server, PeerCameras()),
    ]  # fmt: skip
    yield asked
    for server in running:
        await server.stop(1)


async def _serve(engines: Any, asked: Asked, name: str, service: Any, add: Callable[..., None],
                 servicer: Any) -> GrpcServer:  # fmt: skip
    pair = engines.certificates.service(name)
    policy = {f"/{service.full_name}/{method.name}": ANYBODY for method in service.methods}
    address = free_address()
    asked.addresses[f"TARTIP_{name.upper().replace('-', '_')}_ADDRESS"] = address
    server = GrpcServer(
        address, policy=policy, tokens=TokenVerifier(engines.oidc_issuer),
        cert=pair.certificate, key=pair.key, ca=engines.certificates.authority,
    )  # fmt: skip
    add(servicer, server.server)
    await server.start((service.full_name,))
    return server


@pytest.fixture(scope="session")
def gateway(engines: Any, peers: Asked, tmp_path_factory: pytest.TempPathFactory) -> (
    Iterator[RunningGateway]
):  # fmt: skip
    running = start_gateway(engines, peers, tmp_path_factory.mktemp("gateway") / "log")
    yield running
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(20)


@pytest.fixture
def another_gateway(engines: Any, peers: Asked, gateway: RunningGateway, tmp_path: Path) -> (
    Iterator[RunningGateway]
):  # fmt: skip
    """One more, on a port of its own, that a test may end."""
    running = start_gateway(engines, peers, tmp_path / "log", address=free_address())
    yield running
    if running.process.poll() is None:
        running.process.kill()
    running.process.wait()


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def start_gateway(engines: Any, peers: Asked, log: Path, *, address: str = "") -> RunningGateway:
    environment = engines.environment("operator-gateway") | peers.addresses
    address = address or environment["TARTIP_HTTP_ADDRESS"]
    process = subprocess.Popen(
        [sys.executable, "-m", "operator_gateway", "serve"],
        env={**os.environ, **environment, "TARTIP_HTTP_ADDRESS": address},
        stdout=log.open("wb"), stderr=subprocess.STDOUT,
    )  # fmt: skip
    running = RunningGateway(f"http://{address}", process, peers, engines)
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx.get(f"{running.url}/healthz", trust_env=False)
            return running
        except httpx.HTTPError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "the gateway does not come up"
            time.sleep(0.1)
