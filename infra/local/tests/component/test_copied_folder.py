"""A copy of a data folder, started beside the mesh that lives, neither stops nor changes it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Exit, Failure
from tartip_cli.home_identity import place_file
from tartip_cli.parts.folder_lock import require_unshared
from tartip_cli.parts.postgres import erase_cluster
from tartip_cli.ports import Ports, free_base
from tartip_testing.mesh import RunningTestMesh, wait_until

from .own_engines import WITHOUT, own_engines, part_of, tartip

LOCKS = """
import sys, time
from pathlib import Path
from tartip_cli.parts.folder_lock import require_unshared
require_unshared(Path(sys.argv[1]))
print("locked", flush=True)
time.sleep(60)
"""
UP = ("up", "--detach", *(word for part in WITHOUT for word in ("--without", part)))


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RunningTestMesh]:
    with own_engines(tmp_path / "home") as running:
        yield running


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[DataDir]:
    """Where the copy goes; its cluster is erased, with the mesh that may run from it."""
    home = DataDir(tmp_path / "copy")
    yield home
    tartip(home.path, free_base(), "down")
    if home.path.exists():
        erase_cluster(home)


def pids(mesh: RunningTestMesh) -> dict[str, int]:
    return {part["name"]: part["pid"] for part in mesh.status()["parts"]}


def other_ports() -> Ports:
    return free_base(range(31000, 39000, 20))


@pytest.mark.skipif(os.geteuid() != 0, reason="without root the copy holds a database of its own")
def test_a_copy_without_its_database_is_refused_in_one_line(
    own: RunningTestMesh, copy: DataDir
) -> None:
    before = pids(own)
    shutil.copytree(own.home.path, copy.path, symlinks=True)
    refused = tartip(copy.path, other_ports(), *UP)
    assert refused.returncode == Exit.COPIED_FOLDER, refused.stderr
    assert f"is a copy of {own.home.path} without its database" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert own.status()["ready"] and pids(own) == before
    copy.postgres.unlink()  # as the message says


@pytest.mark.skipif(os.geteuid() != 0, reason="without root no folder outside is shared")
def test_a_cluster_that_another_mesh_uses_is_not_touched(
    own: RunningTestMesh, copy: DataDir
) -> None:
    """A copy that an older version made knows nothing of the folder that it comes from."""
    before = pids(own)
    shutil.copytree(own.home.path, copy.path, symlinks=True)
    place_file(copy.path).unlink()
    refused = tartip(copy.path, other_ports(), *UP)
    assert refused.returncode == Exit.COPIED_FOLDER, refused.stderr
    assert "is in use by the mesh of another data folder" in refused.stderr
    assert own.status()["ready"] and pids(own) == before
    (copy.path / "home-id").write_text("0" * 16)  # the original's is erased by its own test
    copy.postgres.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="without root the database is in the data folder")
def test_a_lost_database_is_refused_and_not_begun_anew(tmp_path: Path) -> None:
    """As if the disk on which it is were not mounted."""
    with own_engines(tmp_path / "home") as own:
        assert tartip(own.home.path, own.ports, "down").returncode == 0
        own.supervisor.wait(60)
        cluster = own.home.postgres.resolve()
        cluster.rename(cluster.with_name("elsewhere"))
        refused = tartip(own.home.path, own.ports, *UP)
        assert refused.returncode == Exit.FINDINGS, refused.stderr
        assert "the database of this mesh is gone" in refused.stderr
        assert not cluster.exists()
        cluster.with_name("elsewhere").rename(cluster)
        assert tartip(own.home.path, own.ports, *UP).returncode == 0
        assert tartip(own.home.path, own.ports, "down").returncode == 0


@pytest.mark.nightly
async def test_a_whole_copy_lives_beside_its_original_with_its_own_database(
    tmp_path: Path, copy: DataDir
) -> None:
    with own_engines(tmp_path / "home") as own:
        connection = await asyncpg.connect(own.database.owner_url("fines"))
        await connection.execute("CREATE TABLE memory AS SELECT 'original' AS told")
        await connection.close()
        assert tartip(own.home.path, own.ports, "down").returncode == 0
        own.supervisor.wait(60)
        shutil.copytree(own.home.path, copy.path)  # links are followed: the database goes along
        assert tartip(own.home.path, own.ports, *UP).returncode == 0
        try:
            before = pids(own)
            ports = other_ports()
            started = tartip(copy.path, ports, *UP)
            assert started.returncode == 0, started.stderr
            assert copy.identity() != own.home.identity()
            url = own.database.owner_url("fines")
            for port, told in ((ports.postgres, "copy"), (own.ports.postgres, "original")):
                there = await asyncpg.connect(url, port=port)
                if told == "copy":
                    assert await there.fetchval("SELECT told FROM memory") == "original"
                    await there.execute("UPDATE memory SET told = 'copy'")
                assert await there.fetchval("SELECT told FROM memory") == told
                await there.close()
            assert own.status()["ready"] and pids(own) == before
            assert part_of(own, "nats")["restarts"] == 0
        finally:
            tartip(own.home.path, own.ports, "down")


def test_a_folder_is_locked_for_one_process_and_as_long_as_it_lives(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", LOCKS, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "locked\n"
    try:
        with pytest.raises(Failure, match="in use by the mesh of another data folder") as refused:
            require_unshared(tmp_path)
        assert refused.value.code is Exit.COPIED_FOLDER
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    wait_until(lambda: _locked(tmp_path), seconds=10)
    require_unshared(tmp_path)  # at each restart of the same mesh


def _locked(folder: Path) -> bool:
    try:
        require_unshared(folder)
    except Failure:
        return False
    return True
