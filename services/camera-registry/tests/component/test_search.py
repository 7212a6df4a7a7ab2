"""Lists by every filter, page by page, against a filter of the same cameras in memory."""

import math
import random
from dataclasses import replace
from itertools import pairwise, product
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import shapely
from camera_registry.letters import in_order, name_order, words_of
from camera_registry.model.area import EARTH_RADIUS_METRES, Box, Circle, Polygon
from camera_registry.model.camera import Camera
from camera_registry.model.description import AiFunction, CameraKind, SiteCategory
from camera_registry.model.imports import Batch, Row
from camera_registry.model.status import CameraStatus
from camera_registry.storage import in_cells, words
from camera_registry.storage.search import Filters
from camera_registry.storage.tables import name_folded
from camera_registry.usecases.imports import Imports
from chassis.clock import new_id
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2

from .own_register import ADMINISTRATOR, OwnRegister

MANY, PAGE = 240, 19
CENTRE = (43.24, 76.93)
STAR = Polygon(
    (
        (43.23, 76.92),
        (43.24, 76.927),
        (43.25, 76.92),
        (43.245, 76.93),
        (43.25, 76.95),
        (43.23, 76.94),
    )
)
BOXES = (
    Box(43.235, 76.925, 43.245, 76.94),
    Box(43.2401, 76.9301, 43.2402, 76.9302),
    Box(40, 46, 56, 88),
    Box(43, 76.93, 52, 76.92),
)
TEXTS = ("name", "nam", "3 name", "name the 3", "абай", "АБ", "елка", "ёл", "дала үлы", "7", "ж")
MORE_TEXTS = ("absent", "name absent", "n n", "street 4")
OWNERS = ("100140000003", "000140000018")
NAMES = ("Қонаев", "Үлы дала", "Әуезов", "Абай", "абай 7", "Ёлка", "Елка", "7 көше", "Dostyk")


async def test_every_filter_finds_what_a_filter_of_all_cameras_finds(
    own: OwnRegister,
) -> None:
    known = await _registered(own)
    circles = [Circle(*CENTRE, metres) for metres in (300.0, 1_500.0, 40_000.0)]
    wanted = [
        Filters(),
        Filters(region="KZ-75"),
        Filters(region="KZ-10"),
        *(Filters(kind=kind) for kind in CameraKind),
        *(Filters(function=function) for function in AiFunction),
        *(Filters(status=status) for status in CameraStatus),
        *(Filters(circle=circle) for circle in circles),
        Filters(with_retired=True),
        Filters(kind=CameraKind.ANPR, function=AiFunction.CROWD, status=CameraStatus.ONLINE),
        Filters(circle=circles[2], function=AiFunction.PLATE, kind=CameraKind.OVERVIEW),
        Filters(circle=circles[2], with_retired=True),
        Filters(region="KZ-71", function=AiFunction.PLATE),
        Filters(serial_or_name="  THE Name 3 "),
        Filters(serial_or_name=known[5].description.serial.lower()),
        Filters(serial_or_name="nobody"),
        Filters(circle=circles[2], serial_or_name="the name 3"),
        Filters(region="KZ-75", serial_or_name="the name 3", function=AiFunction.PLATE),
        Filters(function=AiFunction.PLATE, with_retired=True),
        Filters(function=AiFunction.PLATE, status=CameraStatus.RETIRED),
        *(Filters(box=box) for box in BOXES),
        Filters(polygon=STAR),
        Filters(polygon=STAR, kind=CameraKind.ANPR, function=AiFunction.PLATE),
        Filters(box=BOXES[0], text="name", with_retired=True),
        Filters(polygon=STAR, text="name 7"),
        *(Filters(owner_bin=owner) for owner in OWNERS),
        Filters(owner_bin=OWNERS[0], kind=CameraKind.DRONE, function=AiFunction.ZONE),
        *(Filters(site_category=category) for category in SiteCategory),
        Filters(site_category=SiteCategory.STRATEGIC, owner_bin=OWNERS[1], region="KZ-71"),
        *(Filters(kato_prefix=prefix) for prefix in ("75", "751", "7513", "751310000", "71", "10")),
        Filters(kato_prefix="75", kind=CameraKind.ANPR, with_retired=True),
        Filters(circle=circles[1], kato_prefix="7513"),
        Filters(kato_prefix="751", text="name"),
        *(Filters(text=text) for text in (*TEXTS, *MORE_TEXTS)),
        Filters(text="name", with_retired=True),
        Filters(text="name 1", kind=CameraKind.ANPR, function=AiFunction.PLATE),
        Filters(text="ҚОНАЕВ", region="KZ-75"),
        Filters(by_name=True),
        Filters(by_name=True, with_retired=True, kind=CameraKind.ANPR),
        Filters(by_name=True, region="KZ-71", function=AiFunction.PLATE),
        Filters(by_name=True, text="name"),
        Filters(by_name=True, text="абай", kato_prefix="75"),
        Filters(by_name=True, serial_or_name="the name 3"),
    ]
    for filters in wanted:
        found = await _all_pages(own, filters)
        expected = {each.camera_id for each in known if _matches(each, filters)}
        assert len(found) == len(expected), filters
        assert {each.camera_id for each in found} == expected, filters
        keys = [_sort_key(each, filters) for each in found]
        assert all(before < after for before, after in pairwise(keys)), filters


async def test_words_are_found_however_many_cameras_have_them(
    own: OwnRegister, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = await _registered(own)
    area = Circle(*CENTRE, 1_500.0)
    for few, endings, probed in ((0, 100, 3), (3, 0, 1)):
        for name, value in (("FEW", few), ("ENDINGS_MAX", endings), ("PROBED", probed)):
            monkeypatch.setattr(words, name, value)
        for text, filters in product(
            ("nam", "3 name", "абай", "7", "дала үлы"),
            (
                Filters(),
                Filters(by_name=True, with_retired=True),
                Filters(circle=area),
                Filters(kato_prefix="751", kind=CameraKind.ANPR),
            ),
        ):
            asked = replace(filters, text=text)
            found = {each.camera_id for each in await _all_pages(own, asked)}
            assert found == {each.camera_id for each in known if _matches(each, asked)}, asked


async def test_names_are_in_the_order_of_the_kazakh_alphabet(own: OwnRegister) -> None:
    await _registered(own)
    found = await _all_pages(own, Filters(by_name=True))
    names = list(dict.fromkeys(each.description.name for each in found))
    in_cyrillic = [name for name in names if name_order(name_folded(name))[0] >= "\u0400"]
    assert in_cyrillic[: len(NAMES) - 2] == [
        *("Абай", "абай 7", "Әуезов", "Елка", "Ёлка", "Қонаев", "Үлы дала")
    ]
    assert names[0] == "7 көше" and names[len(NAMES) - 1].startswith("Dostyk")


async def test_the_nearest_cameras_are_the_nearest_of_all(
    own: OwnRegister, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [each for each in await _registered(own) if each.retired_at is None]
    for count, filters in (
        (1, Filters()),
        (7, Filters()),
        (50, Filters()),
        (50, Filters(kind=CameraKind.ANPR, function=AiFunction.PLATE)),
        (3, Filters(kind=CameraKind.BODY)),
        (3, Filters(kind=CameraKind.ANPR)),
    ):
        monkeypatch.setattr(in_cells, "FEW", 400 if count == 3 else 0)
        for point in (CENTRE, (43.3, 77.0), (48.0, 72.0), (-43.0, -104.0), (90.0, 0.0)):
            circle = Circle(*point, 0.0)
            matching = [each for each in known if _matches(each, filters)]
            expected = sorted(matching, key=lambda each: (_metres(circle, each), each.camera_id))
            found = await own.register.nearest(circle, filters, size=count, caller=ADMINISTRATOR)
            assert [camera.camera_id for camera, _ in found] == [
                each.camera_id for each in expected[:count]
            ]
            for camera, metres in found:
                assert math.isclose(metres, _metres(circle, camera), rel_tol=1e-6, abs_tol=0.5)


async def test_words_follow_a_change_and_a_move_to_another_region(
    own: OwnRegister, scratch: Any
) -> None:
    camera_id = await own.camera(name="Ескі атау", site="Вокзал")
    await own.change(
        camera_id,
        name="Жаңа атау",
        place=common_pb2.Place(latitude=51.17, longitude=71.45, region="KZ-71", address="Мост 4"),
    )
    await own.beat(camera_id)
    connection = await asyncpg.connect(scratch.provisioner)
    await connection.execute("SET search_path = camera_registry")
    kept = await connection.fetch("SELECT region, word FROM camera_words")
    await connection.close()
    assert sorted(map(tuple, kept)) == [("KZ-71", word) for word in ("4", "атау", "жаңа", "мост")]


async def test_functions_have_a_row_for_each_camera_in_service(
    own: OwnRegister, scratch: Any
) -> None:
    known = await _registered(own)
    await own.change(known[3].camera_id, functions=[pb.AI_FUNCTION_ZONE])
    await own.register.retire(known[4].camera_id, reason="", caller=ADMINISTRATOR)
    connection = await asyncpg.connect(scratch.provisioner)
    await connection.execute("SET search_path = camera_registry")
    kept = await connection.fetch("SELECT camera_id, function, region FROM camera_functions")
    expected = await connection.fetch(
        "SELECT camera_id, unnest(functions) AS function, region FROM cameras"
        " WHERE retired_at IS NULL"
    )
    await connection.close()
    assert set(map(tuple, kept)) == set(map(tuple, expected))
    assert len(kept) == len(expected) > MANY / 2


async def _registered(own: OwnRegister) -> list[Camera]:
    """Many cameras around two places, some of them online, retired or without functions."""
    draw = random.Random(4)
    rows = []
    for number in range(1, MANY + 1):
        region, latitude, longitude = draw.choice((("KZ-75", *CENTRE), ("KZ-71", 51.17, 71.45)))
        place = common_pb2.Place(
            latitude=latitude + draw.gauss(0, 0.01),
            longitude=longitude + draw.gauss(0, 0.01),
            region=region,
        )
        if draw.random() < 0.7:
            place.kato = (
                draw.choice(("751310000", "751410000")) if region == "KZ-75" else "711110000"
            )
        category = draw.choice((0, 0, pb.SITE_CATEGORY_STRATEGIC, pb.SITE_CATEGORY_MASS_GATHERING))
        description = own.description(
            name=f"The name {number % 20}" if number % 4 else NAMES[number // 4 % len(NAMES)],
            place=place,
            owner_bin=draw.choice(OWNERS),
            site="Site of street 4" if category else "",
            site_category=category,
            kind=draw.choice((pb.CAMERA_KIND_OVERVIEW, pb.CAMERA_KIND_ANPR, pb.CAMERA_KIND_DRONE)),
            functions=draw.sample(
                (pb.AI_FUNCTION_PLATE, pb.AI_FUNCTION_CROWD, pb.AI_FUNCTION_ZONE), draw.randrange(4)
            ),
        )
        rows.append(Row(number, None, description))
    outcome = await Imports(own.db).take(Batch(new_id(), 1, tuple(rows), b""), ADMINISTRATOR)
    assert outcome.added == MANY
    known = await _all_pages(own, Filters())
    for hub in own.hubs.values():
        await own.report(hub, {each.camera_id: 1 + n % 4 for n, each in enumerate(known[::3])})
    for each in known[::10]:
        await own.register.retire(each.camera_id, reason="", caller=ADMINISTRATOR)
    return await _all_pages(own, Filters(with_retired=True))


async def _all_pages(own: OwnRegister, filters: Filters) -> list[Camera]:
    found: list[Camera] = []
    seen: set[UUID] = set()
    while True:
        after = filters.place_of(found[-1]) if found else None
        page = await own.register.page(filters, after=after, size=PAGE, caller=ADMINISTRATOR)
        assert not seen & {each.camera_id for each in page}
        seen |= {each.camera_id for each in page}
        found += page
        if len(page) < PAGE:
            return found


def _matches(camera: Camera, filters: Filters) -> bool:
    given = camera.description
    retired = camera.retired_at is not None
    called = " ".join(filters.serial_or_name.casefold().split())
    circle = filters.circle
    return (
        (not retired or filters.with_retired or filters.status is CameraStatus.RETIRED)
        and filters.region in ("", given.place.region)
        and filters.kind in (None, given.kind)
        and filters.status in (None, camera.status)
        and (filters.function is None or filters.function in given.functions)
        and called in ("", given.name.casefold(), given.serial.casefold())
        and (circle is None or _metres(circle, camera) <= circle.radius_metres)
        and filters.owner_bin in ("", given.owner_bin)
        and filters.site_category in (None, given.site_category)
        and given.place.kato.startswith(filters.kato_prefix)
        and _is_in(filters, *given.place.point)
        and _has_words(
            in_order(filters.text), words_of(given.name, given.site, given.place.address)
        )
    )


def _is_in(filters: Filters, latitude: float, longitude: float) -> bool:
    if (box := filters.box) is not None:
        is_past, is_before = longitude >= box.west, longitude <= box.east
        crosses = box.west > box.east
        between = (is_past or is_before) if crosses else (is_past and is_before)
        return between and box.south <= latitude <= box.north
    if filters.polygon is not None:
        return bool(shapely.contains_xy(filters.polygon.shape, longitude, latitude))
    return True


def _has_words(wanted: list[str], words: list[str]) -> bool:
    if not wanted:
        return True
    begins = any(word.startswith(wanted[-1]) for word in words)
    return begins and all(word in words for word in wanted[:-1])


def _sort_key(camera: Camera, filters: Filters) -> tuple[Any, ...]:
    place = filters.place_of(camera)
    return (place.cell if filters.area else place.text, place.camera_id)


def _metres(circle: Circle, camera: Camera) -> float:
    """By the law of cosines, unlike the register's haversine."""
    latitude, longitude = map(math.radians, camera.description.place.point)
    of_centre, west = math.radians(circle.latitude), math.radians(circle.longitude)
    cosine = math.sin(latitude) * math.sin(of_centre) + math.cos(latitude) * math.cos(
        of_centre
    ) * math.cos(longitude - west)
    return EARTH_RADIUS_METRES * math.acos(min(1.0, cosine))
