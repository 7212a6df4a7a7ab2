"""The register over mutual TLS: what is stored, what is refused and how, who may see what."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from chassis.clock import new_id
from chassis.grpc_status import from_error
from chassis.refusals import RemoteRefusal
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2
from tartip_testing.paging import assert_token_is_bound

As = Callable[..., Any]
Register = Callable[..., Awaitable[pb.Camera]]
Describe = Callable[..., pb.CameraDescription]


async def refused(call: Awaitable[object]) -> RemoteRefusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    refusal = from_error(caught.value)
    assert isinstance(refusal, RemoteRefusal)
    assert refusal.message.ru and refusal.message.kk
    return refusal


IN = {
    "KZ-75": (43.24, 76.95),
    "KZ-71": (51.17, 71.45),
    "KZ-10": (50.41, 80.23),
    "KZ-62": (47.8, 67.71),
}


def place(region: str = "KZ-75", **changes: Any) -> common_pb2.Place:
    """A place in a region, with the test's changes."""
    latitude, longitude = IN.get(region, IN["KZ-75"])
    given: dict[str, Any] = {"latitude": latitude, "longitude": longitude, "region": region}
    return common_pb2.Place(**given | changes)


async def test_a_registered_camera_is_read_as_it_was_described(
    administrator: Any, register: Register, describe: Describe
) -> None:
    given = describe()
    camera = await register(given)
    answer = await administrator.call("GetCamera", pb.GetCameraRequest(camera_id=camera.camera_id))
    assert answer.camera == camera
    assert camera.description == given
    assert (camera.status, camera.version) == (pb.CAMERA_STATUS_UNKNOWN, 1)


async def test_the_same_id_with_the_same_content_answers_the_same(
    register: Register, describe: Describe
) -> None:
    given, camera_id = describe(), str(new_id())
    assert await register(given, camera_id) == await register(given, camera_id)


async def test_the_same_id_with_other_content_is_refused_by_name(
    register: Register, describe: Describe
) -> None:
    camera = await register()
    refusal = await refused(register(describe(), camera.camera_id))
    assert refusal.code == "ID_REUSED"


async def test_every_wrong_field_is_named_at_once(register: Register, describe: Describe) -> None:
    verification = pb.Verification(number="")
    verification.valid_from.seconds, verification.valid_until.seconds = 2_000, 1_000
    wrong = describe(
        name=" ",
        serial="a\x00b",
        kind=pb.CAMERA_KIND_UNSPECIFIED,
        functions=[99],
        place=place(latitude=float("nan"), longitude=181, region="KZ-ALA", address="x" * 501),
        azimuth_degrees=360,
        owner_bin="100140000004",
        device_key=b"short",
        speed_tolerance_kmh=-1,
        dedupe_seconds=-5,
        verifications=[verification],
    )
    refusal = await refused(register(wrong, "not-an-id"))
    assert refusal.code == "BAD_REQUEST"
    assert {error.field.removeprefix("description.") for error in refusal.fields} == {
        "camera_id",
        "name",
        "serial",
        "kind",
        "functions",
        "place.latitude",
        "place.longitude",
        "place.region",
        "place.address",
        "azimuth_degrees",
        "owner_bin",
        "device_key",
        "speed_tolerance_kmh",
        "dedupe_seconds",
        "verifications[0].number",
        "verifications[0].valid_until",
    }


@pytest.mark.parametrize(
    ("latitude", "longitude", "region"),
    [
        (43.0378, 74.7106, "KZ-31"),
        (41.4550, 69.1650, "KZ-61"),
        (42.1793, 69.8837, "KZ-61"),
        (48.0106, 70.7925, "KZ-62"),
        (50.9800, 71.3200, "KZ-11"),
        (43.5556, 69.7389, "KZ-31"),
        (41.4500, 69.1800, "KZ-61"),
    ],
    ids=["Korday", "Saryagash", "Lenger", "Karazhal", "Kosshy", "Zhanatas", "beside the border"],
)
async def test_a_camera_is_registered_in_the_region_it_stands_in_and_in_no_other(
    register: Register, describe: Describe, latitude: float, longitude: float, region: str
) -> None:
    where = place(region, latitude=latitude, longitude=longitude, kato=f"{region[3:]}3200000")
    assert (await register(describe(place=where))).description.place == where
    where.region, where.kato = "KZ-75", ""
    refusal = await refused(register(describe(place=where)))
    assert refusal.code == "REGION_MISMATCH"
    assert [error.field for error in refusal.fields] == ["description.place.region"]


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        (41.2995, 69.2401),
        (42.8746, 74.5698),
        (54.9885, 73.3242),
        (44.5, 50.0),
        (48.8566, 2.3522),
        (0.0, 0.0),
    ],
    ids=["Tashkent", "Bishkek", "Omsk", "the open Caspian", "Paris", "0/0"],
)
async def test_a_camera_abroad_is_refused_by_name(
    administrator: Any,
    register: Register,
    describe: Describe,
    latitude: float,
    longitude: float,
) -> None:
    abroad = describe(place=place(latitude=latitude, longitude=longitude))
    assert (await refused(register(abroad))).code == "PLACE_ABROAD"
    camera = await register()
    moved = pb.ChangeCameraRequest(camera_id=camera.camera_id, version=1, description=abroad)
    assert (await refused(administrator.call("ChangeCamera", moved))).code == "PLACE_ABROAD"


async def test_all_that_is_wrong_with_a_place_is_named_at_once(
    register: Register, describe: Describe
) -> None:
    foreign = describe(place=place(region="KZ-71", latitude=43.24, longitude=76.95, kato="7511"))
    refusal = await refused(register(foreign))
    assert {(error.field, error.code) for error in refusal.fields} == {
        ("description.place.region", "REGION_MISMATCH"),
        ("description.place.kato", "KATO_WRONG"),
    }
    district = describe(place=place(kato="711110000"))
    assert (await refused(register(district))).code == "KATO_MISMATCH"


async def test_a_moment_outside_of_the_calendar_is_a_wrong_field(
    register: Register, describe: Describe
) -> None:
    given = describe()
    given.verifications[0].valid_until.seconds = 10**15
    refusal = await refused(register(given))
    assert "description.verifications[0].valid_until" in {e.field for e in refusal.fields}


async def test_a_change_names_the_version_it_was_made_from(
    administrator: Any, register: Register, describe: Describe
) -> None:
    camera = await register()
    given = describe(name="Moved")
    request = pb.ChangeCameraRequest(camera_id=camera.camera_id, version=1, description=given)
    changed = (await administrator.call("ChangeCamera", request)).camera
    assert (changed.version, changed.description.name) == (2, "Moved")
    refusal = await refused(administrator.call("ChangeCamera", request))
    assert (refusal.code, refusal.facts) == ("CAMERA_CHANGED_MEANWHILE", {"version": "2"})


async def test_a_retired_camera_stays_retired(
    administrator: Any, register: Register, describe: Describe
) -> None:
    camera = await register()
    retire = pb.RetireCameraRequest(camera_id=camera.camera_id, reason="broken")
    retired = (await administrator.call("RetireCamera", retire)).camera
    assert retired.status == pb.CAMERA_STATUS_RETIRED and retired.HasField("retired_at")
    assert retired.retired_reason == "broken"
    assert (await administrator.call("RetireCamera", retire)).camera == retired
    change = pb.ChangeCameraRequest(camera_id=camera.camera_id, version=2, description=describe())
    assert (await refused(administrator.call("ChangeCamera", change))).code == "CAMERA_RETIRED"


@pytest.mark.parametrize("camera_id", ["", "nonsense", "01a20335-6ad5-7c27-89c5-2ebe821e365e"])
async def test_an_unknown_camera_is_not_found(administrator: Any, camera_id: str) -> None:
    request = pb.GetCameraRequest(camera_id=camera_id)
    assert (await refused(administrator.call("GetCamera", request))).code == "CAMERA_NOT_FOUND"


async def test_a_list_goes_through_all_pages_in_order_of_id(
    administrator: Any, register: Register, describe: Describe
) -> None:
    made = [
        (await register(describe(kind=pb.CAMERA_KIND_DRONE, place=place(region="KZ-62")))).camera_id
        for _ in range(5)
    ]
    seen: list[str] = []
    token = ""
    while True:
        page = common_pb2.Page(size=2, token=token)
        request = pb.ListCamerasRequest(region="KZ-62", kind=pb.CAMERA_KIND_DRONE, page=page)
        answer = await administrator.call("ListCameras", request)
        seen += [camera.camera_id for camera in answer.cameras]
        token = answer.next_page_token
        if not token:
            break
    assert seen == sorted(made)


async def test_filters_narrow_a_list(
    administrator: Any, register: Register, describe: Describe
) -> None:
    near = await register(
        describe(
            functions=[pb.AI_FUNCTION_CROWD],
            place=place(latitude=51.17, longitude=71.45, region="KZ-71"),
        )
    )
    await register(
        describe(
            functions=[pb.AI_FUNCTION_CROWD],
            place=place(latitude=51.27, longitude=71.45, region="KZ-71"),
        )
    )
    await register(describe(place=place(latitude=51.17, longitude=71.45, region="KZ-71")))
    area = pb.Area(latitude=51.17, longitude=71.46, radius_metres=5_000)
    request = pb.ListCamerasRequest(region="KZ-71", function=pb.AI_FUNCTION_CROWD, area=area)
    answer = await administrator.call("ListCameras", request)
    assert [camera.camera_id for camera in answer.cameras] == [near.camera_id]


async def test_a_camera_is_found_by_its_serial_or_its_name_and_by_no_part_of_them(
    as_: As, register: Register, describe: Describe
) -> None:
    name = f"Абай мен Достық {new_id()}"
    made = await register(describe(name=name))
    alike = await register(describe(name=name.lower()))
    command_line = as_("tartip-cli")

    async def found(text: str) -> set[str]:
        request = pb.ListCamerasRequest(serial_or_name=text)
        answer = await command_line.call("ListCameras", request)
        return {camera.camera_id for camera in answer.cameras}

    assert await found(made.description.serial) == {made.camera_id}
    assert await found(name.upper()) == {made.camera_id, alike.camera_id}
    assert await found(name[:-1]) == await found(made.description.serial[:-1]) == set()
    refusal = await refused(found("x" * 201))
    assert [error.field for error in refusal.fields] == ["serial_or_name"]


async def test_a_wrong_list_request_names_its_fields(administrator: Any) -> None:
    request = pb.ListCamerasRequest(
        region="KZ-99",
        kind=77,  # type: ignore[arg-type]
        area=pb.Area(latitude=91, radius_metres=60_000),
    )
    refusal = await refused(administrator.call("ListCameras", request))
    assert {error.field for error in refusal.fields} == {
        "region",
        "kind",
        "area.latitude",
        "area.radius_metres",
    }


async def test_a_page_token_is_its_callers_for_one_query(
    administrator: Any, as_: As, register: Register
) -> None:
    for _ in range(3):
        await register()
    inspector = as_("operator-gateway", operator="inspector-almaty")
    await assert_token_is_bound(
        lambda asked: administrator.call("ListCameras", asked),
        pb.ListCamerasRequest(region="KZ-75"),
        by_others=lambda asked: inspector.call("ListCameras", asked),
        other_query=pb.ListCamerasRequest(region="KZ-75", kind=pb.CAMERA_KIND_SPEED_POINT),
    )


async def test_statistics_count_by_region_without_retired_ones(
    administrator: Any, register: Register, describe: Describe
) -> None:
    await register(describe(place=place(region="KZ-10")))
    await register(describe(place=place(region="KZ-10"), connected=False, functions=[]))
    gone = await register(describe(place=place(region="KZ-10")))
    await administrator.call("RetireCamera", pb.RetireCameraRequest(camera_id=gone.camera_id))
    answer = await administrator.call("GetStatistics", pb.GetStatisticsRequest(region="KZ-10"))
    both, one = (pb.StatusCounts(registered=number, unknown=number) for number in (2, 1))
    functions = (pb.AI_FUNCTION_PLATE, pb.AI_FUNCTION_VEHICLE)
    counts = pb.RegionStatistics(
        region="KZ-10",
        registered=2,
        connected=1,
        with_ai=1,
        unknown=2,
        kinds=[pb.KindStatistics(kind=pb.CAMERA_KIND_SPEED_POINT, counts=both)],
        functions=[pb.FunctionStatistics(function=each, counts=one) for each in functions],
    )
    assert list(answer.regions) == [counts]
    assert answer.total.registered == 2


async def test_an_operator_sees_the_cameras_of_its_regions_alone(
    as_: As, register: Register, describe: Describe
) -> None:
    ours = await register()
    theirs = await register(describe(place=place(region="KZ-71")))
    inspector = as_("operator-gateway", operator="inspector-almaty")
    await inspector.call("GetCamera", pb.GetCameraRequest(camera_id=ours.camera_id))
    request = pb.GetCameraRequest(camera_id=theirs.camera_id)
    assert (await refused(inspector.call("GetCamera", request))).code == "CAMERA_NOT_FOUND"
    answer = await inspector.call("ListCameras", pb.ListCamerasRequest(region="KZ-71"))
    assert not answer.cameras


@pytest.mark.parametrize("reader", ["violations", "inference-gateway", "citizen-reports"])
async def test_services_that_need_cameras_may_read_them(
    as_: As, register: Register, reader: str
) -> None:
    camera = await register()
    answer = await as_(reader).call("GetCamera", pb.GetCameraRequest(camera_id=camera.camera_id))
    assert answer.camera.camera_id == camera.camera_id


@pytest.mark.parametrize(
    ("name", "kind", "operator"),
    [
        ("operator-gateway", "service", ""),
        ("fines", "service", ""),
        ("kaspi", "partner", ""),
        ("edge-1", "device", ""),
        ("kaspi", "partner", "cameras-1"),
        ("operator-gateway", "service", "finance-1"),
    ],
)
async def test_others_may_not_read(
    as_: As, register: Register, name: str, kind: str, operator: str
) -> None:
    camera = await register()
    caller = as_(name, kind=kind, operator=operator)
    request = pb.GetCameraRequest(camera_id=camera.camera_id)
    assert (await refused(caller.call("GetCamera", request))).code == "NOT_ALLOWED"


async def test_only_an_administrator_writes(as_: As, describe: Describe) -> None:
    request = pb.RegisterCameraRequest(camera_id=str(new_id()), description=describe())
    for caller in (as_("operator-gateway", operator="inspector-almaty"), as_("violations")):
        assert (await refused(caller.call("RegisterCamera", request))).code == "NOT_ALLOWED"


async def test_a_token_that_does_not_hold_is_refused(as_: As) -> None:
    caller = as_("operator-gateway", token="x.y.z")
    refusal = await refused(caller.call("GetStatistics", pb.GetStatisticsRequest()))
    assert refusal.code == "NOT_AUTHENTICATED"


async def test_a_call_without_a_deadline_is_refused(as_: As, service: str) -> None:
    caller = as_("violations")
    bare = grpc.aio.secure_channel(service, caller.channels._credentials)
    async with bare:
        stub = bare.unary_unary(
            "/tartip.cameras.v1.CameraRegistry/GetStatistics",
            request_serializer=pb.GetStatisticsRequest.SerializeToString,
            response_deserializer=pb.GetStatisticsResponse.FromString,
        )
        assert (await refused(stub(pb.GetStatisticsRequest()))).code == "DEADLINE_REQUIRED"
