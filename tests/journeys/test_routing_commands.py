"""Routing rules by the command line: from the file that is edited to the version that is active."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tartip_cli.failures import Exit
from tartip_testing.mesh import RunningTestMesh

from .test_commands import tartip

pytestmark = pytest.mark.mesh
RULES = """
default: duty
rules:
  - name: zhetisu-by-night
    categories: [traffic_violation, incident]
    regions: [KZ-33]
    districts: ["331010000"]
    languages: [kk, ru]
    hours: 20-8
    days: working
    desk: order
  - {name: protected, classes: [protected], desk: protection}
"""


@pytest.fixture
def restored(mesh: RunningTestMesh) -> Iterator[None]:
    yield
    _json(mesh, "activate", "0")


def test_rules_go_from_a_file_to_an_active_version(
    mesh: RunningTestMesh, tmp_path: Path, restored: None
) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    assert _json(mesh, "check", str(path)) == {"rules": 2, "right": True}
    version = int(_json(mesh, "draft", str(path), "--note", "Nights.")["version"])
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("default: traffic\nrules: [{name: a, desk: nowhere}]")
    done = _tartip(mesh, "check", str(wrong))
    assert done.returncode == Exit.REFUSED
    assert "default_desk" in done.stderr and "rules[0].desk" in done.stderr
    # What is shown can be drafted again.
    shown = _tartip(mesh, "show", "--version", str(version)).stdout
    path.write_text(shown)
    again = int(_json(mesh, "draft", str(path))["version"])
    assert _rules(mesh, again) == _rules(mesh, version)
    facts = ("category=incident", "region=KZ-33", "at=2026-12-03T22:30")
    tried = _json(mesh, "dry-run", *facts, "kato=331010000", "--version", str(version))
    assert (tried["unit"], tried["rule"]) == ("KZ-33-order", "zhetisu-by-night")
    tried = _tartip(mesh, "dry-run", *facts, "--version", str(version)).stdout
    assert "zhetisu-by-night: not by districts" in tried
    assert f"KZ-33-duty: rule default of version {version}" in tried
    early = _tartip(mesh, "activate", str(version))
    assert (early.returncode, "ROUTING_NOT_REPLAYED" in early.stderr) == (Exit.REFUSED, True)
    assert "would have gone elsewhere" in _tartip(mesh, "replay", str(version)).stdout
    assert _json(mesh, "activate", str(version))["active"]
    listed = {int(one["version"]): one for one in _json(mesh, "versions")["versions"]}
    assert listed[version]["active"] and "active" not in listed[again]
    assert _tartip(mesh, "show").stdout.startswith(f"# version {version}, active\n")


def _rules(mesh: RunningTestMesh, version: int) -> Any:
    return _json(mesh, "show", "--version", str(version))["rules"]


def _tartip(mesh: RunningTestMesh, *arguments: str) -> Any:
    return tartip(mesh.home.path, "routing", *arguments)


def _json(mesh: RunningTestMesh, *arguments: str) -> Any:
    done = _tartip(mesh, *arguments, "--json")
    assert done.returncode == Exit.OK, done.stderr
    return json.loads(done.stdout)
