"""Nothing depends on the year in which it is run: rules, services and the whole mesh, on a day of
which the law has not told yet and on one that most years do not have.

Each runs in a process of its own: unit tests travel inside it (`pytest --today`), services and
their tests live by a moved clock (TARTIP_CLOCK_OFFSET). The long forms are for `make nightly`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from chassis.clock import real_clock
from law.zone import almaty_day
from tartip_cli.parts.postgres import erase_cluster
from tartip_cli.settings import inherited_environment
from tartip_testing.mesh import RunningTestMesh, start_mesh

ROOT = Path(__file__).resolve().parents[2]
DAYS = (date(2027, 1, 15), date(2028, 2, 29))
LAWFUL = ("fines", "violations", "citizen-reports")
UNIT = ("libs/law/tests/unit", *(f"services/{name}/tests/unit" for name in LAWFUL))
COMPONENT = tuple(f"services/{name}/tests/component" for name in LAWFUL)
DEMO_STEPS = 20


def pytest_of(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )


def offset_to(day: date) -> timedelta:
    return day - almaty_day(real_clock())


@pytest.mark.nightly
@pytest.mark.parametrize("day", DAYS, ids=str)
def test_the_rules_hold_on_another_day(day: date) -> None:
    done = pytest_of(f"--today={day}", *UNIT, TARTIP_CLOCK_OFFSET="0")
    assert done.returncode == 0, done.stdout[-5000:]


@pytest.mark.nightly
@pytest.mark.parametrize("day", DAYS, ids=str)
def test_the_services_of_the_law_work_on_another_day(day: date) -> None:
    seconds = offset_to(day).total_seconds()
    done = pytest_of(*COMPONENT, TARTIP_CLOCK_OFFSET=str(seconds))
    assert done.returncode == 0, done.stdout[-5000:]


@pytest.fixture
def mesh_of_another_day(
    tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[RunningTestMesh]:
    running = start_mesh(tmp_path, moved_by=offset_to(request.param))
    try:
        running.wait_ready()
        yield running
    finally:
        running.stop()
        erase_cluster(running.home)


@pytest.mark.mesh
@pytest.mark.nightly
@pytest.mark.parametrize("mesh_of_another_day", DAYS, indirect=True, ids=str)
def test_the_mesh_tells_both_journeys_on_another_day(mesh_of_another_day: RunningTestMesh) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tartip_cli", "demo", "--json"],
        env={**inherited_environment(), "TARTIP_HOME": str(mesh_of_another_day.home.path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["steps"]) == DEMO_STEPS
