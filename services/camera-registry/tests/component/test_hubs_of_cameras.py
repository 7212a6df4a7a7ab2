"""Which hub a camera may name: one in service in its region, and a control centre if connected."""

from typing import Any

from chassis.clock import new_id
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.cameras.v1 import hubs_pb2
from tartip.common.v1 import common_pb2

from .test_hubs import Register, given, refusal, refused
from .test_import import batch, figures, send


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
    assert [each.field for each in (await refusal(wrong)).fields] == ["description.connected"]
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
