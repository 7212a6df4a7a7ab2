"""Units, officers and postings by the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chassis.clock import new_id
from tartip_cli.failures import Exit
from tartip_testing.mesh import RunningTestMesh

from .test_commands import tartip

pytestmark = pytest.mark.mesh
HEAD = "log_in,badge,family_kk,given_kk,family_ru,given_ru,unit,since"


def test_officers_of_a_file_are_added_once_and_posted(
    mesh: RunningTestMesh, tmp_path: Path
) -> None:
    log_in = f"journey-{str(new_id())[-8:]}"
    path = tmp_path / "officers.csv"
    path.write_text(f"{HEAD}\n{log_in},,Сынақов,Сынақ,Пробный,Проба,KZ-31-duty,2024-05-01\n")
    assert _json(mesh, "import", str(path)) == {"added": 1, "changed": 0, "posted": 1}
    assert _json(mesh, "import", str(path)) == {"added": 0, "changed": 0, "posted": 0}
    path.write_text(f"{HEAD}\n{log_in},,Сынақов,Сынақ,Пробная,Проба,KZ-31,2025-05-01\n")
    assert _json(mesh, "import", str(path)) == {"added": 0, "changed": 1, "posted": 1}
    officer = _officer(mesh, log_in)
    assert (officer["ru"]["family"], len(officer["postings"])) == ("Пробная", 2)
    first = officer["postings"][0]
    done = tartip(mesh.home.path, "personnel", "end-posting", first["posting_id"])
    assert (done.returncode, "has ended" in done.stdout) == (Exit.OK, True), done.stderr
    again = tartip(mesh.home.path, "personnel", "end-posting", first["posting_id"])
    assert (again.returncode, "POSTING_ENDED" in again.stderr) == (Exit.REFUSED, True)
    shown = tartip(mesh.home.path, "personnel", "list", "--unit", "KZ-31-duty")
    assert "KZ-31-duty, ended" in shown.stdout and first["posting_id"] in shown.stdout


def test_the_units_of_every_region_are_there_from_the_start(mesh: RunningTestMesh) -> None:
    units = {unit["unit"]: unit for unit in _json(mesh, "units")["units"]}
    assert units["KZ-75-duty"]["parent"] == "KZ-75"
    assert units["KZ-75"]["parent"] == "mia"
    assert units["internal-security"]["kind"] == "UNIT_KIND_INTERNAL_SECURITY"


def test_what_is_wrong_with_a_file_is_named(mesh: RunningTestMesh, tmp_path: Path) -> None:
    path = tmp_path / "wrong.csv"
    for content, code, text in (
        ("log_in,badge\n", Exit.USAGE, "no column family_kk"),
        (f"{HEAD}\na,,Б,,Б,,KZ-75,yesterday\n", Exit.USAGE, "line 2"),
        (f"{HEAD}\n{new_id()},,Б,,Б,,nowhere,2025-01-01\n", Exit.REFUSED, "UNIT_UNKNOWN"),
    ):
        path.write_text(content)
        done = tartip(mesh.home.path, "personnel", "import", str(path))
        assert (done.returncode, text in done.stderr) == (code, True), done.stderr
    done = tartip(mesh.home.path, "personnel", "end-posting", "4711")
    assert (done.returncode, "no id" in done.stderr) == (Exit.USAGE, True)


def _json(mesh: RunningTestMesh, *arguments: str) -> Any:
    done = tartip(mesh.home.path, "personnel", *arguments, "--json")
    assert done.returncode == Exit.OK, done.stderr
    return json.loads(done.stdout)


def _officer(mesh: RunningTestMesh, log_in: str) -> Any:
    listed = _json(mesh, "list")["officers"]
    [found] = [officer for officer in listed if officer.get("log_in") == log_in]
    return found
