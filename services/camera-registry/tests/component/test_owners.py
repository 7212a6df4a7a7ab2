"""Owners who are persons: to whom they are named, how they are sought, and that each is audited."""

import asyncio
from typing import Any

import asyncpg
import pytest
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip_cli.provision.vehicles import synthetic_iin
from tartip_testing.mesh import RunningTestMesh

from .stored import audited, everything
from .test_record import DRAW, Change, get, with_purpose
from .test_record import change as change
from .test_register import As, Describe, Register, refused


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
