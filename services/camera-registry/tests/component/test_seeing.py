"""Which cameras saw a place at a moment."""

import math
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import grpc
import pytest
from camera_registry.model.area import distance_metres
from camera_registry.model.seeing import Spot
from chassis.clock import from_timestamp
from chassis.grpc_status import from_error
from chassis.identity import Caller, Operator
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2

from .own_register import ADMINISTRATOR, OwnRegister

LATITUDE, LONGITUDE = 43.24, 76.95
METRE_NORTH = 1 / 111_195
METRE_EAST = METRE_NORTH / math.cos(math.radians(LATITUDE))
PLAIN = {"kind": pb.CAMERA_KIND_OVERVIEW, "functions": []}
SPOT = Spot(LATITUDE, LONGITUDE, 100)
ASTANA = Caller(
    "service", "operator-gateway", Operator("one", frozenset({"inspector"}), ("KZ-71",))
)


def standing(north: float, east: float) -> common_pb2.Place:
    """A place so many metres from the spot."""
    return common_pb2.Place(
        latitude=LATITUDE + north * METRE_NORTH,
        longitude=LONGITUDE + east * METRE_EAST,
        region="KZ-75",
    )


def looking(azimuth: float, width: float) -> dict[str, float]:
    return {"azimuth_degrees": azimuth, "field_of_view_degrees": width}


async def seen(
    own: OwnRegister, at: datetime | None = None, spot: Spot = SPOT, caller: Caller = ADMINISTRATOR
) -> dict[UUID, bool]:
    """Who saw the spot, nearest first, and who for certain."""
    found = await own.register.seeing(spot, at, caller=caller)
    return {each.camera.camera_id: each.is_certain for each in found}


@pytest.mark.parametrize(
    ("north", "east", "azimuth", "width", "expected"),
    [
        (-50, 0, 0, 60, True),
        (-50, 0, 29, 60, True),
        (-50, 0, 31, 60, None),
        (-50, 0, 331, 60, True),
        (50, 0, 0, 60, None),
        (50, 0, 180, 60, True),
        (0, -50, 90, 10, True),
        (0, 50, 90, 10, None),
        (0, 50, 90, 360, True),
        (-50, 0, 0, 0, False),
        (50, 0, 0, 0, False),
        (-101, 0, 0, 60, None),
        (-99, 0, 0, 60, True),
        (0, 0, 180, 60, False),
    ],
)
async def test_a_camera_sees_what_its_field_of_view_holds(
    own: OwnRegister,
    north: float,
    east: float,
    azimuth: float,
    width: float,
    expected: bool | None,
) -> None:
    camera = await own.camera(**PLAIN, place=standing(north, east), **looking(azimuth, width))
    assert (await seen(own)).get(camera) == expected


async def test_a_camera_that_moves_by_itself_is_never_certain(own: OwnRegister) -> None:
    given = {"functions": [], "place": standing(-50, 0), **looking(0, 60)}
    body = await own.camera(kind=pb.CAMERA_KIND_BODY, **given)
    drone = await own.camera(kind=pb.CAMERA_KIND_DRONE, **given)
    assert await seen(own) == {body: False, drone: False}


async def test_a_camera_is_found_where_it_stood_and_looked_then(
    own: OwnRegister, scratch: Any
) -> None:
    camera = await own.camera(**PLAIN, place=standing(-50, 0), **looking(0, 60))
    await own.change(camera, **PLAIN, place=standing(-50, 0), **looking(180, 60))
    await own.change(camera, **PLAIN, place=standing(-5000, 0), **looking(0, 60))
    await own.change(camera, **PLAIN, place=standing(0, -50), **looking(90, 60))
    await own.register.retire(camera, reason="", caller=ADMINISTRATOR)
    connection = await asyncpg.connect(scratch.provisioner)
    moments = [
        row["held_from"]
        for row in await connection.fetch(
            "SELECT held_from, version FROM camera_registry.camera_versions WHERE camera_id = $1"
            " UNION SELECT held_from, version FROM camera_registry.cameras WHERE camera_id = $1"
            " ORDER BY version",
            camera,
        )
    ]
    await connection.close()
    instant = timedelta(microseconds=1)
    assert await seen(own, moments[0] - instant) == {}
    assert await seen(own, moments[0]) == {camera: True}
    assert await seen(own, moments[1] - instant) == {camera: True}
    assert await seen(own, moments[1]) == {}
    assert await seen(own, moments[2]) == {}
    assert await seen(own, moments[3]) == {camera: True}
    assert await seen(own, moments[4] - instant) == {camera: True}
    assert await seen(own, moments[4]) == {}
    [sight] = await own.register.seeing(SPOT, moments[0], caller=ADMINISTRATOR)
    assert sight.camera.description.azimuth_degrees == 0
    assert sight.camera.retired_at is not None


async def test_cameras_are_those_within_the_distance_and_the_nearest_come_first(
    own: OwnRegister,
) -> None:
    draw = random.Random(3)
    places = [standing(draw.uniform(-300, 300), draw.uniform(-300, 300)) for _ in range(60)]
    cameras = {await own.camera(**PLAIN, place=place): place for place in places}
    for within in (20.0, 150.0, 500.0):
        distances = {
            camera: distance_metres(place.latitude, place.longitude, LATITUDE, LONGITUDE)
            for camera, place in cameras.items()
        }
        expected = [each for each in cameras if distances[each] <= within]
        found = await seen(own, spot=Spot(LATITUDE, LONGITUDE, within))
        assert list(found) == sorted(expected, key=distances.__getitem__)


async def test_cameras_of_other_regions_are_not_seen(own: OwnRegister) -> None:
    await own.camera(**PLAIN, place=standing(10, 10))
    assert len(await seen(own)) == 1
    assert await seen(own, caller=ASTANA) == {}


async def test_over_grpc_and_with_wrong_fields(
    as_: Callable[..., Any],
    describe: Callable[..., pb.CameraDescription],
    register: Callable[..., Awaitable[pb.Camera]],
) -> None:
    place = common_pb2.Place(latitude=43.3, longitude=76.9, region="KZ-75")
    camera = await register(describe(place=place, **looking(0, 90)))
    inspector = as_("operator-gateway", operator="inspector-almaty")
    request = pb.ListCamerasSeeingRequest(
        latitude=43.3 + 40 * METRE_NORTH, longitude=76.9, at=camera.registered_at
    )
    [sight] = (await inspector.call("ListCamerasSeeing", request)).cameras
    assert sight.camera == camera
    assert sight.is_certain
    assert sight.distance_metres == pytest.approx(40, abs=0.1)
    assert from_timestamp(request.at) == from_timestamp(camera.registered_at)
    wrong = pb.ListCamerasSeeingRequest(latitude=91, longitude=float("nan"), within_metres=501)
    wrong.at.seconds = -5
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await inspector.call("ListCamerasSeeing", wrong)
    fields = {error.field for error in from_error(caught.value).fields}
    assert fields == {"latitude", "longitude", "within_metres", "at"}
