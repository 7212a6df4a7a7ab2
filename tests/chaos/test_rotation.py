"""`tartip keys rotate` is killed (kill -9) and run again while the mesh works: nothing is lost."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nats.errors import Error as BrokerError
from tartip_cli.clients.journeys import ReportToAnswer, patiently, wait_for
from tartip_cli.provision.broker import connect
from tartip_cli.settings import inherited_environment
from tartip_cli.topology import COMMAND_LINE
from tartip_testing.mesh import RunningTestMesh

pytestmark = [pytest.mark.mesh, pytest.mark.nightly]

# After the start of the command, in the middle of each of its steps.
KILLED_AFTER_SECONDS = (1.5, 3.0, 6.0, 9.0)
ROTATE = ("rotate", "--broker", "--data-keys", "--settle-seconds", "2")
END_SECONDS = 180.0
SECONDS = 60.0


async def test_all_keys_are_rotated_though_the_command_dies(
    mesh: RunningTestMesh, outside: Any, new_report: Any, tmp_path: Path
) -> None:
    mesh.wait_ready()
    before = await handed_in(new_report())
    old_seed = shutil.copy(mesh.keys.nats_seed("fines"), tmp_path / "old.nk")
    pids = {part["name"]: part["pid"] for part in mesh.status()["parts"]}
    for seconds in KILLED_AFTER_SECONDS:
        await asyncio.to_thread(rotate_and_kill, mesh, seconds)
        await handed_in(new_report())
    ended = await asyncio.to_thread(rotate, mesh)
    assert ended.returncode == 0, ended.stderr
    assert "the older ones are destroyed after 2 s" in ended.stdout
    assert pids == {part["name"]: part["pid"] for part in mesh.status()["parts"]}

    for journey in (before, await handed_in(new_report())):
        found = await wait_for("the report on the desk", journey.find_on_desk, seconds=SECONDS)
        assert journey.request.text in str(found.body)
    with pytest.raises(BrokerError):
        await connected_with(mesh, Path(old_seed))
    await (await connected_with(mesh, mesh.keys.nats_seed("fines"))).close()
    assert not list(mesh.keys.folder.rglob("*.next"))
    left = [path.name for path in mesh.keys.folder.rglob("citizen-reports/*.wrap-*.key")]
    assert left and len({name.partition(".")[0] for name in left}) == len(left)


async def handed_in(journey: ReportToAnswer) -> ReportToAnswer:
    await patiently(journey.open)
    await journey.upload()
    await patiently(journey.submit)
    return journey


def command_of(mesh: RunningTestMesh) -> tuple[list[str], dict[str, str]]:
    environment = {**inherited_environment(), "TARTIP_HOME": str(mesh.home.path)}
    return [sys.executable, "-m", "tartip_cli", "keys", *ROTATE], environment


def rotate_and_kill(mesh: RunningTestMesh, seconds: float) -> None:
    command, environment = command_of(mesh)
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def rotate(mesh: RunningTestMesh) -> subprocess.CompletedProcess[str]:
    command, environment = command_of(mesh)
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=END_SECONDS, check=False
    )


async def connected_with(mesh: RunningTestMesh, seed: Path) -> Any:
    return await connect(
        mesh.nats_url,
        user="fines",
        seed=seed,
        pair=mesh.certificates.service(COMMAND_LINE),
        authority=mesh.certificates.authority,
    )
