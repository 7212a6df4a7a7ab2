"""Many cameras over REST: an export streams page by page, and its rows may be imported."""

import json
from typing import Any

import httpx
import pytest
from chassis.clock import new_id
from tartip.cameras.v1 import cameras_pb2

from .test_camera_versions import DESCRIPTION

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_export_has_every_camera_of_every_page_on_a_line(gateway: Any) -> None:
    gateway.asked.clear()
    headers = gateway.headers("inspector-almaty")
    query = {"kind": "anpr", "latitude": 43.2, "longitude": 76.9, "radius_metres": 500}
    async with gateway.client() as client:
        answer = await client.get("/v1/cameras/export", params=query, headers=headers)
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [(line["row"], line["camera_id"], line["version"]) for line in lines] == [
        (number, f"camera-{number}", number) for number in (1, 2, 3, 4)
    ]
    assert lines[2]["description"]["name"] == "Абай 3"
    asked = gateway.asked.of(cameras_pb2.ListCamerasRequest)
    assert [request.page.token for request in asked] == ["", "more"]
    assert {request.kind for request in asked} == {cameras_pb2.CAMERA_KIND_ANPR}
    assert {request.area.radius_metres for request in asked} == {500}


async def test_an_export_that_breaks_off_does_not_end_as_a_whole_one(gateway: Any) -> None:
    headers = gateway.headers("inspector-almaty")
    async with gateway.client() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/v1/cameras/export", params={"region": "broken"}, headers=headers)
        paged = await client.get("/v1/cameras/export", params={"page_size": 5}, headers=headers)
    assert paged.status_code == 422


async def test_rows_are_imported_and_every_refusal_is_told(gateway: Any) -> None:
    gateway.asked.clear()
    row = {"row": 1, "camera_id": str(new_id()), "version": 3, "description": DESCRIPTION}
    body = {"import_id": str(new_id()), "dry_run": True, "cameras": [row, row | {"row": 2}]}
    headers = gateway.headers("cameras-1")
    async with gateway.client() as client:
        answer = await client.post("/v1/cameras/import", json=body, headers=headers)
        none = await client.post("/v1/cameras/import", json=body | {"cameras": []}, headers=headers)
    assert answer.json() == {
        "number": 1,
        "added": 0,
        "changed": 1,
        "unchanged": 0,
        "refused": [{"row": 2, "field": "version", "reason": "X", "expected": "", "camera_id": ""}],
        "probable_duplicates": [],
    }
    [request] = gateway.asked.of(cameras_pb2.ImportCamerasRequest)
    assert (request.dry_run, request.number) == (True, 1)
    assert [(each.row, each.version) for each in request.cameras] == [(1, 3), (2, 3)]
    assert request.cameras[1].description.kind == cameras_pb2.CAMERA_KIND_ANPR
    assert none.status_code == 422
