"""What gRPC health, the gateway's /readyz and `tartip status` say of a mesh, side by side."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc
from host.health import SERVING, reasons_in
from tartip_cli.parts.probes import secure_channel
from tartip_cli.settings import inherited_environment
from tartip_cli.topology import CITIZEN_REPORTS, COMMAND_LINE, OPERATOR_GATEWAY
from tartip_testing.mesh import RunningTestMesh

SECONDS = 60.0


@dataclass(frozen=True)
class Account:
    """What is said at one moment of citizen-reports and of the gateway, and by whom."""

    grpc_serving: bool
    grpc_reasons: dict[str, str]
    readyz_code: int
    readyz: dict[str, Any]
    states: dict[str, str]
    reasons: dict[str, list[str]]
    exit_code: int


async def account(mesh: RunningTestMesh, wanted: Callable[[Account], bool]) -> Account:
    """The first account that is as wanted: each asks at times of its own."""
    found = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SECONDS):
            while found is None or not (wanted(found) and agrees(found)):
                found = await asked(mesh)
    assert found is not None
    assert wanted(found) and agrees(found), found
    return found


def agrees(found: Account) -> bool:
    """Whether all say the same of citizen-reports, and both of the gateway."""
    state = found.states[CITIZEN_REPORTS.name]
    by_grpc = "unready" if not found.grpc_serving else "degraded" if found.grpc_reasons else "ready"
    peer = next(p for p in found.readyz["peers"] if p["name"] == CITIZEN_REPORTS.name)
    gateway = found.states[OPERATOR_GATEWAY.name]
    by_readyz = "degraded" if found.readyz["degraded"] else "ready"
    by_readyz = by_readyz if found.readyz_code == 200 else "unready"
    return state == by_grpc and peer["ready"] == found.grpc_serving and gateway == by_readyz


async def asked(mesh: RunningTestMesh) -> Account:
    status, code = await asyncio.to_thread(status_by_command, mesh)
    pair = mesh.certificates.service(COMMAND_LINE)
    address = mesh.address(CITIZEN_REPORTS.name)
    async with secure_channel(address, pair, mesh.certificates.authority) as channel:
        call = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        try:
            serving = (await call).status == SERVING
            reasons = reasons_in(await call.trailing_metadata())
        except grpc.aio.AioRpcError:
            serving, reasons = False, {}
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        answer = await client.get(f"{mesh.gateway_url}/readyz")
    parts = {part["name"]: part for part in status["parts"]}
    return Account(
        serving,
        reasons,
        answer.status_code,
        answer.json(),
        {name: part["state"] for name, part in parts.items()},
        {name: part.get("reasons", []) for name, part in parts.items()},
        code,
    )


def status_by_command(mesh: RunningTestMesh) -> tuple[dict[str, Any], int]:
    done = subprocess.run(
        [sys.executable, "-m", "tartip_cli", "status", "--json"],
        env={**inherited_environment(), "TARTIP_HOME": str(mesh.home.path)},
        capture_output=True,
        check=False,
    )
    status: dict[str, Any] = json.loads(done.stdout)
    return status, done.returncode
