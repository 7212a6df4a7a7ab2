"""What the mesh exports is what the catalogue describes: metrics, labels, and by whom."""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from chassis.clock import system_clock
from prometheus_client.parser import text_string_to_metric_families
from tartip.cameras.v1 import events_pb2, hubs_pb2, hubs_pb2_grpc
from tartip.inference.v1 import streams_pb2, streams_pb2_grpc
from tartip_cli.clients.hub_reports import ReportingHub, publisher
from tartip_cli.clients.partner import Outside
from tartip_cli.clients.samples import ADMINISTRATOR, SampleCamera
from tartip_cli.topology import CAMERA_REGISTRY, INFERENCE_GATEWAY, OPERATORS
from tartip_testing.mesh import RunningTestMesh

from .catalogue import Entry, catalogue

pytestmark = pytest.mark.mesh

# Two exports of the services, and the first synthetic calls.
MEASURED_SECONDS = 90.0
OF_PROCESS = {"service_name", "service_instance_id", "le"}


def exposed(mesh: RunningTestMesh) -> str:
    url = f"http://127.0.0.1:{mesh.ports.supervisor}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.headers["content-type"].startswith("text/plain")
        return str(answer.read().decode())


def families(text: str) -> Iterator[Any]:
    """Families by the names of the catalogue: the parser leaves `_total` off counters."""
    for family in text_string_to_metric_families(text):
        if family.type == "counter":
            family.name += "_total"
        yield family


def missing(text: str) -> set[tuple[str, str]]:
    """Name and service of what should be exported in any case and is not."""
    found = {
        (family.name, sample.labels["service_name"])
        for family in families(text)
        for sample in family.samples
    }
    always = [entry for entry in catalogue().values() if entry.always]
    return {(entry.prometheus, service) for entry in always for service in entry.by} - found


@pytest.fixture
async def metrics(mesh: RunningTestMesh, outside: Outside) -> str:
    """All metrics, after every service was called."""
    desk = outside.as_operator("supervisor-almaty")
    for path in ("/v1/cameras", "/v1/violations", "/v1/fines", "/v1/reports"):
        await desk.get(path)
    channel = outside.as_command_line(INFERENCE_GATEWAY)
    await streams_pb2_grpc.StreamsStub(channel).ListStreams(
        streams_pb2.ListStreamsRequest(), timeout=5
    )
    deadline = time.monotonic() + MEASURED_SECONDS
    while missing(text := exposed(mesh)) and time.monotonic() < deadline:
        await asyncio.sleep(2)
    return text


async def test_every_metric_is_exported_as_the_catalogue_says(metrics: str) -> None:
    assert missing(metrics) == set()
    known: dict[str, Entry] = {entry.prometheus: entry for entry in catalogue().values()}
    for family in families(metrics):
        entry = known[family.name]
        assert family.type == entry.type, family.name
        labels = {label.replace(".", "_") for label in entry.labels}
        for sample in family.samples:
            given = {name for name, value in sample.labels.items() if value}
            assert given <= labels | OF_PROCESS, family.name
            assert sample.labels["service_name"] in entry.by, family.name


async def test_a_mesh_that_is_well_says_so(metrics: str) -> None:
    values: dict[str, set[float]] = {}
    for family in families(metrics):
        values.setdefault(family.name, set()).update(sample.value for sample in family.samples)
    assert values["tartip_part_ready"] == {1.0}
    assert values["tartip_synthetic_success"] == {1.0}
    assert values["tartip_broker_connected"] == {1.0}
    assert values["tartip_database_reachable"] == {1.0}
    assert min(values["tartip_certificate_left_days"]) > 0
    assert min(values["tartip_disk_free_bytes"]) > 0


async def test_no_label_tells_of_a_person(metrics: str, personal: set[str]) -> None:
    for text in personal:
        assert text not in metrics
    labels = {
        value
        for family in families(metrics)
        for sample in family.samples
        for value in sample.labels.values()
    }
    assert not labels & {operator.id for operator in OPERATORS}


@pytest.mark.nightly
async def test_a_camera_that_is_not_the_hubs_is_counted_as_foreign(
    mesh: RunningTestMesh, outside: Outside, sample_cameras: list[SampleCamera]
) -> None:
    """A row of the runbook's table of heartbeats: heard, and the camera stays as it was."""
    hub, camera_id = ReportingHub(), sample_cameras[0].camera_id
    request = hubs_pb2.RegisterHubRequest(
        hub_id=str(hub.hub_id),
        name="Of other cameras",
        region=sample_cameras[0].region,
        kind=hubs_pb2.HUB_KIND_CONTROL_CENTRE,
        public_key=hub.public_key,
    )
    hubs = hubs_pb2_grpc.CameraHubsStub(outside.as_command_line(CAMERA_REGISTRY))
    await hubs.RegisterHub(request, timeout=5)
    desk = outside.as_operator(ADMINISTRATOR)
    before = (await desk.get(f"/v1/cameras/{camera_id}")).body
    deadline = time.monotonic() + MEASURED_SECONDS
    async with publisher(outside) as client:
        while not heartbeats_of(mesh, "foreign"):
            assert time.monotonic() < deadline
            condition = events_pb2.CAMERA_CONDITION_TAMPERED
            content = hub.report({UUID(camera_id): condition}, system_clock())
            await client.publish(hub.subject, content)
            await client.flush()
            await asyncio.sleep(1)
    revoked = hubs_pb2.RevokeHubRequest(hub_id=str(hub.hub_id), reason="a trial")
    await hubs.RevokeHub(revoked, timeout=5)
    after = (await desk.get(f"/v1/cameras/{camera_id}")).body
    assert after["camera"].get("status") == before["camera"].get("status")


def heartbeats_of(mesh: RunningTestMesh, outcome: str) -> float:
    return sum(
        float(sample.value)
        for family in families(exposed(mesh))
        if family.name == "tartip_heartbeats_total"
        for sample in family.samples
        if sample.labels["outcome"] == outcome
    )
