"""What does not die but does not work either: stopped processes. It heals by itself.

The recovery times are printed (`pytest -s`); only what was promised is asserted.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

import pytest
from tartip_cli.clients.journeys import ReportToAnswer, patiently, wait_for
from tartip_cli.clients.partner import Outside
from tartip_testing.mesh import RunningTestMesh, wait_until

pytestmark = [pytest.mark.mesh, pytest.mark.nightly]

SECONDS = 120.0
STOPPED_SECONDS = 30.0  # of PostgreSQL: half of what counts as hung


def part_of(mesh: RunningTestMesh, name: str) -> dict[str, Any]:
    return next(part for part in mesh.status()["parts"] if part["name"] == name)


def restarts(mesh: RunningTestMesh) -> dict[str, int]:
    return {part["name"]: part["restarts"] for part in mesh.status()["parts"]}


def stop_for_good(mesh: RunningTestMesh, name: str) -> float:
    """Stop a part as a debugger or a dying machine does; return the seconds until all is ready."""
    before, began = part_of(mesh, name), time.monotonic()
    os.kill(before["pid"], signal.SIGSTOP)
    wait_until(lambda: part_of(mesh, name)["restarts"] > before["restarts"], seconds=SECONDS)
    mesh.wait_ready()
    seconds = time.monotonic() - began
    found = part_of(mesh, name)
    print(f"{name} was stopped: ready again after {seconds:.1f} s; {found['restart_reason']}")
    assert found["pid"] != before["pid"] and found["restart_reason"].startswith("it is hung")
    return seconds


async def hand_in(report: ReportToAnswer) -> None:
    await patiently(report.open, seconds=SECONDS)
    await report.upload()
    await patiently(report.submit, seconds=SECONDS)


@pytest.mark.parametrize(
    "part",
    [
        "citizen-reports",
        *(
            pytest.param(name, marks=pytest.mark.nightly)
            for name in ("operator-gateway", "nats", "triton", "postgres")
        ),
    ],
)
async def test_a_hung_part_is_restarted_and_the_others_are_not(
    part: str, mesh: RunningTestMesh, outside: Outside, new_report: Any
) -> None:
    mesh.wait_ready()
    before, report = restarts(mesh), new_report()
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.to_thread(stop_for_good, mesh, part))
        group.create_task(hand_in(report))
    assert restarts(mesh) == before | {part: before[part] + 1}
    await wait_for("the report", report.find_on_desk, seconds=SECONDS)


async def test_a_database_that_pauses_costs_no_restart(
    mesh: RunningTestMesh, outside: Outside, new_report: Any
) -> None:
    """A slow disk or a checkpoint stops it as long; what waits for it is not hung either."""
    mesh.wait_ready()
    before, report = restarts(mesh), new_report()
    pid = mesh.pid("postgres")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(STOPPED_SECONDS)
    finally:
        os.kill(pid, signal.SIGCONT)
    began = time.monotonic()
    await asyncio.to_thread(mesh.wait_ready)
    await hand_in(report)
    print(f"PostgreSQL paused {STOPPED_SECONDS:.0f} s: {time.monotonic() - began:.1f} s after it")
    assert restarts(mesh) == before
