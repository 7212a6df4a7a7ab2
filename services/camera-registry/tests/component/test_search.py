"""Lists by every filter, page by page, against a filter of the same cameras in memory."""

import math
import random
from itertools import pairwise
from typing import Any
from uuid import UUID

import asyncpg
from camera_registry.model.area import EARTH_RADIUS_METRES, Circle
from camera_registry.model.camera import Camera
from camera_registry.model.description import AiFunction, CameraKind
from camera_registry.model.imports import Batch, Row
from camera_registry.model.status import CameraStatus
from camera_registry.storage.search import Filters, place_of
from camera_registry.usecases.imports import Imports
from chassis.clock import new_id
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2

from .own_register import ADMINISTRATOR, OwnRegister

MANY = 240
CENTRE = (43.24, 76.93)


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
    ]
    for filters in wanted:
        found = await _all_pages(own, filters)
        expected = {each.camera_id for each in known if _matches(each, filters)}
        assert len(found) == len(expected), filters
        assert {each.camera_id for each in found} == expected, filters
        if not filters.is_by_cell:
            assert all(before.camera_id < after.camera_id for before, after in pairwise(found))


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
        description = own.description(
            name=f"The name {number % 20}",
            place=place,
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
        after = place_of(found[-1]) if found else None
        page = await own.register.page(filters, after=after, size=7, caller=ADMINISTRATOR)
        assert not seen & {each.camera_id for each in page}
        seen |= {each.camera_id for each in page}
        found += page
        if len(page) < 7:
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
    )


def _metres(circle: Circle, camera: Camera) -> float:
    """By the law of cosines, unlike the register's haversine."""
    latitude, longitude = map(math.radians, camera.description.place.point)
    of_centre, west = math.radians(circle.latitude), math.radians(circle.longitude)
    cosine = math.sin(latitude) * math.sin(of_centre) + math.cos(latitude) * math.cos(
        of_centre
    ) * math.cos(longitude - west)
    return EARTH_RADIUS_METRES * math.acos(min(1.0, cosine))
