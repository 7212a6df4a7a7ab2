"""Streams and owners who are persons: what is answered to whom, and what is never answered."""

import asyncio
import hashlib
import json
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from chassis.clock import new_id, to_timestamp
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip_cli.provision.vehicles import synthetic_iin
from tartip_testing.mesh import RunningTestMesh

from .conftest import _moment
from .test_import import batch, figures, send, somewhere
from .test_register import As, Describe, Register, refused

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


async def rows(engines: RunningTestMesh, query: str, *values: object) -> list[Any]:
    connection = await asyncpg.connect(engines.database.url)
    try:
        await connection.execute("SET search_path = camera_registry")
        return list(await connection.fetch(query, *values))
    finally:
        await connection.close()


async def everything(engines: RunningTestMesh) -> bytes:
    """All rows of all tables of the register, as text."""
    tables = await rows(
        engines, "SELECT tablename FROM pg_tables WHERE schemaname = 'camera_registry'"
    )
    found = b""
    for table in tables:
        name = table["tablename"]
        for row in await rows(engines, f'SELECT * FROM "{name}"'):
            found += b"\n".join(
                cell if isinstance(cell, bytes) else str(cell).encode() for cell in row
            )
    return found


async def audited(engines: RunningTestMesh, about: str) -> list[dict[str, Any]]:
    found = await rows(
        engines,
        "SELECT canonical FROM audit WHERE position(convert_to($1, 'UTF8') in canonical) > 0"
        " ORDER BY position",
        about,
    )
    return [json.loads(row["canonical"]) for row in found]


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
    given.streams[0].url, given.streams[0].password = "rtsp://10.0.0.2/1", ""
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


async def test_retirement_erases_the_passwords_and_their_key(
    administrator: Any, register: Register, describe: Describe, engines: RunningTestMesh
) -> None:
    camera = await register(describe(streams=[stream(password=SECRET)]))
    query = "SELECT * FROM camera_streams WHERE camera_id = $1"
    [before] = await rows(engines, query, camera.camera_id)
    await administrator.call("RetireCamera", pb.RetireCameraRequest(camera_id=camera.camera_id))
    [after] = await rows(engines, query, camera.camera_id)
    assert (after["password_sealed"], after["password_index"], after["key_id"]) == (None,) * 3
    [key] = await rows(engines, "SELECT * FROM data_keys WHERE key_id = $1", before["key_id"])
    assert key["wrapped"] is None and key["destroyed_at"] is not None
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


async def test_a_person_is_named_to_those_who_may_know_and_say_why(
    as_: As, register: Register, describe: Describe, engines: RunningTestMesh
) -> None:
    iin = synthetic_iin(DRAW)
    camera = await register(describe(owner_bin="", owner_iin=iin))
    assert (camera.description.owner_iin, camera.description.owner_is_person) == ("", True)
    administrator = as_("operator-gateway", operator="cameras-1")
    inspector = with_purpose(as_("operator-gateway", operator="inspector-almaty"))
    for who in (administrator, inspector, as_("violations")):
        found = await get(who, camera)
        assert (found.description.owner_iin, found.description.owner_is_person) == ("", True)
    before = len(await audited(engines, f"camera:{camera.camera_id}"))
    for who in (administrator, as_("operator-gateway", operator="supervisor-almaty")):
        assert (await get(with_purpose(who), camera)).description.owner_iin == iin
    entries = (await audited(engines, f"camera:{camera.camera_id}"))[before:]
    assert [each["action"] for each in entries] == ["read_owner", "read_owner"]
    assert {each["purpose"] for each in entries} == {"check of owners"}
    assert iin.encode() not in await everything(engines)


async def test_a_change_without_a_number_leaves_the_owner_who_is_a_person(
    administrator: Any, register: Register, describe: Describe, change: Change
) -> None:
    iin = synthetic_iin(DRAW)
    given = describe(owner_bin="", owner_iin=iin)
    camera = await register(given)
    assert (await change(camera, given)).version == 1
    left = pb.CameraDescription()
    left.CopyFrom(camera.description)
    assert (await change(camera, left)).version == 1
    left.name = "Renamed"
    renamed = await change(camera, left)
    asking = with_purpose(administrator)
    assert (await get(asking, camera)).description.owner_iin == iin
    left.owner_iin = synthetic_iin(DRAW)
    other = await change(renamed, left)
    assert (await get(asking, camera)).description.owner_iin == left.owner_iin
    left.owner_iin, left.owner_is_person, left.owner_bin = "", False, "100140000003"
    sold = await change(other, left)
    assert (sold.version, sold.description.owner_is_person) == (4, False)
    left.owner_bin, left.owner_is_person = "", True
    refusal = await refused(change(sold, left))
    assert [error.field for error in refusal.fields] == ["description.owner_iin"]


async def test_cameras_are_found_by_their_owner_and_that_is_audited(
    administrator: Any, as_: As, register: Register, describe: Describe, engines: RunningTestMesh
) -> None:
    iin, nobody = synthetic_iin(DRAW), synthetic_iin(DRAW)
    mine = [(await register(describe(owner_bin="", owner_iin=iin))).camera_id for _ in range(3)]
    await register(describe(owner_bin="", owner_iin=synthetic_iin(DRAW)))
    place = describe().place
    near = pb.Area(latitude=place.latitude, longitude=place.longitude, radius_metres=50)
    before = len(await audited(engines, '"action":"look_up"'))
    asked: tuple[dict[str, Any], ...] = (
        {},
        {"area": near},
        {"region": "KZ-75", "kind": pb.CAMERA_KIND_SPEED_POINT},
        {"order": pb.CAMERA_ORDER_NAME},
        {"text": describe().name},
        {"with_retired": True},
    )
    for more in asked:
        request = pb.ListCamerasRequest(owner_iin=iin, **more)
        answer = await administrator.call("ListCameras", request)
        assert sorted(camera.camera_id for camera in answer.cameras) == mine
        assert not any(camera.description.owner_iin for camera in answer.cameras)
    missed = await administrator.call("ListCameras", pb.ListCamerasRequest(owner_iin=nobody))
    assert not missed.cameras
    entries = (await audited(engines, '"action":"look_up"'))[before:]
    assert [each["facts"]["found"] for each in entries] == [*["3"] * len(asked), "0"]
    assert entries[0]["facts"]["asked"] != entries[-1]["facts"]["asked"]
    assert len({each["facts"]["asked"] for each in entries}) == 2
    for who in (as_("operator-gateway", operator="inspector-almaty"), as_("tartip-cli")):
        request = pb.ListCamerasRequest(owner_iin=iin)
        assert (await refused(who.call("ListCameras", request))).code == "NOT_ALLOWED"
    wrong = administrator.call("ListCameras", pb.ListCamerasRequest(owner_iin="123"))
    assert [error.field for error in (await refused(wrong)).fields] == ["owner_iin"]


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


async def test_two_first_cameras_of_one_person_at_once_are_both_registered(
    register: Register, describe: Describe
) -> None:
    iin = synthetic_iin(DRAW)
    made = await asyncio.gather(
        *(register(describe(owner_bin="", owner_iin=iin)) for _ in range(4))
    )
    assert all(camera.description.owner_is_person for camera in made)


async def test_the_cameras_of_a_person_are_read_by_an_index_under_row_level_security(
    scratch: Any,
) -> None:
    connection = await asyncpg.connect(scratch.runtime)
    await connection.execute("SELECT set_config('app.kind', 'service', false)")
    await connection.execute("SET enable_seqscan = off")
    plan = await connection.fetch(
        "EXPLAIN SELECT camera_id FROM camera_registry.camera_owners WHERE owner_index = 'x'::bytea"
    )
    await connection.close()
    assert any("Index Cond: (owner_index =" in row[0] for row in plan), plan


@pytest.mark.parametrize(
    ("roles", "sees"), [("camera_administrator", True), ("supervisor", True), ("inspector", False)]
)
async def test_the_database_hides_persons_from_other_roles(
    register: Register, describe: Describe, engines: RunningTestMesh, roles: str, sees: bool
) -> None:
    camera = await register(describe(owner_bin="", owner_iin=synthetic_iin(DRAW)))
    connection = await asyncpg.connect(engines.database.runtime_url("camera_registry"))
    settings = {"kind": "operator", "regions": '["KZ-75"]', "roles": f'["{roles}"]'}
    for name, value in settings.items():
        await connection.execute("SELECT set_config($1, $2, false)", f"app.{name}", value)
    query = "SELECT count(*) FROM camera_registry.camera_owners WHERE camera_id = $1"
    found = await connection.fetchval(query, camera.camera_id)
    await connection.close()
    assert bool(found) == sees
