"""Cameras that an import has added are on the map, over the whole mesh: in a vector tile, in the
list of the console, and each with its card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from chassis.clock import new_id
from tartip.tiles.v1.tiles_pb2 import VectorTile
from tartip_cli.failures import Exit
from tartip_testing.mesh import RunningTestMesh

from .test_commands import tartip

try:
    from playwright.async_api import async_playwright, expect
except ImportError:
    async_playwright = expect = None  # type: ignore[assignment]

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.mesh
PATIENCE_MS = 30_000
# In the street of this tile.
TILE = "17/93530/48043"
PLACES = ((43.2389, 76.8897), (43.2392, 76.8901))


def imported(mesh: RunningTestMesh, folder: Path, name: str) -> None:
    path = folder / "cameras.csv"
    rows = [
        f"{name} {number},{latitude},{longitude},overview,{new_id()},100140000003"
        for number, (latitude, longitude) in enumerate(PLACES)
    ]
    path.write_text("\n".join(["name,latitude,longitude,kind,serial,owner_bin", *rows, ""]))
    done = tartip(mesh.home.path, "cameras", "import", str(path), "--json")
    assert done.returncode == Exit.OK, done.stderr
    assert json.loads(done.stdout)["added"] == len(PLACES)


def test_imported_cameras_are_in_their_vector_tile_under_the_operators_own_region(
    mesh: RunningTestMesh, tmp_path: Path
) -> None:
    imported(mesh, tmp_path, f"Tile {new_id()}")
    url = f"{mesh.gateway_url}/v1/cameras/tiles/{TILE}.mvt"
    with httpx.Client(trust_env=False, timeout=20) as client:
        own, other = (
            client.get(url, headers={"Authorization": f"Bearer {mesh.token(operator)}"})
            for operator in ("inspector-almaty", "inspector-astana")
        )
    [layer] = VectorTile.FromString(own.content).layers
    assert layer.name == "cameras" and len(layer.features) >= len(PLACES)
    assert {"id", "kind", "status"} <= set(layer.keys)
    assert other.status_code == 204, "rows of another region are invisible"


@pytest.mark.skipif(CHROMIUM is None, reason="left out: no chromium")
@pytest.mark.skipif(async_playwright is None, reason="left out: no playwright")
async def test_an_imported_camera_is_found_opened_and_shown_on_the_map(
    mesh: RunningTestMesh, tmp_path: Path
) -> None:
    name = f"Page {new_id()}"
    imported(mesh, tmp_path, name)
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page(locale="ru-RU", viewport={"width": 1280, "height": 900})
        await page.goto(f"{mesh.gateway_url}/#cameras")
        await page.select_option("#operator", "inspector-almaty")
        await page.keyboard.press("Enter")
        await expect(page.locator(".map .pin").first).to_be_visible(timeout=PATIENCE_MS)
        await opened(page, name)
        await browser.close()


async def opened(page: Any, name: str) -> None:
    await page.fill("input[type=search]", name.split()[1])
    await expect(page.locator(".row")).to_have_count(2, timeout=PATIENCE_MS)
    await page.locator(".row").first.click()
    await expect(page.locator(".case[data-state=shown]")).to_contain_text(name)
    await expect(page.locator(".case")).to_contain_text("Неизвестно")
    await expect(page.locator(".versions")).to_contain_text("зарегистрирована")
    await page.get_by_role("button", name="Показать на карте").click()
    await expect(page.locator(".pin.chosen")).to_have_count(1, timeout=PATIENCE_MS)
