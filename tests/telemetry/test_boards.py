"""The dashboards over the data of both journeys, drawn as pictures to be looked at."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

import pytest
from tartip_testing.mesh import RunningTestMesh
from tartip_testing.prometheus import prometheus

from .board_pictures import Series, drawn
from .catalogue import ROOT
from .conftest import demonstrated

pytestmark = [pytest.mark.mesh, pytest.mark.nightly]

BOARDS = sorted((ROOT / "infra" / "otel" / "grafana").glob("*.json"))
# What no alert, stream or probe has made yet. Each other panel has a value after the journeys.
MAY_BE_EMPTY = {
    "Alerts that fire",
    "Watched streams by state",
    "Damaged evidence",
    "Slowest golden probe",
    "Degraded AI functions",
    "Slowest hundredth of operators' requests",
}
WATCHED_SECONDS = 75.0


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """The folder for the pictures: TARTIP_PICTURES, where somebody wants to look at them."""
    folder = Path(os.environ.get("TARTIP_PICTURES") or tmp_path / "pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def test_every_dashboard_shows_the_journeys(
    mesh: RunningTestMesh,
    pictures: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    mesh.wait_ready()
    data = tmp_path_factory.mktemp("prometheus")
    with prometheus(data, mesh.ports.supervisor) as running:
        end = time.monotonic() + WATCHED_SECONDS
        while time.monotonic() < end:
            await asyncio.to_thread(demonstrated, mesh, {})

        async def asked(expression: str) -> Series:
            shorter = expression.replace("[5m]", "[40s]").replace("[1h]", "[60s]")
            return await running.range(shorter, seconds=WATCHED_SECONDS)

        empty = {}
        for path in BOARDS:
            picture, without = await drawn(json.loads(path.read_text()), asked)
            picture.save(pictures / f"{path.stem}.png")
            empty[path.stem] = set(without) - MAY_BE_EMPTY
    print(f"pictures: {pictures}")
    assert not any(empty.values()), empty
