"""Boxes and polygons on the ground, the cells that cover them, and words and names as compared."""

import math
import random
from itertools import pairwise

import h3.api.basic_int as h3
import pytest
import shapely
from camera_registry.letters import in_order, name_order, words_of
from camera_registry.messages import read_filters
from camera_registry.model.area import Area, Box, Circle, Polygon, distance_metres
from camera_registry.model.cover import RANGES_MAX, cover
from chassis.refusals import BadRequest
from tartip.cameras.v1 import cameras_pb2 as pb

Corners = tuple[tuple[float, float], ...]
SQUARE: Corners = ((43.2, 76.9), (43.3, 76.9), (43.3, 77.0), (43.2, 77.0))
ACROSS: Corners = ((10.0, 179.5), (10.0, -179.5), (11.0, -179.0), (11.0, 179.0))
FROM_EAST: Corners = ((10.0, -179.5), (11.0, -179.0), (11.0, 179.0), (10.0, 179.5))
BOW: Corners = ((43.2, 76.9), (43.3, 77.0), (43.3, 76.9), (43.2, 77.0))
AREAS = [
    Box(43.2, 76.9, 43.3, 77.0),
    Box(43.24, 76.93, 43.24001, 76.93001),
    Box(43.24, 76.93, 43.24, 76.94),
    Box(-1.0, 179.5, 1.0, -179.5),
    Box(43.0, 76.93, 44.0, 76.92),
    Box(89.0, -180.0, 90.0, 180.0),
    Box(-90.0, 10.0, -89.9, 20.0),
    Box(40.0, 46.0, 56.0, 88.0),
    Box(-90.0, -180.0, 90.0, 180.0),
    Polygon(SQUARE),
    Polygon(ACROSS),
    Polygon(FROM_EAST),
    Polygon(((43.24, 76.93), (43.2401, 76.93), (43.2401, 76.9301))),
    Polygon(((40.0, 46.0), (56.0, 60.0), (45.0, 88.0))),
    Circle(89.95, 10.0, 20_000.0),
    Circle(43.0, 179.99, 5_000.0),
]


@pytest.mark.parametrize("area", AREAS, ids=str)
def test_the_cells_of_an_area_hold_every_place_in_it(area: Area) -> None:
    ranges = cover(area, 9)
    assert 0 < len(ranges) < 2 * RANGES_MAX
    assert all(before.last < after.first for before, after in pairwise(ranges))
    draw = random.Random(str(area))
    inside = 0
    for _ in range(3000):
        latitude, longitude = _near(area, draw)
        cell = h3.latlng_to_cell(latitude, longitude, 9)
        covering = [each for each in ranges if each.first <= cell <= each.last]
        if _holds(area, latitude, longitude):
            inside += 1
            assert covering
        else:
            assert not any(each.is_whole for each in covering)
    assert inside > 100


def _near(area: Area, draw: random.Random) -> tuple[float, float]:
    """A place in or near the area, often at its very edge."""
    if isinstance(area, Circle):
        reach = math.degrees(area.radius_metres / 6_371_000) * draw.choice((1.0, 1.001, 1.2))
        bearing = draw.uniform(0, 2 * math.pi)
        north = min(90.0, area.latitude + reach * math.cos(bearing) * draw.random())
        width = reach / max(0.02, math.cos(math.radians(north)))
        return north, _turned(area.longitude + width * math.sin(bearing))
    if isinstance(area, Box):
        south, north, west, width = area.south, area.north, area.west, area.width
    else:
        west, south, east, north = area.shape.bounds
        width = east - west
    margin = draw.choice((0.0, 0.0, 0.01, 0.2))
    latitude = draw.choice((south, north, draw.uniform(south, north))) + draw.uniform(
        -margin, margin
    ) * (north - south)
    longitude = (
        west
        + draw.choice((0.0, width, draw.uniform(0, width)))
        + draw.uniform(-margin, margin) * (width)
    )
    return max(-90.0, min(90.0, latitude)), _turned(longitude)


def _turned(longitude: float) -> float:
    return (longitude + 180) % 360 - 180 if abs(longitude) > 180 else longitude


def _holds(area: Area, latitude: float, longitude: float) -> bool:
    if isinstance(area, Circle):
        metres = distance_metres(area.latitude, area.longitude, latitude, longitude)
        return metres <= area.radius_metres
    if isinstance(area, Box):
        past_west, before_east = longitude >= area.west, longitude <= area.east
        between = past_west and before_east
        if area.east < area.west:
            between = past_west or before_east
        return between and area.south <= latitude <= area.north
    turns = (longitude, longitude + 360)
    return any(shapely.contains_xy(area.shape, each, latitude) for each in turns)


def _refused(**given: object) -> dict[str, str]:
    with pytest.raises(BadRequest) as refused:
        read_filters(pb.ListCamerasRequest(**given))  # type: ignore[arg-type]
    return {error.field: error.code for error in refused.value.fields}


def _ring(points: Corners) -> pb.Polygon:
    return pb.Polygon(points=[pb.Point(latitude=at, longitude=of) for at, of in points])


POLE: Corners = ((80.0, 0.0), (80.0, 120.0), (80.0, -120.0))
OUT: Corners = ((91.0, 76.9), (43.3, math.nan), (43.3, 200.0))


@pytest.mark.parametrize(
    ("points", "wrong"),
    [
        (BOW, {"polygon.points": "POLYGON_CROSSES"}),
        ((*SQUARE[:3], (43.25, 76.9), (43.2, 77.0)), {"polygon.points": "POLYGON_CROSSES"}),
        (SQUARE[:1] * 3, {"polygon.points": "POLYGON_CROSSES"}),
        (SQUARE[:2], {"polygon.points": "BAD_REQUEST"}),
        (SQUARE[:1] * 1001, {"polygon.points": "BAD_REQUEST"}),
        (POLE, {"polygon.points": "BAD_REQUEST"}),
        (
            OUT,
            {
                "polygon.points[0].latitude": "BAD_REQUEST",
                "polygon.points[1].longitude": "BAD_REQUEST",
                "polygon.points[2].longitude": "BAD_REQUEST",
            },
        ),
    ],
)
def test_a_ring_that_is_no_polygon_is_refused_by_name(points: Corners, wrong: object) -> None:
    assert _refused(polygon=_ring(points)) == wrong


def test_a_ring_may_repeat_its_first_point_and_run_in_either_direction() -> None:
    for points in (SQUARE, SQUARE[::-1], (*SQUARE, SQUARE[0]), ACROSS, FROM_EAST):
        assert read_filters(pb.ListCamerasRequest(polygon=_ring(points))).polygon


def test_every_wrong_filter_is_named_at_once() -> None:
    wrong = _refused(
        box=pb.Box(south=2, west=200, north=1, east=math.nan),
        area=pb.Area(latitude=91, radius_metres=0),
        polygon=_ring(BOW),
        owner_bin="100140000004",
        site_category=99,
        text="— …",
        kato_prefix="7",
        order=9,
    )
    assert set(wrong) == {
        *("box.west", "box.north", "box.east", "box", "polygon", "polygon.points"),
        *("area.latitude", "area.radius_metres"),
        *("owner_bin", "site_category", "text", "kato_prefix", "order"),
    }
    assert wrong["polygon.points"] == "POLYGON_CROSSES"
    box = pb.Box(south=1, north=2, west=3, east=4)
    assert set(_refused(order=pb.CAMERA_ORDER_NAME, box=box)) == {"order"}
    assert set(_refused(text="a" * 201)) == {"text"}


def test_names_are_in_the_order_of_the_kazakh_alphabet() -> None:
    right = "1, 7, абай, ағаш, әуезов, еңбек, ёлка, жол, қонаев, нан, ңу, өзен, үлы, һ, іс, я, abai"
    names = right.split(", ")
    assert sorted(reversed(names), key=name_order) == names


def test_words_are_compared_without_case_and_signs() -> None:
    assert words_of("Абай даңғылы, 7", "Школа №7", "абай") == [
        "7",
        "no7",
        "абай",
        "даңғылы",
        "школа",
    ]
    assert in_order("ЁЛКА\u00a0Ёлка-2") == ["елка", "елка", "2"]
    assert in_order("_ — !") == []
