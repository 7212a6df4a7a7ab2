"""Hubs by their RPCs: registered once, revoked for good, and named by cameras of their region."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from camera_registry.model.camera import RegionNotYours
from chassis.clock import new_id
from chassis.grpc_status import from_error
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.cameras.v1 import hubs_pb2
from tartip.common.v1 import common_pb2
from tartip_cli.clients.hub_reports import ReportingHub

from .own_register import ADMINISTRATOR, REGIONS, OwnRegister
from .test_import import batch, figures, send

Register = Callable[..., Awaitable[pb.Camera]]


async def refused(call: Awaitable[object]) -> str:
    """The reason of a refusal."""
    return str((await _refusal(call)).reason)


async def _refusal(call: Awaitable[object]) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_error(caught.value)


def given(**changes: Any) -> hubs_pb2.RegisterHubRequest:
    hub = ReportingHub()
    fields: dict[str, Any] = {
        "hub_id": str(hub.hub_id),
        "name": "Control centre",
        "region": "KZ-75",
        "kind": hubs_pb2.HUB_KIND_CONTROL_CENTRE,
        "public_key": hub.public_key,
    }
    return hubs_pb2.RegisterHubRequest(**fields | changes)


async def test_a_hub_is_registered_once_however_often_it_is_sent(administrator: Any) -> None:
    request = given()
    first = (await administrator.hub("RegisterHub", request)).hub
    assert (await administrator.hub("RegisterHub", request)).hub == first
    assert first.public_key == request.public_key and not first.HasField("heard_at")
    other = given(hub_id=request.hub_id)
    assert await refused(administrator.hub("RegisterHub", other)) == "ID_REUSED"
    same_key = given(public_key=request.public_key)
    assert await refused(administrator.hub("RegisterHub", same_key)) == "HUB_KEY_TAKEN"


async def test_all_wrong_fields_of_a_hub_are_named(administrator: Any) -> None:
    wrong = given(name="", region="KZ-99", kind=0, public_key=b"short", hub_id="no id")
    refusal = await _refusal(administrator.hub("RegisterHub", wrong))
    named = {error.field for error in refusal.fields}
    assert named == {"hub_id", "name", "region", "kind", "public_key"}


async def test_a_hub_is_registered_in_ones_own_region_alone(own: OwnRegister) -> None:
    assert ADMINISTRATOR.scope.regions == REGIONS
    with pytest.raises(RegionNotYours):
        await own.hub("KZ-10")


async def test_only_an_administrator_registers_and_revokes_hubs(as_: Any) -> None:
    for caller in (as_("operator-gateway", operator="inspector-almaty"), as_("violations")):
        revoke = hubs_pb2.RevokeHubRequest(hub_id=str(new_id()))
        for call in (caller.hub("RegisterHub", given()), caller.hub("RevokeHub", revoke)):
            assert await refused(call) == "NOT_ALLOWED"


async def test_a_camera_names_a_hub_in_service_of_its_region(
    administrator: Any, register: Register, describe: Any
) -> None:
    here, there = given(), given(region="KZ-71")
    for request in (here, there):
        await administrator.hub("RegisterHub", request)
    camera = await register(describe(hub_id=here.hub_id))
    assert camera.description.hub_id == here.hub_id
    for hub_id in (there.hub_id, str(new_id())):
        assert await refused(register(describe(hub_id=hub_id))) == "HUB_NOT_FOUND"
    moved = describe(
        hub_id=here.hub_id,
        serial=camera.description.serial,
        place=common_pb2.Place(latitude=51.17, longitude=71.45, region="KZ-71"),
    )
    change = pb.ChangeCameraRequest(camera_id=camera.camera_id, version=1, description=moved)
    assert await refused(administrator.call("ChangeCamera", change)) == "HUB_NOT_FOUND"


async def test_a_control_centre_reports_on_connected_cameras_alone(
    administrator: Any, register: Register, describe: Any
) -> None:
    centre, box = given(), given(kind=hubs_pb2.HUB_KIND_EDGE_BOX)
    for request in (centre, box):
        await administrator.hub("RegisterHub", request)
    wrong = register(describe(hub_id=centre.hub_id, connected=False))
    assert [each.field for each in (await _refusal(wrong)).fields] == ["description.connected"]
    assert await register(describe(hub_id=box.hub_id, connected=False))
    camera = await register(describe(hub_id=centre.hub_id))
    cut_off = describe(hub_id=centre.hub_id, serial=camera.description.serial, connected=False)
    change = pb.ChangeCameraRequest(camera_id=camera.camera_id, version=1, description=cut_off)
    assert await refused(administrator.call("ChangeCamera", change)) == "BAD_REQUEST"
    cut_off.hub_id = ""
    change.description.CopyFrom(cut_off)
    changed = (await administrator.call("ChangeCamera", change)).camera
    assert (changed.version, changed.status) == (2, pb.CAMERA_STATUS_UNKNOWN)


async def test_a_row_that_cuts_a_camera_off_takes_its_hub_away(
    administrator: Any, register: Register, describe: Any
) -> None:
    centre = given()
    await administrator.hub("RegisterHub", centre)
    camera = await register(describe(hub_id=centre.hub_id))
    row = describe(serial=camera.description.serial, hub_id=centre.hub_id, connected=False)
    [answer] = await send(administrator, [batch([row])])
    assert figures(answer) == (0, 0, 0, [(1, "description.connected", "BAD_REQUEST")])
    row.hub_id = ""
    [answer] = await send(administrator, [batch([row])])
    assert figures(answer) == (0, 1, 0, [])
    found = await administrator.call("GetCamera", pb.GetCameraRequest(camera_id=camera.camera_id))
    assert found.camera.description.hub_id == ""


async def test_a_revoked_hub_stays_with_its_cameras_and_gets_no_others(
    administrator: Any, register: Register, describe: Any
) -> None:
    request = given()
    await administrator.hub("RegisterHub", request)
    camera = await register(describe(hub_id=request.hub_id))
    revoke = hubs_pb2.RevokeHubRequest(hub_id=request.hub_id, reason="stolen")
    hub = (await administrator.hub("RevokeHub", revoke)).hub
    assert hub.HasField("revoked_at")
    assert (await administrator.hub("RevokeHub", revoke)).hub == hub
    assert await refused(register(describe(hub_id=request.hub_id))) == "HUB_NOT_FOUND"
    renamed = describe(hub_id=request.hub_id, serial=camera.description.serial, name="Renamed")
    change = pb.ChangeCameraRequest(camera_id=camera.camera_id, version=1, description=renamed)
    assert (await administrator.call("ChangeCamera", change)).camera.version == 2
    renamed.name = "Renamed by a row"
    [answer] = await send(administrator, [batch([renamed])])
    assert figures(answer) == (0, 1, 0, [])
    unknown = hubs_pb2.RevokeHubRequest(hub_id=str(new_id()))
    assert await refused(administrator.hub("RevokeHub", unknown)) == "HUB_NOT_FOUND"


@pytest.mark.parametrize("size", [1, 2])
async def test_hubs_are_listed_page_by_page(administrator: Any, size: int) -> None:
    mine = [given() for _ in range(3)]
    for request in mine:
        await administrator.hub("RegisterHub", request)
    found: list[str] = []
    page = common_pb2.Page(size=size)
    while True:
        answer = await administrator.hub("ListHubs", hubs_pb2.ListHubsRequest(page=page))
        found += [hub.hub_id for hub in answer.hubs]
        if not answer.next_page_token:
            break
        page.token = answer.next_page_token
    assert found == sorted(set(found)) and {each.hub_id for each in mine} <= set(found)
    silent = hubs_pb2.ListHubsRequest(silent=True)
    assert not {each.hub_id for each in mine} & {
        hub.hub_id for hub in (await administrator.hub("ListHubs", silent)).hubs
    }
