"""Cameras over REST are changed only in the version that was read (ETag, If-Match)."""

from typing import Any

import pytest
from chassis.clock import new_id
from tartip.cameras.v1 import cameras_pb2

pytestmark = pytest.mark.asyncio(loop_scope="session")
DESCRIPTION = {
    "name": "n",
    "kind": "anpr",
    "serial": "SN-1",
    "place": {"latitude": 43.2, "longitude": 76.9, "region": "KZ-75"},
}
DUPLICATE = "019acf54-3fee-7b4e-9fbb-7be3a4f0d0c1"
CHANGES = [
    ("PUT", "", {"description": DESCRIPTION}, cameras_pb2.ChangeCameraRequest),
    ("POST", "/retire", {"reason": "stolen"}, cameras_pb2.RetireCameraRequest),
    (
        "POST",
        "/merge",
        {"duplicate_id": DUPLICATE, "duplicate_version": 7, "reason": "twice"},
        cameras_pb2.MergeCamerasRequest,
    ),
]


async def test_what_is_known_is_not_sent_again_until_anything_of_it_changes(gateway: Any) -> None:
    path, headers = f"/v1/cameras/{new_id()}", gateway.headers("inspector-almaty")
    async with gateway.client() as client:
        first = await client.get(path, headers=headers)
        tag = first.headers["etag"]
        for known in (tag, f'"1.ab", W/{tag}', "*"):
            again = await client.get(path, headers=headers | {"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
        gateway.asked.camera_status = cameras_pb2.CAMERA_STATUS_OFFLINE
        later = await client.get(path, headers=headers | {"If-None-Match": tag})
        gateway.asked.camera_status = cameras_pb2.CAMERA_STATUS_ONLINE
    assert tag.startswith('"3.')
    assert later.json()["camera"]["status"] == "offline"
    assert later.headers["etag"] != tag


@pytest.mark.parametrize(("method", "end", "body", "kind"), CHANGES)
async def test_a_change_needs_the_version_that_was_read(
    gateway: Any, method: str, end: str, body: dict[str, Any], kind: Any
) -> None:
    path, headers = f"/v1/cameras/{new_id()}", gateway.headers("cameras-1")
    gateway.asked.clear()
    async with gateway.client() as client:
        tag = (await client.get(path, headers=headers)).headers["etag"]

        async def ask(if_match: str | None, **more: Any) -> Any:
            condition = {} if if_match is None else {"If-Match": if_match}
            return await client.request(
                method, path + end, json=body | more, headers=headers | condition
            )

        absent, stale = await ask(None), await ask('"2.0123456789abcdef"')
        wrong = [await ask(value) for value in ("*", "3", f"W/{tag}", '"0"', f'{tag}, "4"')]
        differs = await ask(tag, version=2)
        done, bare = await ask(tag), await ask('"3"', version=3)
    assert (absent.status_code, absent.json()["reason"]) == (428, "IF_MATCH_REQUIRED")
    assert absent.headers["content-type"] == "application/problem+json"
    assert (stale.status_code, stale.json()["reason"]) == (412, "CAMERA_CHANGED_MEANWHILE")
    assert stale.json()["facts"] == {"version": "3"}
    for answer in wrong:
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "If-Match")
    assert (differs.status_code, differs.json()["errors"][0]["field"]) == (422, "version")
    assert [done.status_code, bare.status_code] == [200, 200]
    assert done.json()["camera"]["version"] == 4
    assert done.headers["etag"].startswith('"4.')
    assert [request.version for request in gateway.asked.of(kind)] == [2, 3, 3]


async def test_a_merge_names_both_and_the_versions_are_listed(gateway: Any) -> None:
    camera_id, headers = str(new_id()), gateway.headers("cameras-1")
    gateway.asked.clear()
    _, end, body, kind = CHANGES[2]
    async with gateway.client() as client:
        path = f"/v1/cameras/{camera_id}"
        await client.post(path + end, json=body, headers=headers | {"If-Match": '"3"'})
        query = {"page_size": 1, "page_token": "t"}
        listed = await client.get(f"{path}/versions", params=query, headers=headers)
    [request] = gateway.asked.of(kind)
    assert (request.camera_id, request.duplicate_id) == (camera_id, DUPLICATE)
    assert (request.duplicate_version, request.reason) == (7, "twice")
    assert listed.json()["versions"][0]["changed"] == ["place.address"]
    assert listed.json()["next_page_token"] == "more"
    [asked] = gateway.asked.of(cameras_pb2.ListCameraVersionsRequest)
    assert (asked.camera_id, asked.page.size, asked.page.token) == (camera_id, 1, "t")
