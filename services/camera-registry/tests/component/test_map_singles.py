"""In a small view of the map the cameras of the box are answered one by one, if they are few."""

from typing import Any
from uuid import UUID

from camera_registry.model.camera import Camera
from camera_registry.model.description import CameraKind
from camera_registry.model.map_view import Cluster, MapView
from camera_registry.model.status import CameraStatus
from camera_registry.storage.cell_counts import MapFilters
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2

from .own_register import ADMINISTRATOR, OwnRegister

# Two at one crossing, one a street further, and one beyond the edge of the box.
PLACES = ((43.24, 76.95), (43.2401, 76.9501), (43.241, 76.952), (43.2431, 76.9467))
BOX = (43.239, 76.949, 43.242, 76.953)


async def cameras_at(own: OwnRegister, *places: tuple[float, float]) -> list[Camera]:
    made: list[Camera] = []
    for latitude, longitude in places:
        place = common_pb2.Place(latitude=latitude, longitude=longitude, region="KZ-75")
        kind = pb.CAMERA_KIND_OVERVIEW if made else pb.CAMERA_KIND_ANPR
        made.append(await own.known(await own.camera(kind=kind, functions=[], place=place)))
    return made


def shown(clusters: list[Cluster]) -> dict[UUID | None, tuple[Any, ...]]:
    return {
        each.camera_id: (each.latitude, each.longitude, each.by_status.total(), each.kind)
        for each in clusters
    }


async def test_each_camera_of_the_box_stands_at_its_own_place(own: OwnRegister) -> None:
    made = await cameras_at(own, *PLACES)
    for zoom in (16, 22):
        view = MapView(*BOX, zoom, singles_max=3)
        found = await own.register.clusters(view, MapFilters(), caller=ADMINISTRATOR)
        kinds = (CameraKind.ANPR, CameraKind.OVERVIEW, CameraKind.OVERVIEW)
        assert shown(found) == {
            camera.camera_id: (*place, 1, kind)
            for camera, place, kind in zip(made[:3], PLACES[:3], kinds, strict=True)
        }


async def test_more_than_asked_for_are_clustered_and_none_beyond_the_box_is_counted(
    own: OwnRegister,
) -> None:
    made = await cameras_at(own, *PLACES)
    view = MapView(*BOX, 16, singles_max=2)
    found = await own.register.clusters(view, MapFilters(), caller=ADMINISTRATOR)
    assert shown(found) == {
        None: (43.24005, 76.95005, 2, None),
        made[2].camera_id: (*PLACES[2], 1, CameraKind.OVERVIEW),
    }
    unknown = MapFilters(status=CameraStatus.UNKNOWN, kind=CameraKind.OVERVIEW)
    few = await own.register.clusters(view, unknown, caller=ADMINISTRATOR)
    assert [each.camera_id for each in few] == [made[1].camera_id, made[2].camera_id]


async def test_in_a_large_view_they_are_clusters_all_the_same(own: OwnRegister) -> None:
    await cameras_at(own, *PLACES)
    for singles_max in (0, 1000):
        view = MapView(43.1, 76.7, 43.4, 77.1, 9, singles_max=singles_max)
        [one] = await own.register.clusters(view, MapFilters(), caller=ADMINISTRATOR)
        assert (one.by_status.total(), one.camera_id, one.kind) == (4, None, None)
