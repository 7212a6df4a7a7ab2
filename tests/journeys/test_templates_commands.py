"""Templates of answers by the command line: those of the example are put, changed, withdrawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tartip_cli.failures import Exit
from tartip_testing.mesh import RunningTestMesh

from .test_commands import tartip

pytestmark = pytest.mark.mesh


def test_templates_go_from_a_file_to_the_desk_and_back(
    mesh: RunningTestMesh, tmp_path: Path
) -> None:
    path = tmp_path / "templates.yaml"
    path.write_text(_tartip(mesh, "example").stdout)
    stored = _put(mesh, path)["stored"]
    assert "passed-on" in stored
    try:
        assert _put(mesh, path) == {"stored": [], "unchanged": stored, "refused": {}}
        shown = _shown(mesh)
        passed_on = next(one for one in shown if one["name"] == "passed-on")
        passed_on["en"] += " Goodbye."
        shown.append({"name": "wrong", "outcome": "explained", "en": "{name}"})
        path.write_text(yaml.safe_dump({"templates": shown}))
        done = _tartip(mesh, "put", str(path), "--reason", "A trial.")
        assert done.returncode == Exit.REFUSED
        assert "1 stored" in done.stdout and "wrong: BAD_REQUEST: texts.kk" in done.stderr
        changed = next(one for one in _shown(mesh) if one["name"] == "passed-on")
        assert changed == passed_on | {"version": passed_on["version"] + 1}
    finally:
        withdrawn = [one | {"withdrawn": True} for one in _shown(mesh) if one["name"] in stored]
        path.write_text(yaml.safe_dump({"templates": withdrawn}))
        assert len(_put(mesh, path)["stored"]) == len(stored)


def _shown(mesh: RunningTestMesh) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(_tartip(mesh, "show").stdout)["templates"]
    return found


def _put(mesh: RunningTestMesh, path: Path) -> Any:
    done = _tartip(mesh, "put", str(path), "--reason", "A trial.", "--json")
    assert done.returncode == Exit.OK, done.stderr
    return json.loads(done.stdout)


def _tartip(mesh: RunningTestMesh, *arguments: str) -> Any:
    return tartip(mesh.home.path, "templates", *arguments)
