"""Places get the region whose polygon they lie in, the nearest one beside it, or none abroad."""

import csv
import math
import os
import random
from pathlib import Path

import pytest
import shapely
from law.regions import REGIONS
from law.regions.borders import Borders, borders, read_polygons, region_of

A_KM = 1 / 111.195  # of latitude, in degrees
HERE = {
    "Korday": (43.0378, 74.7106, "KZ-31"),
    "Saryagash": (41.4550, 69.1650, "KZ-61"),
    "Lenger": (42.1793, 69.8837, "KZ-61"),
    "Karazhal": (48.0106, 70.7925, "KZ-62"),
    "Kosshy": (50.9800, 71.3200, "KZ-11"),
    "Zhanatas": (43.5556, 69.7389, "KZ-31"),
    "Astana": (51.1694, 71.4491, "KZ-71"),
    "Almaty": (43.2389, 76.8897, "KZ-75"),
    "Shymkent": (42.3417, 69.5901, "KZ-79"),
    "Kokshetau": (53.2833, 69.3833, "KZ-11"),
    "Aktobe": (50.2839, 57.1670, "KZ-15"),
    "Qonaev": (43.8667, 77.0667, "KZ-19"),
    "Atyrau": (47.1067, 51.9213, "KZ-23"),
    "Oral": (51.2333, 51.3667, "KZ-27"),
    "Taraz": (42.9000, 71.3667, "KZ-31"),
    "Karaganda": (49.8020, 73.0879, "KZ-35"),
    "Kostanay": (53.2144, 63.6246, "KZ-39"),
    "Kyzylorda": (44.8488, 65.4823, "KZ-43"),
    "Aktau": (43.6500, 51.1700, "KZ-47"),
    "Turkistan": (43.3000, 68.2500, "KZ-61"),
    "Pavlodar": (52.2873, 76.9674, "KZ-55"),
    "Petropavl": (54.8753, 69.1639, "KZ-59"),
    "Oskemen": (49.9500, 82.6200, "KZ-63"),
    "Semey": (50.4100, 80.2300, "KZ-10"),
    "Taldykorgan": (45.0156, 78.3739, "KZ-33"),
    "Zhezkazgan": (47.8000, 67.7100, "KZ-62"),
    "Baikonur": (45.6200, 63.3100, "KZ-43"),
}
ABROAD = {
    "Tashkent": (41.2995, 69.2401),
    "Bishkek": (42.8746, 74.5698),
    "Omsk": (54.9885, 73.3242),
    "the open Caspian": (44.5, 50.0),
    "Frankfurt": (50.11, 8.68),
    "the gulf of Guinea": (0.1, 0.1),
    "the pole": (90.0, 0.0),
    "the end of the map": (0.0, 180.0),
}
# As the towns' file names them, where that is not as the law does.
REGIONS_OF_FILE = {"Жетысуская область": "KZ-33", "Улытауская область": "KZ-62"}


@pytest.mark.parametrize("town", HERE)
def test_a_town_lies_in_its_region(town: str) -> None:
    latitude, longitude, code = HERE[town]
    assert region_of(latitude, longitude) is REGIONS[code]


@pytest.mark.parametrize("place", ABROAD)
def test_what_lies_abroad_has_no_region(place: str) -> None:
    assert region_of(*ABROAD[place]) is None


@pytest.mark.parametrize(
    "place", [(math.nan, 76.9), (43.2, math.nan), (91.0, 76.9), (43.2, 181.0), (math.inf, 0.0)]
)
def test_what_is_no_place_on_earth_has_no_region(place: tuple[float, float]) -> None:
    assert region_of(*place) is None


@pytest.mark.photographs
def test_every_town_of_the_file_gets_its_region() -> None:
    file = Path(os.environ["TARTIP_PHOTOGRAPHS"]) / "geo" / "kz_cities_2022_regions.csv"
    by_name = {region.ru: region.code for region in REGIONS.values()} | REGIONS_OF_FILE
    with file.open(encoding="utf-8", newline="") as rows:
        towns = list(csv.DictReader(rows))
    assert len(towns) >= 25
    for town in towns:
        found = region_of(float(town["lat"]), float(town["lon"]))
        assert found, town
        assert found.code == by_name[town["region_ru"].removeprefix("г. ")], town


def two_squares(gap_km: float) -> Borders:
    """A degree wide each, one to the north of the other; all other regions lie elsewhere."""
    polygons = {code: shapely.box(55 + at, 47, 55.5 + at, 47.5) for at, code in enumerate(REGIONS)}
    polygons["KZ-31"] = shapely.box(70, 42, 71, 43)
    polygons["KZ-35"] = shapely.box(70, 43 + gap_km * A_KM, 71, 44)
    return Borders(polygons)


@pytest.mark.parametrize("km", [-1.0, 0.0, 1.0, 4.98])
def test_up_to_five_kilometres_outside_a_place_is_the_nearest_regions(km: float) -> None:
    squares, an_eastern_km = two_squares(100), A_KM / math.cos(math.radians(42.5))
    assert squares.region_of(42 - km * A_KM, 70.5) is REGIONS["KZ-31"]
    assert squares.region_of(42.5, 71 + km * an_eastern_km) is REGIONS["KZ-31"]


@pytest.mark.parametrize("km", [5.02, 7.0, 30.0])
def test_farther_outside_it_lies_abroad(km: float) -> None:
    squares, an_eastern_km = two_squares(100), A_KM / math.cos(math.radians(42.5))
    assert squares.region_of(42 - km * A_KM, 70.5) is None
    assert squares.region_of(42.5, 71 + km * an_eastern_km) is None


def test_between_two_regions_the_nearer_one_has_the_place() -> None:
    squares = two_squares(6)
    assert squares.region_of(43 + 2.9 * A_KM, 70.5) is REGIONS["KZ-31"]
    assert squares.region_of(43 + 3.1 * A_KM, 70.5) is REGIONS["KZ-35"]


def test_cells_answer_as_the_full_polygons_do() -> None:
    """Wherever a place lies in a polygon, however the index was filled before."""
    rng, polygons = random.Random(8), read_polygons()
    tree, codes = shapely.STRtree(list(polygons.values())), list(polygons)
    for _ in range(1000):
        latitude, longitude = rng.uniform(40.5, 55.5), rng.uniform(46.4, 87.4)
        point = shapely.Point(longitude, latitude)
        expected = sorted(tree.query(point, predicate="intersects"))
        found = region_of(latitude, longitude)
        if expected:
            assert found is REGIONS[codes[expected[0]]], (latitude, longitude)
        else:
            assert found is None or tree.query(point, predicate="dwithin", distance=0.1).size


def test_where_a_city_and_the_region_around_it_overlap_the_place_is_the_citys() -> None:
    polygons = read_polygons()
    for city, around in (("KZ-71", "KZ-11"), ("KZ-75", "KZ-19")):
        both = shapely.intersection(polygons[city], polygons[around])
        place = max(shapely.get_parts(both), key=shapely.area).representative_point()
        assert region_of(place.y, place.x) is REGIONS[city]


def test_the_nearest_region_to_a_place_far_abroad_is_on_that_side_of_the_country() -> None:
    assert borders().nearest_to(50.11, 8.68) is REGIONS["KZ-27"]
    assert borders().nearest_to(41.2995, 69.2401) is REGIONS["KZ-61"]
    assert borders().nearest_to(54.9885, 73.3242) is REGIONS["KZ-59"]
