"""The map of cameras over REST: views and vector tiles, under the caller's own scope."""

from collections.abc import Iterator
from typing import Any

import pytest
from tartip.cameras.v1 import cameras_pb2
from tartip.tiles.v1.tiles_pb2 import VectorTile

from .map_peer import a_camera

pytestmark = pytest.mark.asyncio(loop_scope="session")
VIEW = {"south": 43.1, "west": 76.7, "north": 43.4, "east": 77.1, "zoom": 11}
# The one in which the cameras of `held` are.
TILE = "16/46765/24021"


@pytest.fixture
def held(gateway: Any) -> Iterator[list[cameras_pb2.Camera]]:
    gateway.asked.clear()
    cameras = [
        a_camera(43.2389, 76.8897),
        a_camera(43.2388, 76.8899, status=cameras_pb2.CAMERA_STATUS_OFFLINE),
    ]
    gateway.asked.cameras.update((each.camera_id, each) for each in cameras)
    yield cameras
    gateway.asked.clear()


async def ask(gateway: Any, path: str, **options: Any) -> Any:
    headers = gateway.headers("inspector-almaty") | options.pop("headers", {})
    async with gateway.client() as client:
        return await client.get(f"/v1/cameras/{path}", headers=headers, **options)


async def test_a_view_is_answered_in_clusters(gateway: Any, held: Any) -> None:
    answer = await ask(gateway, "map", params=VIEW | {"kind": "anpr"})
    [cluster] = answer.json()["clusters"]
    assert (cluster["count"], cluster["online"], cluster["offline"]) == (2, 1, 1)
    assert (cluster["camera_id"], cluster["kind"]) == ("", None)
    near = await ask(gateway, "map", params=VIEW | {"zoom": 16, "singles_max": 5})
    assert {each["camera_id"] for each in near.json()["clusters"]} == set(gateway.asked.cameras)
    first, second = gateway.asked.of(cameras_pb2.CountCamerasOnMapRequest)
    box = {name: VIEW[name] for name in ("south", "west", "north", "east")}
    assert (first.box, first.zoom) == (cameras_pb2.Box(**box), 11)
    assert (first.kind, first.singles_max) == (cameras_pb2.CAMERA_KIND_ANPR, 0)
    assert second.singles_max == 5
    assert gateway.asked.callers[0].operator.regions == ("KZ-75",)


async def test_a_tile_is_asked_for_once_and_not_sent_again_until_it_changes(
    gateway: Any, held: Any
) -> None:
    first = await ask(gateway, f"tiles/{TILE}.mvt", params={"function": "plate"})
    assert first.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert first.headers["cache-control"] == "private, max-age=15"
    [layer] = VectorTile.FromString(first.content).layers
    assert (layer.name, len(layer.features)) == ("cameras", 2)
    [request] = gateway.asked.of(cameras_pb2.CountCamerasOnMapRequest)
    assert (request.zoom, request.function) == (16, cameras_pb2.AI_FUNCTION_PLATE)
    assert request.box.south < 43.2388 < 43.2389 < request.box.north
    known = {"If-None-Match": first.headers["etag"]}
    again = await ask(gateway, f"tiles/{TILE}.mvt", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    gateway.asked.cameras[held[0].camera_id].status = cameras_pb2.CAMERA_STATUS_TAMPERED
    later = await ask(gateway, f"tiles/{TILE}.mvt", headers=known)
    assert later.status_code == 200 and later.headers["etag"] != first.headers["etag"]
    clusters = await ask(gateway, "tiles/10/730/375.mvt")
    [layer] = VectorTile.FromString(clusters.content).layers
    assert (layer.name, len(layer.features)) == ("clusters", 1)


async def test_an_empty_tile_is_no_content(gateway: Any, held: Any) -> None:
    empty = await ask(gateway, "tiles/16/46766/24021.mvt")
    assert (empty.status_code, empty.content) == (204, b"")
    other = await ask(gateway, f"tiles/{TILE}.mvt", params={"status": "degraded"})
    assert other.status_code == 204


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("tiles/23/0/0.mvt", {"z"}),
        ("tiles/-1/-1/-1.mvt", {"z", "x", "y"}),
        ("tiles/3/8/8.mvt", {"x", "y"}),
        ("tiles/22/4194304/1.mvt", {"x"}),
        ("tiles/a/1.5/nan.mvt", {"z", "x", "y"}),
        ("tiles/1/1/1.mvt?status=retired&kind=x&more=1", {"status", "kind", "more"}),
        ("map?south=91&west=nan&north=x&zoom=23", {"south", "west", "north", "east", "zoom"}),
    ],
)
async def test_what_is_out_of_range_is_refused_by_name(
    gateway: Any, path: str, fields: set[str]
) -> None:
    gateway.asked.clear()
    answer = await ask(gateway, path)
    assert (answer.status_code, answer.json()["reason"]) == (422, "BAD_REQUEST")
    assert {error["field"] for error in answer.json()["errors"]} == fields
    assert gateway.asked.requests == []
