"""During an upgrade, copies of two releases of a service run beside each other on one schema.

The release before is taken from git. The schema is this release's, since migrations come first:
they only add what the code of the release before does not need (docs/releasing.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from tartip_cli.clients.partner import Outside
from tartip_cli.parts.postgres import erase_cluster
from tartip_cli.ports import free_base
from tartip_cli.settings import find_checkout, inherited_environment
from tartip_cli.topology import service_named
from tartip_testing.mesh import RunningTestMesh, start_mesh, wait_until

pytestmark = [pytest.mark.mesh, pytest.mark.nightly]
ROOT = find_checkout()
# Of the inference gateway one copy is enough for Triton on this machine.
UPGRADED = ("camera-registry", "violations", "fines", "citizen-reports")
GATEWAY = "operator-gateway"  # of this release
# 0.1.0 was made before this rule: it sets scopes as policies no longer read them (`install_v3`),
# and handles events with the log-in for calls, which may not any more (`install_v4`). Until a
# release follows it, the code from which the rule holds takes its place.
BEFORE_THE_RULE, RULE_SINCE = "v0.1.0", "90de36e160eddc933209d1555bd8946a453ad965"


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def release_before() -> str:
    """The newest release that keeps the rule; "" if the checkout's history does not have it."""
    tags = git("tag", "--list", "v*", "--merged", "HEAD", "--sort=-v:refname").splitlines()
    newest = [tag for tag in tags if tag != BEFORE_THE_RULE]
    return newest[0] if newest else git("rev-parse", "--verify", f"{RULE_SINCE}^{{commit}}")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of the release before, with its contracts built."""
    commit, folder = release_before(), tmp_path_factory.mktemp("before")
    if not commit:
        pytest.skip("the history of this checkout has no release before")
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
    subprocess.run([sys.executable, "proto/build.py"], cwd=folder, check=True)
    return folder


@contextlib.contextmanager
def copies(mesh: RunningTestMesh, code: Path, ports: dict[str, int], log: str) -> Iterator[None]:
    """Run a copy of each service on these ports with the code of one release."""
    sources = [path for part in ("libs", "services") for path in code.glob(f"{part}/*/src")]
    own = {**inherited_environment(), "PYTHONPATH": os.pathsep.join(map(str, sources))}
    running = []
    for name, port in ports.items():
        address = {"TARTIP_GRPC_ADDRESS": f"127.0.0.1:{port}"}
        with mesh.home.log_of(f"{name}.{log}").open("wb") as output:
            command = [sys.executable, "-m", service_named(name).package, "serve"]
            running.append(
                subprocess.Popen(
                    command,
                    env={**own, **mesh.environment(name), **address},
                    stdout=output,
                    stderr=output,
                )
            )
    try:
        yield
        assert [process.poll() for process in running] == [None] * len(running)
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="module")
def mesh_without(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTestMesh]:
    """A mesh whose upgraded services are run by the test, with this release's schemas."""
    mesh = start_mesh(tmp_path_factory.mktemp("rolling"), without=(*UPGRADED, GATEWAY))
    try:
        mesh.wait_ready()
        for name in UPGRADED:
            command = [sys.executable, "-m", service_named(name).package, "migrate"]
            environment = {**inherited_environment(), **mesh.owner_environment(name)}
            subprocess.run(command, env=environment, check=True, timeout=120)
        yield mesh
    finally:
        mesh.stop()
        erase_cluster(mesh.home)


def is_ready(mesh: RunningTestMesh) -> bool:
    try:
        return httpx.get(f"{mesh.gateway_url}/readyz", timeout=5).is_success
    except httpx.TransportError:
        return False


def demo(mesh: RunningTestMesh) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tartip_cli", "demo", "--json"],
        env={**inherited_environment(), "TARTIP_HOME": str(mesh.home.path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr + errors_in(mesh)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def errors_in(mesh: RunningTestMesh) -> str:
    lines = [
        f"{log.name}: {line[:2000]}"
        for log in mesh.home.logs.glob("*.log")
        for line in log.read_text(errors="replace").splitlines()
        if '"ERROR"' in line
    ]
    return "\n" + "\n".join(lines[:5])


async def test_two_releases_serve_beside_each_other_and_either_goes_on_alone(
    mesh_without: RunningTestMesh, before: Path
) -> None:
    mesh, side = mesh_without, free_base().base
    main = {name: mesh.ports.of(service_named(name)) for name in UPGRADED}
    beside = {name: side + number for number, name in enumerate(UPGRADED)}
    numbers = []
    with copies(mesh, ROOT, {GATEWAY: 0}, "after"), copies(mesh, before, main, "before"):
        await asyncio.to_thread(wait_until, lambda: is_ready(mesh), seconds=120)
        numbers.append(await asyncio.to_thread(demo, mesh))  # as before an upgrade, or rolled back
        with copies(mesh, ROOT, beside, "after"):
            numbers.append(await asyncio.to_thread(demo, mesh))
    with copies(mesh, ROOT, {GATEWAY: 0}, "after"), copies(mesh, ROOT, main, "after"):
        await asyncio.to_thread(wait_until, lambda: is_ready(mesh), seconds=120)
        with copies(mesh, before, beside, "before"):
            numbers.append(await asyncio.to_thread(demo, mesh))
        numbers.append(await asyncio.to_thread(demo, mesh))
        await assert_all_answer(mesh, numbers)
        await assert_published_once(mesh)


async def assert_all_answer(mesh: RunningTestMesh, numbers: list[dict[str, Any]]) -> None:
    async with Outside(home=mesh.home, ports=mesh.ports, oidc_issuer=mesh.oidc_issuer) as people:
        supervisor = people.as_operator("supervisor-almaty")
        for each in numbers:
            fine = await supervisor.get(f"/v1/fines/{each['fine']}", purpose="an upgrade is tried")
            assert fine.body["fine"]["state"] == "paid"


async def assert_published_once(mesh: RunningTestMesh) -> None:
    """Every outbox is empty of what waits, and no event lies in its stream twice."""
    client = await mesh.nats_client("provisioner")
    stream = client.jetstream()
    for info in await stream.streams_info():
        ids, name = Counter[str](), info.config.name or ""
        for sequence in range(info.state.first_seq, info.state.last_seq + 1):
            with contextlib.suppress(Exception):  # deleted meanwhile
                message = await stream.get_msg(name, sequence)
                ids[(message.headers or {})["Nats-Msg-Id"]] += 1
        assert not [event for event, count in ids.items() if count > 1], name
    await client.close()
    connection = await asyncpg.connect(mesh.database.url)
    deadline = time.monotonic() + 30
    for name in UPGRADED:
        waiting = f"SELECT count(*) FROM {service_named(name).schema}.outbox"
        while await connection.fetchval(f"{waiting} WHERE published_at IS NULL"):
            assert time.monotonic() < deadline, name
            await asyncio.sleep(0.5)
    await connection.close()
