"""gRPC health, the gateway's /readyz and `tartip status` say the same, whatever is wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tartip_cli.clients.journeys import wait_for
from tartip_cli.failures import Exit
from tartip_cli.topology import CITIZEN_REPORTS, OPERATOR_GATEWAY
from tartip_testing.mesh import RunningTestMesh
from tartip_testing.pauses import standing_still

from .health_accounts import SECONDS, Account, account

pytestmark = [pytest.mark.mesh, pytest.mark.nightly]


async def test_a_database_that_stands_still_is_seen_by_all(mesh: RunningTestMesh) -> None:
    mesh.wait_ready()
    with standing_still(mesh, "postgres"):
        said = await account(
            mesh, lambda found: not found.grpc_serving and found.readyz_code == 503
        )
        assert "database" in said.grpc_reasons
        assert "database" in said.readyz["reasons"][CITIZEN_REPORTS.name]
        assert said.states[CITIZEN_REPORTS.name] == said.states[OPERATOR_GATEWAY.name] == "unready"
        assert any("database" in reason for reason in said.reasons[CITIZEN_REPORTS.name])
        assert any(CITIZEN_REPORTS.name in reason for reason in said.reasons[OPERATOR_GATEWAY.name])
        assert said.exit_code == Exit.NOT_RUNNING
    await account(mesh, all_is_well)


async def test_a_broker_that_is_away_degrades_all_and_closes_no_intake(
    mesh: RunningTestMesh, new_report: Any
) -> None:
    mesh.wait_ready()
    journey = new_report()
    async with keeping_dead(mesh, "nats"):
        said = await account(mesh, lambda found: found.states[CITIZEN_REPORTS.name] == "degraded")
        assert (said.grpc_serving, list(said.grpc_reasons)) == (True, ["broker"])
        assert (said.readyz_code, said.readyz["ready"], said.readyz["degraded"]) == (200, 1, 1)
        assert list(said.readyz["reasons"]) == ["broker"]
        assert said.states[OPERATOR_GATEWAY.name] == "degraded"
        for part in (CITIZEN_REPORTS, OPERATOR_GATEWAY):
            assert any("broker" in reason for reason in said.reasons[part.name])
        await journey.open()
        await journey.upload()
        assert (await journey.submit()).number
    await account(mesh, all_is_well)
    await wait_for("the report", journey.find_on_desk, seconds=SECONDS)


def all_is_well(found: Account) -> bool:
    silent = not found.grpc_reasons and not found.readyz["reasons"]
    ready = set(found.states.values()) == {"ready"} and not any(found.reasons.values())
    return silent and ready and found.readyz_code == 200 and found.exit_code == Exit.OK


@contextlib.asynccontextmanager
async def keeping_dead(mesh: RunningTestMesh, part: str) -> AsyncIterator[None]:
    """Kill a part as often as it is started, while the block runs."""

    async def keep_killing() -> None:
        while True:
            with contextlib.suppress(AssertionError, ProcessLookupError):  # it does not run now
                await asyncio.to_thread(mesh.kill, part)
            await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as group:
        killing = group.create_task(keep_killing())
        try:
            yield
        finally:
            killing.cancel()
