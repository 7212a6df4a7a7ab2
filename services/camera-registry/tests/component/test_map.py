"""Clusters of the map equal a count of the cameras in memory, at each zoom and with each filter."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from camera_registry.model.camera import Camera
from camera_registry.model.description import AiFunction, CameraKind
from camera_registry.model.map_view import MapView
from camera_registry.model.status import CameraStatus
from camera_registry.storage.cell_counts import MapFilters
from camera_registry.usecases.tally import Tally
from chassis.grpc_status import from_error
from chassis.identity import Caller, Operator
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2

from .own_register import ADMINISTRATOR, OwnRegister

COUNTRY = MapView(40.0, 46.0, 56.0, 88.0, 4)
CITY = MapView(43.1, 76.7, 43.4, 77.1, 12)
VIEWS = (
    COUNTRY,
    MapView(-90.0, -180.0, 90.0, 180.0, 0),
    MapView(40.0, 60.0, 60.0, 50.0, 3),  # around the world, across the antimeridian
    MapView(42.0, 75.0, 52.0, 78.0, 7),
    *(MapView(43.1, 76.7, 43.4, 77.1, zoom) for zoom in (6, 9, 11, 13, 15, 22)),
    *(MapView(43.24, 76.94, 43.245, 76.95, zoom) for zoom in (14, 15, 16, 18, 22)),
    MapView(43.24, 76.95, 43.24, 76.95, 22),
)
FILTERS = (
    MapFilters(),
    MapFilters(kind=CameraKind.ANPR),
    MapFilters(function=AiFunction.PLATE),
    MapFilters(kind=CameraKind.OVERVIEW, function=AiFunction.CROWD),
    MapFilters(status=CameraStatus.ONLINE),
    MapFilters(status=CameraStatus.UNKNOWN, kind=CameraKind.ANPR),
)
ASTANA = Caller(
    "service", "operator-gateway", Operator("one", frozenset({"inspector"}), ("KZ-71",))
)
Counted = dict[int, tuple[Counter[CameraStatus], UUID | None]]


async def clusters(
    own: OwnRegister, view: MapView, filters: MapFilters, caller: Caller = ADMINISTRATOR
) -> Counted:
    """By the cell of the mean place."""
    found = await own.register.clusters(view, filters, caller=caller)
    return {
        view.cell_of(each.latitude, each.longitude): (
            each.by_status,
            each.camera_id,
        )
        for each in found
    }


def expected(
    cameras: list[Camera], view: MapView, filters: MapFilters, regions: tuple[str, ...]
) -> Counted:
    """What a count in memory finds."""
    ids: dict[int, list[UUID]] = {}
    counted: dict[int, Counter[CameraStatus]] = {}
    for camera in cameras:
        given = camera.description
        cell = view.cell_of(*given.place.point)
        if (
            cell in view.cells
            and camera.retired_at is None
            and given.place.region in regions
            and filters.kind in (None, given.kind)
            and (filters.function is None or filters.function in given.functions)
            and filters.status in (None, camera.status)
        ):
            ids.setdefault(cell, []).append(camera.camera_id)
            counted.setdefault(cell, Counter())[camera.status] += 1
    return {
        cell: (counted[cell], of_cell[0] if len(of_cell) == 1 else None)
        for cell, of_cell in ids.items()
    }


def given(draw: random.Random) -> dict[str, Any]:
    """Few places, near or far: the mean of several in a cell lies in that cell too."""
    region, latitude, longitude = draw.choice(
        (("KZ-75", 43.24, 76.95), ("KZ-75", 43.2431, 76.9467), ("KZ-71", 51.17, 71.45))
    )
    functions = draw.sample((pb.AI_FUNCTION_PLATE, pb.AI_FUNCTION_CROWD), draw.randrange(3))
    return {
        "place": common_pb2.Place(latitude=latitude, longitude=longitude, region=region),
        "kind": draw.choice((pb.CAMERA_KIND_OVERVIEW, pb.CAMERA_KIND_ANPR)),
        "functions": functions,
    }


async def test_clusters_equal_a_count_in_memory_after_every_step(own: OwnRegister) -> None:
    draw = random.Random(4)
    tally = Tally(own.db)
    cameras: list[UUID] = []
    retired: list[UUID] = []
    for step in range(40):
        action = draw.randrange(6) if cameras else 0
        if action <= 1:
            cameras.append(await own.camera(**given(draw)))
        elif action == 2:
            await own.change(draw.choice(cameras), **given(draw))
        elif action == 3:
            retired.append(cameras.pop(draw.randrange(len(cameras))))
            await own.register.retire(retired[-1], reason="", caller=ADMINISTRATOR)
        elif action == 4:
            await own.beat(draw.choice(cameras))
        else:
            async with tally.alone() as lease:
                await tally.fold(lease)
        known = [await own.known(each) for each in (*cameras, *retired)]
        for view in draw.sample(VIEWS, 4):
            for filters in draw.sample(FILTERS, 3):
                found = await clusters(own, view, filters)
                assert found == expected(known, view, filters, ("KZ-75", "KZ-71")), (
                    step,
                    view,
                    filters,
                )
            found = await clusters(own, view, MapFilters(), ASTANA)
            assert found == expected(known, view, MapFilters(), ("KZ-71",)), (step, view)


async def test_a_cluster_stands_at_the_mean_of_its_places(own: OwnRegister) -> None:
    for latitude, longitude in ((43.24, 76.95), (43.2402, 76.9504)):
        place = common_pb2.Place(latitude=latitude, longitude=longitude, region="KZ-75")
        await own.camera(kind=pb.CAMERA_KIND_OVERVIEW, functions=[], place=place)
    for view in (COUNTRY, CITY, MapView(43.239, 76.949, 43.241, 76.951, 14)):
        [cluster] = await own.register.clusters(view, MapFilters(), caller=ADMINISTRATOR)
        assert (cluster.latitude, cluster.longitude) == (43.2401, 76.9502), view
        assert cluster.camera_id is None


async def test_where_nobody_listens_all_are_unknown(own: OwnRegister) -> None:
    camera = await own.camera(kind=pb.CAMERA_KIND_OVERVIEW, functions=[])
    await own.beat(camera)
    await own.judge(own.start)
    for now, status in ((own.now, "ONLINE"), (own.now + timedelta(hours=1), "UNKNOWN")):
        own.now = now
        [cluster] = await own.register.clusters(COUNTRY, MapFilters(), caller=ADMINISTRATOR)
        assert cluster.by_status == Counter({CameraStatus(status): 1})
        assert cluster.camera_id == camera


async def test_over_grpc_and_with_wrong_fields(
    as_: Callable[..., Any], register: Callable[..., Awaitable[pb.Camera]]
) -> None:
    await register()
    inspector = as_("operator-gateway", operator="inspector-almaty")
    box = pb.Box(south=43.0, west=76.0, north=44.0, east=78.0)
    answer = await inspector.call("CountCamerasOnMap", pb.CountCamerasOnMapRequest(box=box, zoom=5))
    assert sum(each.count for each in answer.clusters) >= 1
    assert all(
        each.count == each.online + each.degraded + each.offline + each.unknown
        for each in answer.clusters
    )
    wrong = pb.CountCamerasOnMapRequest(
        box=pb.Box(south=91, west=float("nan"), north=10, east=181),
        zoom=23,
        status=pb.CAMERA_STATUS_RETIRED,
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await inspector.call("CountCamerasOnMap", wrong)
    fields = {error.field for error in from_error(caught.value).fields}
    assert fields == {"box.south", "box.north", "box.west", "box.east", "zoom", "status"}
