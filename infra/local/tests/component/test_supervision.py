"""Whatever is killed comes back with its data; a second run and a taken port are told in a line."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from tartip_cli.data_dir import DataDir
from tartip_cli.parts.postgres import erase_cluster
from tartip_cli.ports import holder_of
from tartip_cli.provision.roles import Database
from tartip_cli.settings import find_checkout
from tartip_cli.topology import DESK_SCHEMAS, SCHEMAS
from tartip_testing.mesh import RunningTestMesh, start_mesh, wait_until

ENGINES = ("services", "triton")
ROLES = ("owner", "runtime", "work", "seal")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RunningTestMesh]:
    """Engines that one test may harm as it likes."""
    running = start_mesh(tmp_path / "home", without=ENGINES)
    try:
        running.wait_ready()
        yield running
    finally:
        running.stop()
        erase_cluster(running.home)


def tartip(mesh: RunningTestMesh, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.defpath,
        "TARTIP_HOME": str(mesh.home.path),
        "TARTIP_PORT_BASE": str(mesh.ports.base),
        "TARTIP_GATEWAY_PORT": str(mesh.ports.gateway),
    }
    command = [sys.executable, "-m", "tartip_cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


async def remember(mesh: RunningTestMesh, text: str) -> None:
    connection = await asyncpg.connect(mesh.database.owner_url("fines"))
    await connection.execute("CREATE TABLE IF NOT EXISTS memory (told text)")
    await connection.execute("INSERT INTO memory VALUES ($1)", text)
    await connection.close()


async def remembered(mesh: RunningTestMesh) -> list[str]:
    connection = await asyncpg.connect(mesh.database.owner_url("fines"))
    rows = await connection.fetch("SELECT told FROM memory ORDER BY told")
    await connection.close()
    return [row["told"] for row in rows]


async def test_killed_engines_come_back_with_what_was_committed(own: RunningTestMesh) -> None:
    publisher = await own.nats_client("fines")
    await publisher.jetstream().publish("fines.v1.paid", b"kept")
    await publisher.close()
    for index, part in enumerate(("postgres", "nats", "postgres")):
        await remember(own, f"before kill {index}")
        own.kill_and_wait(part)
    assert await remembered(own) == [f"before kill {index}" for index in range(3)]
    reader = await own.nats_client("fines")
    info = await reader.jetstream().stream_info("FINES")
    assert info.state.messages == 1
    await reader.close()


async def test_a_run_after_the_whole_tree_was_killed_recovers(own: RunningTestMesh) -> None:
    await remember(own, "before")
    pids = [part["pid"] for part in own.status()["parts"]]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    own.supervisor.wait()
    again = tartip(own, "up", "--detach", "--without", "services", "--without", "triton")
    try:
        assert again.returncode == 0, again.stderr
        assert await remembered(own) == ["before"]
    finally:
        assert tartip(own, "down").returncode == 0


def test_parts_die_with_a_killed_supervisor(own: RunningTestMesh) -> None:
    pids = [own.pid("postgres"), own.pid("nats")]
    own.supervisor.kill()
    own.supervisor.wait()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), seconds=15)


def test_a_second_run_says_one_line(own: RunningTestMesh) -> None:
    second = tartip(own, "up", "--without", "services", "--without", "triton")
    assert second.returncode == 3
    assert second.stderr.count("\n") == 1 and "already runs" in second.stderr


def test_ctrl_c_stops_everything_in_order(own: RunningTestMesh) -> None:
    pids = [part["pid"] for part in own.status()["parts"]]
    own.supervisor.send_signal(signal.SIGINT)
    assert own.supervisor.wait(timeout=60) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    log = own.home.log_of("postgres").read_text()
    assert "database system is shut down" in log
    assert tartip(own, "status").returncode == 9
    assert tartip(own, "down").returncode == 9


def test_ctrl_c_while_schemas_migrate_is_an_ordinary_end(tmp_path: Path) -> None:
    starting = start_mesh(tmp_path / "interrupted", without=("triton",))
    try:
        logs = starting.home.logs
        wait_until(lambda: any(logs.glob("*.migrate.log")), seconds=60)
        os.killpg(starting.supervisor.pid, signal.SIGINT)  # as a terminal does
        code = starting.supervisor.wait(timeout=60)
        told = starting.home.log_of("up").read_text()
        assert code == 0, told
        assert told.strip().splitlines()[-1] == "The mesh has stopped."
        assert "KeyboardInterrupt" not in "".join(p.read_text() for p in logs.glob("*.migrate.log"))
    finally:
        starting.stop()
        erase_cluster(starting.home)


def test_a_taken_port_is_named_with_its_holder(tmp_path: Path, engines: RunningTestMesh) -> None:
    port = engines.ports.postgres
    assert (holder_of(port) or "").startswith("postgres (pid")
    environment = {
        "PATH": os.defpath,
        "TARTIP_HOME": str(tmp_path / "other"),
        "TARTIP_PORT_BASE": str(engines.ports.base),
    }
    refused = subprocess.run(
        [sys.executable, "-m", "tartip_cli", "up", "--without", "services", "--without", "triton"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 4
    assert f"port {port} (postgres) is taken by postgres (pid" in refused.stderr
    assert "TARTIP_PORT_BASE" in refused.stderr and refused.stderr.count("\n") == 1


@pytest.mark.parametrize("home", ["/proc/nowhere", "/dev/full/x"])
def test_a_folder_that_cannot_be_written_is_one_line(home: str) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "tartip_cli", "up", "--without", "services", "--without", "triton"],
        env={"PATH": os.defpath, "TARTIP_HOME": home, "TARTIP_PORT_BASE": "39000"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 5 and "TARTIP_HOME" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_part_that_cannot_start_says_why(own: RunningTestMesh, tmp_path: Path) -> None:
    """An outside database that is not there: the run ends with one line and leaves nothing."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.monotonic()
    environment = {
        "PATH": os.defpath,
        "TARTIP_HOME": str(tmp_path / "third"),
        "TARTIP_DATABASE_URL": f"postgresql://x:y@127.0.0.1:{port}/postgres",
        "TARTIP_PORT_BASE": str(own.ports.base + 40),
    }
    refused = subprocess.run(
        [sys.executable, "-m", "tartip_cli", "up", "--without", "services", "--without", "triton"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 8 and "does not answer" in refused.stderr, refused.stderr
    assert time.monotonic() - began < 60


async def test_an_outside_database_is_provisioned_by_a_plain_administrator(
    own: RunningTestMesh, tmp_path: Path
) -> None:
    """As in a managed database: a role that may make roles and databases, but is no superuser."""
    administrator = await asyncpg.connect(own.database.url)
    await administrator.execute("CREATE ROLE landlord LOGIN CREATEDB CREATEROLE PASSWORD 'rent'")
    for schema in SCHEMAS:
        await administrator.execute(f"DROP SCHEMA {schema} CASCADE")
        names = ("desk", *ROLES) if schema in DESK_SCHEMAS else ROLES
        for role in (f"{schema}_{name}" for name in names):
            await administrator.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    await administrator.execute("ALTER DATABASE tartip OWNER TO landlord")
    await administrator.close()
    outside = Database(
        f"postgresql://landlord:rent@127.0.0.1:{own.ports.postgres}/tartip",
        DataDir(tmp_path / "tenant"),
        find_checkout() / "infra" / "postgres",
    )
    outside.home.prepare()
    for _ in range(2):  # once to make, once to find made
        await outside.provision()
    owner = await asyncpg.connect(outside.owner_url("fines"))
    await owner.execute("CREATE TABLE paid (id int); GRANT SELECT ON paid TO fines_runtime")
    await owner.close()
    runtime = await asyncpg.connect(outside.runtime_url("fines"))
    assert await runtime.fetch("SELECT * FROM paid") == []
    await runtime.close()
    other = await asyncpg.connect(outside.runtime_url("violations"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await other.execute("SELECT * FROM fines.paid")
    await other.close()
