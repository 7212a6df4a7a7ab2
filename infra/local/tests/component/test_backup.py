"""A backup is whole or refused by name; a restore is finished or begun again."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Exit
from tartip_cli.parts.postgres import erase_cluster
from tartip_cli.ports import free_base
from tartip_cli.settings import inherited_environment
from tartip_testing.mesh import RunningTestMesh, start_mesh

pytestmark = pytest.mark.nightly
BALLAST_BYTES = 200 * 1024 * 1024


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "backup.key"
    path.write_text(secrets.token_hex(32))
    return path


@pytest.fixture
async def noted(postgres: RunningTestMesh) -> AsyncIterator[None]:
    """Something in the database that a restore has to bring back."""
    async with database(postgres.database.url) as connection:
        await connection.execute("CREATE TABLE violations.noted AS SELECT 42 AS number")
        yield
        await connection.execute("DROP TABLE violations.noted")


@pytest.fixture
def whole(postgres: RunningTestMesh, noted: None, key: Path, tmp_path: Path) -> Path:
    file = tmp_path / "whole.backup"
    done = tartip(postgres.home.path, "backup", file, "--key", key, "--json")
    # Other tests leave evidence without its object in the shared mesh.
    assert done.returncode in (Exit.OK, Exit.FINDINGS), done.stderr
    return file


@asynccontextmanager
async def database(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tartip_cli", *map(str, arguments)]


def environment(home: Path, erasures: Path | None) -> dict[str, str]:
    own = {"TARTIP_HOME": str(home), "TARTIP_PORT_BASE": str(free_base().base)}
    return {**inherited_environment(), **own} | (
        {"TARTIP_ERASURES": str(erasures)} if erasures else {}
    )


def tartip(
    home: Path, *arguments: object, erasures: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        env=environment(home, erasures),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def killed(reached: Callable[[], bool], *arguments: object, env: dict[str, str]) -> None:
    """Kill a command (-9) once it has reached a point."""
    process = subprocess.Popen(command(*arguments), env=env, stdout=subprocess.DEVNULL)
    while not reached():
        assert process.poll() is None, "it was faster than this test"
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


def refused(reason: str, done: subprocess.CompletedProcess[str]) -> None:
    assert f"refused, {reason}" in done.stderr, done.stderr
    assert done.returncode in (Exit.REFUSED, Exit.FINDINGS)


@contextmanager
def ballast(home: DataDir) -> Iterator[None]:
    """A file that makes the backup long enough to be interrupted."""
    path = home.path / "ballast"
    path.write_bytes(os.urandom(1024) * (BALLAST_BYTES // 1024))
    try:
        yield
    finally:
        path.unlink()


async def number_in(home: Path) -> int:
    engines = start_mesh(home, without=("services", "triton", "nats"))
    try:
        await asyncio.to_thread(engines.wait_ready)
        async with database(engines.database.url) as connection:
            return int(await connection.fetchval("SELECT number FROM violations.noted"))
    finally:
        engines.stop()


async def test_a_backup_is_restored_into_an_empty_folder_alone(
    postgres: RunningTestMesh, whole: Path, key: Path, tmp_path: Path
) -> None:
    home, lists = tmp_path / "restored", Path(f"{postgres.home.path}-erasures")
    (home / "logs").mkdir(parents=True)  # what a command leaves in a new folder does no harm
    done = tartip(home, "restore", whole, "--key", key, "--erasures", lists, "--json")
    try:
        assert done.returncode == Exit.OK, done.stderr
        assert json.loads(done.stdout)["restored"] is True
        assert await number_in(home) == 42
        refused("FOLDER_NOT_EMPTY", tartip(home, "restore", whole, "--key", key))
        kept = {path.name for path in (postgres.home.path / "keys" / "nats").iterdir()}
        assert {path.name for path in (home / "keys" / "nats").iterdir()} == kept
        assert (home / "home-id").read_text() != postgres.home.identity()
    finally:
        erase_cluster(DataDir(home))


def test_a_running_mesh_is_not_restored_over(
    postgres: RunningTestMesh, whole: Path, key: Path
) -> None:
    refused("FOLDER_IN_USE", tartip(postgres.home.path, "restore", whole, "--key", key))


def test_what_is_no_whole_backup_is_refused_by_name_and_writes_nothing(
    postgres: RunningTestMesh, whole: Path, key: Path, tmp_path: Path
) -> None:
    home, lists = tmp_path / "restored", Path(f"{postgres.home.path}-erasures")
    content, other = bytearray(whole.read_bytes()), tmp_path / "other.key"
    other.write_text("0" * 64)
    wrong = tmp_path / "wrong.backup"
    wrong.write_bytes(content[:-100])
    refused("BACKUP_CUT_OFF", tartip(home, "restore", wrong, "--key", key, erasures=lists))
    content[300] ^= 1
    wrong.write_bytes(content)
    refused("BACKUP_DAMAGED", tartip(home, "restore", wrong, "--key", key, erasures=lists))
    refused("BACKUP_KEY_WRONG", tartip(home, "restore", whole, "--key", other, erasures=lists))
    absent = tmp_path / "absent"
    refused("ERASURES_INCOMPLETE", tartip(home, "restore", whole, "--key", key, erasures=absent))
    done = tartip(home, "restore", whole, "--key", key, "--dry-run", erasures=lists)
    assert done.returncode == Exit.OK, done.stderr
    assert not home.exists() or not any(path.is_file() for path in home.rglob("*"))


def test_a_backup_that_was_killed_is_no_backup(
    postgres: RunningTestMesh, key: Path, tmp_path: Path
) -> None:
    file, draft = tmp_path / "killed.backup", tmp_path / ".killed.backup.partial"
    with ballast(postgres.home):
        killed(
            lambda: draft.exists() and draft.stat().st_size > 10_000_000,
            *("backup", file, "--key", key),
            env=environment(postgres.home.path, None),
        )
    assert not file.exists()
    lists = Path(f"{postgres.home.path}-erasures")
    done = tartip(tmp_path / "r", "restore", draft, "--key", key, "--dry-run", erasures=lists)
    refused("BACKUP_CUT_OFF", done)


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system is mounted by root alone")
def test_a_full_disk_leaves_no_backup_behind(
    postgres: RunningTestMesh, key: Path, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(small)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine mounts no small file system")
    try:
        with ballast(postgres.home):
            done = tartip(postgres.home.path, "backup", small / "full.backup", "--key", key)
        assert done.returncode == Exit.DISK_FULL, done.stderr
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


async def test_a_restore_that_was_killed_keeps_the_mesh_down_and_is_begun_again(
    postgres: RunningTestMesh, whole: Path, key: Path, tmp_path: Path
) -> None:
    home, lists = tmp_path / "restored", Path(f"{postgres.home.path}-erasures")
    killed(
        lambda: (home / "pg").exists(),
        *("restore", whole, "--key", key),
        env=environment(home, lists),
    )
    try:
        up = tartip(home, "up", erasures=lists)
        assert up.returncode == Exit.FINDINGS and "interrupted" in up.stderr
        done = tartip(home, "restore", whole, "--key", key, erasures=lists)
        assert done.returncode == Exit.OK, done.stderr
        assert await number_in(home) == 42
    finally:
        erase_cluster(DataDir(home))
