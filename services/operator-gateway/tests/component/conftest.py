"""The gateway as its own process, between real peers over mutual TLS, a real broker and issuer.

The peers (`peers.py`) are small servers behind the chassis's own gate: they verify certificate and
token themselves, as the owners of data do.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from chassis.authorities import Authorities
from chassis.clock import clock_offset, new_id
from chassis.identity import TokenVerifier, allow
from host.gate import Gate
from host.server import GrpcServer
from host.shares import Shares
from joserfc import jwt
from joserfc.jwk import ECKey
from tartip.cameras.v1 import cameras_pb2, cameras_pb2_grpc
from tartip.fines.v1 import fines_pb2, fines_pb2_grpc
from tartip.inference.v1 import inference_pb2, inference_pb2_grpc
from tartip.reports.v1 import answers_pb2, answers_pb2_grpc, reports_pb2, reports_pb2_grpc
from tartip.violations.v1 import violations_pb2, violations_pb2_grpc

from .answers_peer import PeerAnswers
from .browser import chromium, console
from .peers import Asked, PeerCameras, PeerFines, PeerInference, PeerViolations
from .report_peer import PeerReports
from .review_desk import each_violation

__all__ = ["chromium", "console"]  # fixtures of the browser tests
ANYBODY = allow(
    roles=(
        "inspector",
        "supervisor",
        "camera_administrator",
        "finance",
        "auditor",
        "dispatcher",
        "internal_security",
    )
)


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
        full = {
            "iss": self.engines.oidc_issuer,
            "aud": "tartip",
            "sub": "inspector-almaty",
            "roles": ["inspector"],
            "regions": ["KZ-75"],
            "exp": now + 60,
            **claims,
        }
        token = jwt.encode({"alg": "ES256", "kid": key.kid}, full, key)
        return {"Authorization": f"Bearer {token}"}

    def client(self, **options: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=20, trust_env=False, **options)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def peers(engines: Any) -> AsyncIterator[Asked]:
    asked = Asked()
    running = [
        await _serve(
            engines,
            asked,
            "violations",
            violations_pb2.DESCRIPTOR.services_by_name["Violations"],
            violations_pb2_grpc.add_ViolationsServicer_to_server,
            PeerViolations(asked),
        ),
        await _serve(
            engines,
            asked,
            "inference-gateway",
            inference_pb2.DESCRIPTOR.services_by_name["Inference"],
            inference_pb2_grpc.add_InferenceServicer_to_server,
            PeerInference(),
        ),
        await _serve(
            engines,
            asked,
            "camera-registry",
            cameras_pb2.DESCRIPTOR.services_by_name["CameraRegistry"],
            cameras_pb2_grpc.add_CameraRegistryServicer_to_server,
            PeerCameras(asked),
        ),
        await _serve(
            engines,
            asked,
            "fines",
            fines_pb2.DESCRIPTOR.services_by_name["Fines"],
            fines_pb2_grpc.add_FinesServicer_to_server,
            PeerFines(asked),
        ),
        await _serve(
            engines,
            asked,
            "citizen-reports",
            reports_pb2.DESCRIPTOR.services_by_name["ReportDesk"],
            reports_pb2_grpc.add_ReportDeskServicer_to_server,
            PeerReports(asked),
            beside=(
                answers_pb2.DESCRIPTOR.services_by_name["Answers"],
                answers_pb2_grpc.add_AnswersServicer_to_server,
                PeerAnswers(asked),
            ),
        ),
    ]
    yield asked
    for server in running:
        await server.stop(1)


async def _serve(
    engines: Any,
    asked: Asked,
    name: str,
    *served: Any,
    beside: tuple[Any, Callable[..., None], Any] | None = None,
) -> GrpcServer:
    """Serve a contract of a peer: its descriptor, what adds a servicer, and the servicer; with
    `beside`, another one at the same address."""
    contracts = [served, beside] if beside else [served]
    services = [service for service, _, _ in contracts]
    pair = engines.certificates.service(name)
    policy = {
        f"/{service.full_name}/{method.name}": ANYBODY
        for service in services
        for method in service.methods
    }
    address = free_address()
    asked.addresses[f"TARTIP_{name.upper().replace('-', '_')}_ADDRESS"] = address
    authorities = Authorities.in_folder(engines.certificates.client_authorities)
    gate = Gate(policy, TokenVerifier(engines.oidc_issuer), authorities, Shares())
    server = GrpcServer(address, gate, cert=pair.certificate, key=pair.key)
    for _, add, servicer in contracts:
        add(servicer, server.server)
    await server.start(tuple(service.full_name for service in services))
    return server


@pytest.fixture(scope="session")
def gateway(
    engines: Any, peers: Asked, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    running = start_gateway(engines, peers, tmp_path_factory.mktemp("gateway") / "log")
    yield running
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(20)


@pytest.fixture
def another_gateway(
    engines: Any, peers: Asked, gateway: RunningGateway, tmp_path: Path
) -> Iterator[RunningGateway]:
    """Another gateway, on a port of its own, which a test may end."""
    running = start_gateway(engines, peers, tmp_path / "log", address=free_address())
    yield running
    if running.process.poll() is None:
        running.process.kill()
    running.process.wait()


@pytest.fixture
def lonely_gateway(
    engines: Any, peers: Asked, gateway: RunningGateway, tmp_path: Path
) -> Iterator[RunningGateway]:
    """A gateway whose peer fines is away."""
    absent = {"TARTIP_FINES_ADDRESS": free_address()}
    running = start_gateway(engines, peers, tmp_path / "log", address=free_address(), **absent)
    yield running
    running.process.kill()
    running.process.wait()


@pytest.fixture
def moved_gateway(
    engines: Any, peers: Asked, gateway: RunningGateway, tmp_path: Path
) -> Iterator[RunningGateway]:
    """A gateway whose clock is ninety days ahead."""
    ahead = {"TARTIP_CLOCK_OFFSET": str((clock_offset() + timedelta(days=90)).total_seconds())}
    running = start_gateway(engines, peers, tmp_path / "log", address=free_address(), **ahead)
    yield running
    running.process.kill()
    running.process.wait()


class Publisher:
    """Publishes as a service does, under its own credentials."""

    def __init__(self, engines: Any, marker: str = "") -> None:
        self._engines = engines
        self._marker = marker

    async def __call__(
        self, user: str, subject: str, name: str, *, region: str = "KZ-75", version: int = 1
    ) -> None:
        client = await self._engines.nats_client(user)
        aggregate = f"{self._marker}-{name}" if self._marker else name
        headers = {
            "Nats-Msg-Id": str(new_id()),
            "tartip-region": region,
            "tartip-story": "ab" * 16,
            "tartip-aggregate": aggregate,
            "tartip-version": str(version),
        }
        await client.jetstream().publish(subject, b"secret payload", headers=headers)
        await client.close()


async def until(condition: Callable[[], bool]) -> None:
    """Returns when it holds. Raises TimeoutError after a minute."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.05)


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def start_gateway(
    engines: Any, peers: Asked, log: Path, *, address: str = "", **variables: str
) -> RunningGateway:
    environment = engines.environment("operator-gateway") | peers.addresses | variables
    address = address or environment["TARTIP_HTTP_ADDRESS"]
    process = subprocess.Popen(
        [sys.executable, "-m", "operator_gateway", "serve"],
        env={**os.environ, **environment, "TARTIP_HTTP_ADDRESS": address},
        stdout=log.open("wb"),
        stderr=subprocess.STDOUT,
    )
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


@pytest.fixture
def queue(gateway: Any, console: Any) -> dict[str, violations_pb2.Violation]:
    gateway.asked.violations.update(each_violation())
    held: dict[str, violations_pb2.Violation] = gateway.asked.violations
    return held
