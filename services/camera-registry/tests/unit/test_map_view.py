"""The cells of a map view: all that touch it, of a fitting size, and not too many."""

import random

import h3.api.basic_int as h3
import pytest
from camera_registry.model.map_view import CLUSTERS_MAX, STORED_RESOLUTION, MapView
from camera_registry.storage.tables import CELL_RESOLUTION


@pytest.mark.parametrize("seed", range(20))
def test_every_place_of_a_box_is_in_one_of_its_cells(seed: int) -> None:
    draw = random.Random(seed)
    south, north = sorted(draw.uniform(-85, 85) for _ in range(2))
    west, east = draw.uniform(-180, 180), draw.uniform(-180, 180)
    view = MapView(south, west, north, east, draw.randrange(23))
    assert len(view.cells) <= CLUSTERS_MAX
    width = (east - west) % 360
    for _ in range(100):
        longitude = (west + draw.uniform(0, width) + 180) % 360 - 180
        assert view.cell_of(draw.uniform(south, north), longitude) in view.cells


@pytest.mark.parametrize("zoom", range(6, 23))
def test_every_place_of_a_small_box_is_in_its_cells_and_in_its_ranges(zoom: int) -> None:
    draw = random.Random(zoom)
    size = 20 / 2**zoom
    view = MapView(43.24, 76.94, 43.24 + size, 76.94 + size, zoom)
    stored = STORED_RESOLUTION
    assert stored == CELL_RESOLUTION
    for _ in range(1000):
        place = (draw.uniform(43.24, 43.24 + size), draw.uniform(76.94, 76.94 + size))
        assert view.cell_of(*place) in view.cells
        cell = h3.latlng_to_cell(*place, stored)
        assert any(low <= cell <= high for low, high in view.ranges(stored))


@pytest.mark.parametrize(
    ("zoom", "resolution"), [(0, 0), (4, 1), (8, 4), (12, 7), (15, 9), (18, 11), (22, 12)]
)
def test_a_cell_is_about_sixty_pixels_wide(zoom: int, resolution: int) -> None:
    assert MapView(43.24, 76.94, 43.2401, 76.9401, zoom).resolution == resolution


def test_a_large_box_at_a_deep_zoom_has_larger_cells() -> None:
    view = MapView(40, 46, 56, 88, 22)
    assert view.resolution == 3
    assert 300 < len(view.cells) <= CLUSTERS_MAX


def test_the_ranges_of_a_view_hold_its_cells_and_no_other() -> None:
    view = MapView(43.1, 76.7, 43.4, 77.1, 11)
    ranges = view.ranges(9)
    finer = {each for cell in view.cells for each in h3.cell_to_children(cell, 9)}
    beside = {
        each
        for cell in view.cells
        for near in h3.grid_disk(cell, 2)
        for each in h3.cell_to_children(near, 9)
    } - finer
    assert all(any(low <= each <= high for low, high in ranges) for each in finer)
    assert not any(low <= each <= high for each in beside for low, high in ranges)
