"""What a data folder says of the mesh that runs from it."""

from __future__ import annotations

import shutil
from pathlib import Path

from tartip_cli.data_dir import DataDir
from tartip_cli.supervisor.lock import Lock, RunningMesh, running_mesh

MESH = RunningMesh(pid=1, port_base=21000, gateway_port=8080)


def locked(home: DataDir) -> Lock:
    home.run.mkdir(parents=True, exist_ok=True)
    lock = Lock(home)
    lock.take()
    return lock


def test_a_copy_that_starts_is_not_taken_for_the_mesh_it_was_copied_from(tmp_path: Path) -> None:
    own, copy = DataDir(tmp_path / "own"), DataDir(tmp_path / "copy")
    locked(own).describe(MESH)
    shutil.copytree(own.path, copy.path)
    starting = locked(copy)
    assert running_mesh(copy) is None
    other = RunningMesh(pid=2, port_base=31000, gateway_port=8081)
    starting.describe(other)
    assert (running_mesh(own), running_mesh(copy)) == (MESH, other)
