"""The versions of a camera, newest first: where it stood before, since when, and what changed."""

from typing import Any

import pytest
from chassis.clock import from_timestamp, new_id
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2

from .test_register import Describe, Register, place, refused
from .test_versions import as_of, change


def asking(camera_id: str, size: int = 0, token: str = "") -> pb.ListCameraVersionsRequest:
    page = common_pb2.Page(size=size, token=token)
    return pb.ListCameraVersionsRequest(camera_id=camera_id, page=page)


async def history(caller: Any, camera_id: str, size: int = 0) -> list[pb.CameraVersion]:
    """All versions, page by page."""
    found: list[pb.CameraVersion] = []
    token = ""
    while True:
        answer = await caller.call("ListCameraVersions", asking(camera_id, size, token))
        found += answer.versions
        token = answer.next_page_token
        if not token:
            return found


async def test_a_move_is_followed_from_place_to_place(
    administrator: Any, register: Register, describe: Describe
) -> None:
    camera = await register(describe(place=place(address="Abai 1")))
    serial = camera.description.serial
    there = describe(serial=serial, place=place("KZ-71", address="Away"))
    away = await change(administrator, camera, there)
    named = describe(serial=serial, place=place("KZ-71", address="Away"), name="Moved")
    await change(administrator, away, named)
    newest, moved, first = await history(administrator, camera.camera_id)
    assert [each.version for each in (newest, moved, first)] == [3, 2, 1]
    assert list(newest.changed) == ["name"]
    names = ("latitude", "longitude", "region", "address")
    assert list(moved.changed) == [f"place.{name}" for name in names]
    assert list(first.changed) == []
    assert [each.description for each in (newest, moved, first)] == [
        named,
        there,
        camera.description,
    ]
    assert first.held_from == camera.registered_at
    for version in (newest, moved, first):
        at = await as_of(administrator, camera.camera_id, from_timestamp(version.held_from))
        assert at.description == version.description


@pytest.mark.parametrize("size", [1, 2, 3, 5])
async def test_pages_hold_every_version_once_with_its_changes(
    administrator: Any, register: Register, describe: Describe, size: int
) -> None:
    camera = await register()
    described = pb.CameraDescription()
    described.CopyFrom(camera.description)
    for name in ("B", "C", "D"):
        described.name = name
        camera = await change(administrator, camera, described)
    whole = await history(administrator, camera.camera_id)
    assert await history(administrator, camera.camera_id, size) == whole
    assert [list(each.changed) for each in whole] == [["name"]] * 3 + [[]]


async def test_a_retirement_changes_no_field_and_a_retired_camera_keeps_its_history(
    administrator: Any, register: Register, describe: Describe
) -> None:
    camera = await register()
    moved = describe(serial=camera.description.serial, azimuth_degrees=90)
    await change(administrator, camera, moved)
    await administrator.call("RetireCamera", pb.RetireCameraRequest(camera_id=camera.camera_id))
    found = await history(administrator, camera.camera_id)
    assert found[0].description == moved and list(found[0].changed) in ([], ["azimuth_degrees"])
    assert found[-1].description == camera.description
    assert [list(each.changed) for each in found if each.changed] == [["azimuth_degrees"]]


async def test_a_token_belongs_to_its_caller_and_its_camera(
    as_: Any, administrator: Any, register: Register, describe: Describe
) -> None:
    camera, other = await register(), await register()
    for each in (camera, other):
        given = describe(serial=each.description.serial, name="Changed")
        await change(administrator, each, given)
    answer = await administrator.call("ListCameraVersions", asking(camera.camera_id, 1))
    token = answer.next_page_token
    strange = administrator.call("ListCameraVersions", asking(other.camera_id, 1, token))
    assert (await refused(strange)).code == "PAGE_TOKEN_WRONG"
    inspector = as_("operator-gateway", operator="inspector-almaty")
    strange = inspector.call("ListCameraVersions", asking(camera.camera_id, 1, token))
    assert (await refused(strange)).code == "PAGE_TOKEN_WRONG"


async def test_of_a_camera_that_is_not_seen_nothing_is_told(
    as_: Any, administrator: Any, register: Register
) -> None:
    camera = await register()
    astana = as_("operator-gateway", operator="inspector-astana")
    assert len(await history(administrator, camera.camera_id)) == 1
    for caller, camera_id in (
        (astana, camera.camera_id),
        (administrator, str(new_id())),
        (administrator, "x"),
    ):
        call = caller.call("ListCameraVersions", asking(camera_id))
        assert (await refused(call)).code == "CAMERA_NOT_FOUND"
