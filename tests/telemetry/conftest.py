"""A mesh that exports to a collector, over gRPC and over HTTP, while both journeys are walked.

Its reads are sampled at a ratio of nothing: what is found is found because it is never left out.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tartip_cli.parts.postgres import erase_cluster
from tartip_testing.mesh import RunningTestMesh, start_mesh
from tartip_testing.otlp import Received, receiving_grpc, receiving_http

SERVICES = {
    "camera-registry",
    "inference-gateway",
    "violations",
    "fines",
    "citizen-reports",
    "operator-gateway",
}
RECEIVERS = {"grpc": receiving_grpc, "http/protobuf": receiving_http}
# What the demonstration sends besides plates and owners of the vehicle register.
SAID = (
    "Sample Reporter",
    "+77000000001",
    "пешеходы едва успели отойти",
    "Dostyk avenue, sample crossing",
    "Материалы переданы инспектору",
)
GARBLED = "018f2b6e-0000-7000-8000-00000000000f"
EXPORT_SECONDS = 20.0


@dataclass(frozen=True)
class Exported:
    """What a collector got of the two journeys, their numbers, and what must be in none of it."""

    received: Received
    numbers: dict[str, Any]
    personal: set[str]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One data folder for both meshes: the second finds the database of the first."""
    yield tmp_path_factory.mktemp("exporting")


@pytest.fixture(scope="module", params=sorted(RECEIVERS))
def exported(request: pytest.FixtureRequest, home: Path) -> Iterator[Exported]:
    protocol: str = request.param
    with ExitStack() as stack:
        received: Received = stack.enter_context(RECEIVERS[protocol]())
        settings = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=tests",
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=wrong,host.name=machine-1",
            "OTEL_METRIC_EXPORT_INTERVAL": "2000",
            "TARTIP_TRACE_RATIO": "0",
        }
        mesh = start_mesh(home, environment=settings)
        stack.callback(erase_cluster, mesh.home)
        stack.callback(mesh.stop)
        mesh.wait_ready()
        numbers = demonstrated(mesh, settings)
        asyncio.run(publish_garbled(mesh))
        until(lambda: all_exported(received), seconds=EXPORT_SECONDS * 3)
        yield Exported(received, numbers, personal_of(mesh))


def demonstrated(mesh: RunningTestMesh, settings: dict[str, str]) -> dict[str, Any]:
    """Both journeys, by the command that shows them; returns the numbers of the cases."""
    environment = {**os.environ, **settings, "TARTIP_HOME": str(mesh.home.path)}
    command = [sys.executable, "-m", "tartip_cli", "demo", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    numbers: dict[str, Any] = json.loads(done.stdout)
    return numbers


async def publish_garbled(mesh: RunningTestMesh) -> None:
    """An event that nobody can read: its consumer logs a dead letter, in a span."""
    client = await mesh.nats_client("violations")
    header = {"ce-id": GARBLED, "ce-type": "violations.v1.confirmed"}
    await client.jetstream().publish("violations.v1.confirmed", b"\xff", headers=header)
    await client.close()


def personal_of(mesh: RunningTestMesh) -> set[str]:
    found = set(SAID)
    for vehicle in json.loads((mesh.home.path / "vehicles.json").read_text()):
        found |= set(texts(vehicle))
    return {text for text in found if len(text) > 6}


def texts(value: Any) -> Iterator[str]:
    """The values of a record that tell of a person or a plate."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("plate", "number", "name", "phone", "address") or not isinstance(inner, str):
                yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def all_exported(received: Received) -> bool:
    calls = ("rpc.server.call.duration", "http.server.request.duration", "tartip.part.ready")
    measured = {service for service, metric in received.metrics() if metric.name in calls}
    logged = {service for service, _ in received.records()}
    return measured >= SERVICES | {"supervisor"} and logged >= SERVICES


def until(condition: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.5)
    assert condition()
    time.sleep(4)  # the last spans and records come a moment later
