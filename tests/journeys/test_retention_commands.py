"""`tartip retention`: what is erased when, and holds, by the command line."""

from __future__ import annotations

import json

import pytest
from chassis.clock import new_id
from tartip_cli.failures import Exit
from tartip_testing.mesh import RunningTestMesh

from .test_commands import tartip

pytestmark = pytest.mark.mesh


def test_a_dry_run_shows_the_table_of_terms_and_what_is_planned(mesh: RunningTestMesh) -> None:
    done = tartip(mesh.home.path, "retention", "--until", "2040-01-01", "--json")
    assert done.returncode == Exit.OK, done.stderr
    told = json.loads(done.stdout)
    assert {"report_class": "sealed", "part": "text", "days": 1825, "source": "assumed"} in told[
        "terms"
    ]
    assert set(told) >= {"table_version", "terms"}
    assert tartip(mesh.home.path, "retention").returncode == Exit.OK


def test_a_hold_that_cannot_be_placed_is_refused_by_name(mesh: RunningTestMesh) -> None:
    hold = ("retention", "hold", "KZ75-2026-0000000", "--reason", "court")
    done = tartip(mesh.home.path, *hold, "--until", "2040-01-01")
    assert (done.returncode, "REPORT_NOT_FOUND" in done.stderr) == (Exit.REFUSED, True)
    assert tartip(mesh.home.path, *hold).returncode == Exit.USAGE
    done = tartip(mesh.home.path, "retention", "lift", str(new_id()))
    assert (done.returncode, "HOLD_NOT_FOUND" in done.stderr) == (Exit.REFUSED, True)
