"""A hub by the command line: registered with a key, reporting on its camera, silent, revoked."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from chassis.clock import new_id
from tartip_cli.clients.hub_reports import ReportingHub, read_private_key
from tartip_cli.failures import Exit
from tartip_testing.mesh import RunningTestMesh

from .test_commands import tartip

pytestmark = pytest.mark.mesh


def test_a_hub_is_added_and_brings_its_cameras_online(
    mesh: RunningTestMesh, tmp_path: Path
) -> None:
    key = tmp_path / "hub.pem"
    hub = _json(mesh, "hubs", "add", "Centre", "--region", "KZ-75", "--new-key", str(key))
    assert ReportingHub(key=read_private_key(key)).public_key
    again = tartip(
        mesh.home.path, "hubs", "add", "Centre", "--region", "KZ-75", "--new-key", str(key)
    )
    assert again.returncode == Exit.USAGE and "exists" in again.stderr
    name = f"Of a hub {new_id()}"
    path = tmp_path / "cameras.csv"
    head = "name,latitude,longitude,kind,serial,owner_bin,connected,hub_id"
    row = f"{name},43.24,76.95,overview,{new_id()},100140000003,yes,{hub['hub_id']}"
    path.write_text(f"{head}\n{row}\n")
    assert _json(mesh, "cameras", "import", str(path))["added"] == 1
    until = time.monotonic() + 60
    while "heard_at" not in _listed(mesh, hub["hub_id"]):
        assert time.monotonic() < until
        done = tartip(mesh.home.path, "hubs", "report", hub["hub_id"], "--key", str(key))
        assert done.returncode == Exit.OK, done.stderr
        assert "reported on 1 cameras" in done.stdout
    revoked = _json(mesh, "hubs", "revoke", hub["hub_id"], "--reason", "a trial")
    assert revoked["revoked_at"]
    shown = tartip(mesh.home.path, "hubs", "list")
    assert hub["hub_id"] in shown.stdout
    assert "Centre" in shown.stdout and "revoked" in shown.stdout


def test_what_is_no_key_or_no_hub_is_named(mesh: RunningTestMesh, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no key")
    for arguments, code, text in (
        (("add", "X", "--region", "KZ-75", "--public-key", str(wrong)), Exit.USAGE, "no PEM file"),
        (("add", "X", "--region", "KZ-75"), Exit.USAGE, "either"),
        (("revoke", str(new_id()), "--reason", "x"), Exit.REFUSED, "HUB_NOT_FOUND"),
        (("report", "no id", "--key", str(wrong)), Exit.USAGE, "no id"),
    ):
        done = tartip(mesh.home.path, "hubs", *arguments)
        assert (done.returncode, text in done.stderr) == (code, True), done.stderr


def _json(mesh: RunningTestMesh, *arguments: str) -> Any:
    done = tartip(mesh.home.path, *arguments, "--json")
    assert done.returncode == Exit.OK, done.stderr
    return json.loads(done.stdout)


def _listed(mesh: RunningTestMesh, hub_id: str) -> Any:
    [found] = [hub for hub in _json(mesh, "hubs", "list")["hubs"] if hub["hub_id"] == hub_id]
    return found
