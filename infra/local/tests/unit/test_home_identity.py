"""A data folder keeps its identity wherever it is moved; a copy of it gets one of its own."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from tartip_cli.data_dir import DataDir
from tartip_cli.failures import Exit, Failure
from tartip_cli.home_identity import place_file
from tartip_cli.supervisor.process import ProcessId


@pytest.fixture
def original(tmp_path: Path) -> DataDir:
    home = DataDir(tmp_path / "original")
    home.prepare()
    return home


def copied(home: DataDir, name: str = "copy") -> DataDir:
    copy = DataDir(home.path.with_name(name))
    shutil.copytree(home.path, copy.path, symlinks=True)
    return copy


def test_a_copy_gets_an_identity_of_its_own_and_the_original_keeps_its(original: DataDir) -> None:
    before = original.identity()
    copy = copied(original)
    copy.prepare()
    assert copy.identity() != before
    assert original.identity() == before
    again = copy.identity()
    copy.prepare()
    original.prepare()
    assert (copy.identity(), original.identity()) == (again, before)


def test_a_copy_forgets_the_processes_of_the_original(original: DataDir) -> None:
    own = ProcessId.of(os.getpid())
    assert own is not None
    own.write(original.run / "fines.pid")
    (original.run / "mesh.json").write_text("{}")
    copy = copied(original)
    assert ProcessId.read(copy.run / "fines.pid") is None  # even before it is forgotten
    copy.prepare()
    assert list(copy.run.iterdir()) == []
    assert ProcessId.read(original.run / "fines.pid") == own


def test_a_folder_that_was_moved_or_restored_keeps_its_identity(original: DataDir) -> None:
    before = original.identity()
    moved = DataDir(original.path.with_name("moved"))
    original.path.rename(moved.path)
    moved.prepare()
    assert moved.identity() == before
    backup = copied(moved, "backup")
    shutil.rmtree(moved.path)
    backup.path.rename(moved.path)
    moved.prepare()
    assert moved.identity() == before


def test_a_folder_that_was_moved_to_another_disk_keeps_its_identity(original: DataDir) -> None:
    before = original.identity()
    there = copied(original, "there")
    shutil.rmtree(original.path)
    there.prepare()
    assert there.identity() == before


def test_a_folder_of_an_older_version_is_bound_to_its_place(original: DataDir) -> None:
    before = original.identity()
    place_file(original.path).unlink()
    original.prepare()
    assert original.identity() == before
    assert json.loads(place_file(original.path).read_text())["path"] == str(original.path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"path": "/"}'])
def test_a_place_that_cannot_be_read_is_as_good_as_none(original: DataDir, content: str) -> None:
    before = original.identity()
    place_file(original.path).write_text(content)
    original.prepare()
    assert original.identity() == before


def test_a_copy_whose_database_is_the_originals_is_refused(
    original: DataDir, tmp_path: Path
) -> None:
    """As root the data folder holds a link to PostgreSQL's files; a copy of it would share them."""
    (tmp_path / "cluster").mkdir()
    original.postgres.symlink_to(tmp_path / "cluster")
    copy = copied(original)
    for _ in range(2):
        with pytest.raises(Failure, match=r"copy of .*original without its database") as refused:
            copy.prepare()
        assert refused.value.code is Exit.COPIED_FOLDER
    copy.postgres.unlink()
    copy.prepare()
    assert copy.identity() != original.identity()
