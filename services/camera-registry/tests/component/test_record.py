"""Streams and owners who are persons: what is answered to whom, and what is never answered."""

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from chassis.clock import new_id, to_timestamp
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip_cli.provision.vehicles import synthetic_iin
from tartip_testing.mesh import RunningTestMesh

from .conftest import _moment
from .stored import audited, everything, rows
from .test_import import batch, figures, send, somewhere
from .test_register import Describe, Register, refused

SECRET = "s3cret-of-the-lens"
DRAW = random.Random()
Change = Callable[[pb.Camera, pb.CameraDescription], Awaitable[pb.Camera]]


def stream(name: str = "main", **changes: Any) -> pb.CameraStream:
    given: dict[str, Any] = {"name": name, "url": "rtsp://10.0.0.1/1", "role": pb.STREAM_ROLE_MAIN}
    return pb.CameraStream(**given | changes)


def with_purpose(who: Any, purpose: str = "check of owners") -> Any:
    who.metadata = (*who.metadata, ("tartip-purpose", purpose))
    return who


@pytest.fixture
def change(administrator: Any) -> Change:
    async def send_change(camera: pb.Camera, given: pb.CameraDescription) -> pb.Camera:
        request = pb.ChangeCameraRequest(
            camera_id=camera.camera_id, version=camera.version, description=given
        )
        changed: pb.Camera = (await administrator.call("ChangeCamera", request)).camera
        return changed

    return send_change


async def get(who: Any, camera: pb.Camera) -> pb.Camera:
    found: pb.Camera = (
        await who.call("GetCamera", pb.GetCameraRequest(camera_id=camera.camera_id))
    ).camera
    return found


async def test_the_whole_record_is_answered_as_it_was_given(
    administrator: Any, register: Register, describe: Describe
) -> None:
    given = describe(
        streams=[stream(), stream("sub", url="http://10.0.0.1:8080/2", role=pb.STREAM_ROLE_SUB)],
        onvif_profiles=["S", "T"],
        control_centre="Almaty, centre 1",
        certificate_valid_until=to_timestamp(datetime(2030, 1, 1, tzinfo=UTC)),
    )
    camera = await register(given)
    assert camera.description == given
    assert await get(administrator, camera) == camera


async def test_a_password_is_kept_sealed_and_never_answered(
    administrator: Any, register: Register, describe: Describe, engines: RunningTestMesh
) -> None:
    address = f"rtsp://root:{SECRET}@10.0.0.1:554/live?channel=1"
    given = describe(streams=[stream(url=address), stream("sub", user="viewer", password=SECRET)])
    camera_id = str(new_id())
    camera = await register(given, camera_id)
    told = [
        stream(url="rtsp://10.0.0.1:554/live?channel=1", user="root", has_password=True),
        stream("sub", user="viewer", has_password=True),
    ]
    assert list(camera.description.streams) == told
    assert list((await get(administrator, camera)).description.streams) == told
    assert (await register(given, camera_id)).camera_id == camera_id
    given.streams[1].password = "another"
    assert (await refused(register(given, camera_id))).code == "ID_REUSED"
    listed = await administrator.call(
        "ListCameras", pb.ListCamerasRequest(serial_or_name=given.serial)
    )
    assert not listed.cameras[0].description.streams
    assert SECRET.encode() not in await everything(engines)


async def test_a_stream_without_a_password_keeps_the_one_that_it_has(
    register: Register, describe: Describe, change: Change, engines: RunningTestMesh
) -> None:
    given = describe(streams=[stream(password=SECRET)])
    camera = await register(given)
    for same in (given, camera.description):
        assert (await change(camera, same)).version == 1
    given.streams[0].url, given.streams[0].password = "rtsp://10.0.0.1:554/other", ""
    moved = await change(camera, given)
    assert (moved.version, moved.description.streams[0].has_password) == (2, True)
    given.streams[0].password = "another"
    replaced = await change(moved, given)
    assert replaced.version == 3
    given.streams[0].name, given.streams[0].password = "other", ""
    renamed = await change(replaced, given)
    assert not renamed.description.streams[0].has_password
    [row] = await rows(
        engines, "SELECT * FROM camera_streams WHERE camera_id = $1", camera.camera_id
    )
    assert (row["name"], row["password_sealed"]) == ("other", None)
    del given.streams[:]
    assert not (await change(renamed, given)).description.streams


@pytest.mark.parametrize(
    "url", ["rtsp://10.0.0.2:554/live", "rtsp://10.0.0.1:8554/live", "rtsps://10.0.0.1:554/live"]
)
async def test_a_password_is_never_kept_for_another_server(
    url: str, register: Register, describe: Describe, change: Change, engines: RunningTestMesh
) -> None:
    given = describe(streams=[stream(url="rtsp://10.0.0.1:554/live", password=SECRET)])
    camera = await register(given)
    given.streams[0].url, given.streams[0].password = url, ""
    moved = await change(camera, given)
    assert not moved.description.streams[0].has_password
    [row] = await rows(
        engines, "SELECT * FROM camera_streams WHERE camera_id = $1", camera.camera_id
    )
    assert (row["password_sealed"], row["password_index"], row["key_id"]) == (None,) * 3


async def test_retirement_erases_the_passwords_and_their_key(
    administrator: Any, register: Register, describe: Describe, engines: RunningTestMesh
) -> None:
    camera = await register(describe(streams=[stream(password=SECRET)]))
    query = "SELECT * FROM camera_streams WHERE camera_id = $1"
    [before] = await rows(engines, query, camera.camera_id)
    await administrator.call("RetireCamera", pb.RetireCameraRequest(camera_id=camera.camera_id))
    [after] = await rows(engines, query, camera.camera_id)
    assert (after["password_sealed"], after["password_index"], after["key_id"]) == (None,) * 3
    destroyed = "SELECT * FROM data_keys WHERE key_id = $1 AND wrapped IS NULL"
    async with asyncio.timeout(30):  # by scheduled work
        while not (keys := await rows(engines, destroyed, before["key_id"])):
            await asyncio.sleep(0.1)
    assert keys[0]["destroyed_at"] is not None and keys[0]["destroyed_by"] is not None
    assert not (await get(administrator, camera)).description.streams[0].has_password


async def test_a_merge_leaves_streams_and_owner_and_erases_the_duplicates_passwords(
    administrator: Any, register: Register, describe: Describe, engines: RunningTestMesh
) -> None:
    iin = synthetic_iin(DRAW)
    given = describe(owner_bin="", owner_iin=iin, streams=[stream(password=SECRET)])
    kept = await register(given)
    # With a verification that the kept camera lacks, so that it is changed too.
    paper = pb.Verification(number="V-9", valid_from=_moment(2020), valid_until=_moment(2021))
    duplicate = await register(
        describe(streams=[stream("other", password=SECRET)], verifications=[paper])
    )
    request = pb.MergeCamerasRequest(
        camera_id=kept.camera_id,
        version=kept.version,
        duplicate_id=duplicate.camera_id,
        duplicate_version=duplicate.version,
        reason="registered twice",
    )
    await administrator.call("MergeCameras", request)
    merged = await get(with_purpose(administrator), kept)
    assert merged.version == kept.version + 1
    assert list(merged.description.streams) == list(kept.description.streams)
    assert merged.description.owner_iin == iin
    query = "SELECT password_sealed IS NULL AS is_erased FROM camera_streams WHERE camera_id = $1"
    for camera, is_erased in ((kept, False), (duplicate, True)):
        [row] = await rows(engines, query, camera.camera_id)
        assert row["is_erased"] == is_erased


async def test_what_happened_before_tells_neither_streams_nor_persons(
    administrator: Any, register: Register, describe: Describe, change: Change
) -> None:
    given = describe(owner_bin="", owner_iin=synthetic_iin(DRAW), streams=[stream(user="viewer")])
    camera = await register(given)
    given.streams[0].user, given.name = "another", "Another"
    await change(camera, given)
    request = pb.ListCameraVersionsRequest(camera_id=camera.camera_id)
    found = await with_purpose(administrator).call("ListCameraVersions", request)
    assert [list(each.changed) for each in found.versions] == [["name"], []]
    for each in found.versions:
        assert not each.description.streams and not each.description.owner_iin
        assert each.description.owner_is_person


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (stream(url=f"rtsp://10.0.0.1/user=admin&password={SECRET}"), "url"),
        (stream(url=f"http://10.0.0.1/?PWD={SECRET}"), "url"),
        (stream(url=f"rtsp://root:{SECRET}@10.0.0.1/", password="another"), "url"),
        (stream(url=f"rtsp://root:s/{SECRET}@10.0.0.1/"), "url"),
        (stream(url="ftp://10.0.0.1/"), "url"),
        (stream(url="rtsp:///1"), "url"),
        (stream(url="rtsp://10.0.0.1:x/1"), "url"),
        (stream(url="rtsp://10.0.0.1/ 1"), "url"),
        (stream(""), "name"),
        (stream(role=pb.STREAM_ROLE_UNSPECIFIED), "role"),
        (stream(user="x" * 201), "user"),
        (stream(password="a\nb"), "password"),
    ],
)
async def test_a_wrong_stream_is_named_and_its_address_not_repeated(
    register: Register, describe: Describe, wrong: pb.CameraStream, field: str
) -> None:
    refusal = await refused(register(describe(streams=[wrong])))
    assert {error.field for error in refusal.fields} == {f"description.streams[0].{field}"}
    assert SECRET not in str(refusal.fields)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"streams": [stream(), stream()]}, "streams"),
        ({"streams": [stream(str(number)) for number in range(17)]}, "streams"),
        ({"onvif_profiles": ["S", "S"]}, "onvif_profiles"),
        ({"onvif_profiles": ["X"]}, "onvif_profiles"),
        ({"connected": False, "control_centre": "Centre 1"}, "control_centre"),
        ({"control_centre": "x" * 201}, "control_centre"),
        ({"owner_bin": "100140000003", "owner_iin": "900101300017"}, "owner_iin"),
        ({"owner_bin": "", "owner_iin": "100140000003"}, "owner_iin"),
        ({"owner_bin": ""}, "owner_bin"),
        ({"owner_bin": "", "owner_is_person": True}, "owner_iin"),
    ],
)
async def test_what_contradicts_itself_in_a_record_is_named(
    register: Register, describe: Describe, changes: dict[str, Any], field: str
) -> None:
    refusal = await refused(register(describe(**changes)))
    assert f"description.{field}" in {error.field for error in refusal.fields}


async def test_the_validity_of_a_type_approval_needs_its_number(
    register: Register, describe: Describe
) -> None:
    until = to_timestamp(datetime(2030, 1, 1, tzinfo=UTC))
    given = describe(
        kind=pb.CAMERA_KIND_OVERVIEW, certificate_number="", certificate_valid_until=until
    )
    refusal = await refused(register(given))
    assert [e.field for e in refusal.fields] == ["description.certificate_valid_until"]


async def test_a_row_of_an_import_takes_streams_and_a_person_and_keeps_them(
    administrator: Any, describe: Describe, engines: RunningTestMesh
) -> None:
    iin = synthetic_iin(DRAW)
    secret = stream(password=SECRET)
    given = [
        describe(place=somewhere(), streams=[secret]),
        describe(place=somewhere(), owner_bin="", owner_iin=iin),
        describe(place=somewhere(), owner_bin="", owner_is_person=True),
    ]
    first = batch(given)
    [answer] = await send(administrator, [first])
    assert figures(answer) == (2, 0, 0, [(3, "description.owner_iin", "BAD_REQUEST")])
    assert await send(administrator, [first]) == [answer]
    del given[2], given[0].streams[:]
    given[1].owner_iin, given[1].owner_is_person = "", True
    [again] = await send(administrator, [batch(given)])
    assert figures(again) == (0, 0, 2, [])
    given[0].streams.append(stream(password="another"))
    given[1].name = "Renamed"
    [changed] = await send(administrator, [batch(given)])
    assert figures(changed) == (0, 2, 0, [])
    stored = await everything(engines)
    assert SECRET.encode() not in stored and iin.encode() not in stored


async def test_the_audit_entry_of_an_import_has_no_plain_hash_of_secrets(
    administrator: Any, describe: Describe, engines: RunningTestMesh
) -> None:
    wanted = batch([describe(place=somewhere(), streams=[stream(password=SECRET)])])
    await send(administrator, [wanted])
    [entry] = await audited(engines, f"import:{wanted.import_id}")
    plain = hashlib.sha256(wanted.cameras[0].SerializeToString(deterministic=True)).hexdigest()
    assert len(entry["facts"]["rows_sha256"]) == 64 and entry["facts"]["rows_sha256"] != plain
