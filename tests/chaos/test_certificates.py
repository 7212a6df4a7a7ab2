"""Certificates end within seconds and are renewed while the mesh is called: no call fails.

By day leaves of 20 seconds for a minute, by night leaves of two minutes for ten.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from host.channels import RenewingChannels
from tartip.common.v1 import common_pb2
from tartip.fines.v1 import fines_pb2, fines_pb2_grpc
from tartip.reports.v1 import reports_pb2, reports_pb2_grpc
from tartip_cli.clients.journeys import patiently
from tartip_cli.clients.partner import Outside
from tartip_cli.parts.postgres import erase_cluster
from tartip_cli.topology import CITIZEN_REPORTS, FINES, SERVICES
from tartip_testing.mesh import RunningTestMesh, start_mesh, wait_until

pytestmark = [pytest.mark.mesh, pytest.mark.nightly]

NIGHTLY = bool(os.environ.get("TARTIP_NIGHTLY"))
LEAF_SECONDS, LOAD_SECONDS = (120, 600.0) if NIGHTLY else (20, 60.0)
PAUSE_SECONDS = 0.1
READY_SECONDS = 120.0
CALL_SECONDS = 10.0
Call = Callable[[], Awaitable[object]]


@pytest.fixture
def short_lived(tmp_path: Path) -> Iterator[RunningTestMesh]:
    environment = {"TARTIP_LEAF_SECONDS": str(LEAF_SECONDS)}
    running = start_mesh(tmp_path / "home", without=("triton",), environment=environment)
    try:
        running.wait_ready()
        yield running
    finally:
        running.stop()
        erase_cluster(running.home)


async def test_certificates_are_renewed_under_load_without_a_failed_call(
    short_lived: RunningTestMesh,
) -> None:
    mesh, answered = short_lived, Counter[str]()
    before = {name: path.read_bytes() for name, path in leaves(mesh)}
    pids = {part["name"]: part["pid"] for part in mesh.status()["parts"]}
    async with Outside(home=mesh.home, ports=mesh.ports, oidc_issuer=mesh.oidc_issuer) as outside:
        calls = {
            "a partner on one channel": lambda: list_reports(outside),
            "a bank on one channel": lambda: list_payments(outside),
            "an operator, from service to service": lambda: list_violations(outside),
            "a partner on a connection of its own": lambda: connect_and_list(outside),
        }
        for call in calls.values():
            await patiently(call)  # partners of a trial are added at the start
        async with asyncio.TaskGroup() as group:
            for who, call in calls.items():
                group.create_task(keep_calling(who, call, answered))
    assert min(answered.values()) > LOAD_SECONDS
    after = {name: path.read_bytes() for name, path in leaves(mesh)}
    assert {name for name in before if before[name] == after[name]} == {"service/triton"}
    assert pids == {part["name"]: part["pid"] for part in mesh.status()["parts"]}
    # Certificates of the first connections have ended: only with the new ones do services return.
    await asyncio.to_thread(mesh.kill_and_wait, "nats")
    names = {service.name for service in SERVICES}
    await asyncio.to_thread(wait_until, lambda: names <= connected(mesh), seconds=READY_SECONDS)


async def keep_calling(who: str, call: Call, answered: Counter[str]) -> None:
    """Call until the load ends; the first error ends the test."""
    until = time.monotonic() + LOAD_SECONDS
    while time.monotonic() < until:
        await call()
        answered[who] += 1
        await asyncio.sleep(PAUSE_SECONDS)


async def list_reports(outside: Outside) -> None:
    stub = reports_pb2_grpc.CitizenReportsStub(outside.as_partner("egov", CITIZEN_REPORTS))
    await stub.ListReports(a_page_of_reports(), timeout=CALL_SECONDS)


async def list_payments(outside: Outside) -> None:
    stub = fines_pb2_grpc.FinePaymentsStub(outside.as_partner("kaspi", FINES))
    await stub.ListPayments(fines_pb2.ListPaymentsRequest(), timeout=CALL_SECONDS)


async def list_violations(outside: Outside) -> None:
    await outside.as_operator("inspector-almaty").get("/v1/violations", page_size=1)


async def connect_and_list(outside: Outside) -> None:
    pair = outside.certificates.partner("halyk")
    channels = RenewingChannels(
        cert=pair.certificate, key=pair.key, ca=outside.certificates.authority
    )
    channel = channels.to(outside.address_of(CITIZEN_REPORTS), CITIZEN_REPORTS.name)
    try:
        stub = reports_pb2_grpc.CitizenReportsStub(channel)
        await stub.ListReports(a_page_of_reports(), timeout=CALL_SECONDS)
    finally:
        await channels.close()


def a_page_of_reports() -> reports_pb2.ListReportsRequest:
    return reports_pb2.ListReportsRequest(page=common_pb2.Page(size=1))


def leaves(mesh: RunningTestMesh) -> Iterator[tuple[str, Path]]:
    for kind, name, path in mesh.certificates.leaves():
        yield f"{kind}/{name}", path


def connected(mesh: RunningTestMesh) -> set[str]:
    """The names of the clients that the broker serves now."""
    url = f"http://127.0.0.1:{mesh.ports.nats_monitor}/connz"
    with urllib.request.urlopen(url, timeout=CALL_SECONDS) as answer:
        return {connection.get("name", "") for connection in json.load(answer)["connections"]}
