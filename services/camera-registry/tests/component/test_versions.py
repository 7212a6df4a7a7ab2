"""A camera as it was described at a moment, by which measurements of that moment are judged."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
from alembic import command
from alembic.config import Config
from chassis.clock import from_timestamp, new_id, to_timestamp
from chassis.grpc_status import from_error
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2
from tartip_testing.mesh import RunningTestMesh

As = Callable[..., Any]
Register = Callable[..., Awaitable[pb.Camera]]
Describe = Callable[..., pb.CameraDescription]
SCHEMA = "camera_registry"
MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
INSTANT = timedelta(microseconds=1)


async def as_of(caller: Any, camera_id: str, moment: Any) -> pb.Camera:
    request = pb.GetCameraRequest(camera_id=camera_id, as_of=to_timestamp(moment))
    camera: pb.Camera = (await caller.call("GetCamera", request)).camera
    return camera


async def reason_of(call: Awaitable[object]) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_error(caught.value).reason


async def change(administrator: Any, camera: pb.Camera, given: pb.CameraDescription) -> pb.Camera:
    request = pb.ChangeCameraRequest(
        camera_id=camera.camera_id, version=camera.version, description=given
    )
    changed: pb.Camera = (await administrator.call("ChangeCamera", request)).camera
    return changed


async def held_from(engines: RunningTestMesh, camera: pb.Camera) -> list[Any]:
    """From when each version of a camera held, in order."""
    connection = await asyncpg.connect(engines.database.url)
    rows = await connection.fetch(
        f"SELECT version, held_from FROM {SCHEMA}.camera_versions WHERE camera_id = $1"
        f" UNION ALL SELECT version, held_from FROM {SCHEMA}.cameras WHERE camera_id = $1"
        " ORDER BY version",
        camera.camera_id,
    )
    await connection.close()
    return [row["held_from"] for row in rows]


async def test_a_camera_is_answered_as_it_was_described_at_a_moment(
    engines: RunningTestMesh, administrator: Any, register: Register, describe: Describe
) -> None:
    first = describe()
    camera = await register(first)
    second = describe(
        serial=first.serial,
        kind=pb.CAMERA_KIND_OVERVIEW,
        speed_tolerance_kmh=1.0,
        verifications=[],
        device_key=b"",
        place=common_pb2.Place(latitude=43.3, longitude=76.8, region="KZ-75", address="Moved"),
    )
    changed = await change(administrator, camera, second)
    registered, moved = await held_from(engines, camera)
    assert registered == from_timestamp(camera.registered_at)
    for moment, given in ((registered, first), (moved - INSTANT, first), (moved, second)):
        described = await as_of(administrator, camera.camera_id, moment)
        assert described.description == given
        # What is not described is of now.
        assert (described.version, described.status) == (changed.version, changed.status)


async def test_the_future_is_described_as_the_present(
    administrator: Any, register: Register, describe: Describe
) -> None:
    camera = await register()
    changed = await change(administrator, camera, describe(serial=camera.description.serial))
    ahead = from_timestamp(camera.registered_at) + timedelta(days=400)
    assert await as_of(administrator, camera.camera_id, ahead) == changed


async def test_before_its_registration_a_camera_is_refused_by_name(
    administrator: Any, register: Register
) -> None:
    camera = await register()
    before = from_timestamp(camera.registered_at) - INSTANT
    assert await reason_of(as_of(administrator, camera.camera_id, before)) == (
        "CAMERA_NOT_REGISTERED_THEN"
    )


async def test_a_retired_camera_is_still_answered_as_it_was(
    administrator: Any, register: Register
) -> None:
    camera = await register()
    await administrator.call("RetireCamera", pb.RetireCameraRequest(camera_id=camera.camera_id))
    retired = await as_of(administrator, camera.camera_id, from_timestamp(camera.registered_at))
    assert retired.description == camera.description
    assert retired.status == pb.CAMERA_STATUS_RETIRED and retired.HasField("retired_at")


async def test_a_moment_outside_of_the_calendar_is_a_wrong_field(
    administrator: Any, register: Register
) -> None:
    request = pb.GetCameraRequest(camera_id=(await register()).camera_id)
    request.as_of.seconds = 10**15
    assert await reason_of(administrator.call("GetCamera", request)) == "BAD_REQUEST"


async def test_who_sees_a_camera_sees_all_that_it_was_and_nobody_else_anything(
    as_: As, administrator: Any, register: Register, describe: Describe
) -> None:
    """There and back again: a hidden version must not be answered by the one before it."""
    camera = await register()
    home, serial = camera.description.place, camera.description.serial
    away = common_pb2.Place(latitude=51.1, longitude=71.4, region="KZ-71")
    gone = await change(administrator, camera, describe(serial=serial, place=away, name="Away"))
    almaty = as_("operator-gateway", operator="inspector-almaty")
    astana = as_("operator-gateway", operator="inspector-astana")
    now = from_timestamp(camera.registered_at) + timedelta(days=1)
    then = from_timestamp(camera.registered_at)
    assert await reason_of(as_of(almaty, camera.camera_id, then)) == "CAMERA_NOT_FOUND"
    assert (await as_of(astana, camera.camera_id, then)).description == camera.description
    back = await change(administrator, gone, describe(serial=serial, place=home))
    assert (await as_of(almaty, camera.camera_id, now)).description == back.description
    assert await reason_of(as_of(astana, camera.camera_id, now)) == "CAMERA_NOT_FOUND"


async def test_a_repeated_registration_and_a_refused_change_leave_no_version(
    engines: RunningTestMesh, administrator: Any, register: Register, describe: Describe
) -> None:
    camera, other = await register(), await register()
    await register(camera.description, camera.camera_id)
    taken = describe(serial=other.description.serial)
    assert await reason_of(change(administrator, camera, taken)) == "SERIAL_TAKEN"
    assert len(await held_from(engines, camera)) == 1


def upgrade(owner_url: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes.update(owner_url=owner_url, schema=SCHEMA)
    command.upgrade(config, revision)


def test_cameras_of_an_older_register_have_their_present_description_since_registration(
    empty_database: Any,
) -> None:
    provisioner = empty_database.provisioner
    upgrade(empty_database.owner, "0001")
    camera_id = new_id()

    async def add() -> None:
        connection = await asyncpg.connect(provisioner)
        await connection.execute(
            f"INSERT INTO {SCHEMA}.cameras VALUES ($1, 'KZ-75', 'Old', 43, 76, '', 'ANPR', 'S',"
            " '', '', 0, '', true, '{PLATE}', '[]', '', '', 0, 600, 'UNKNOWN', now(), null, 5,"
            " '2025-03-01T00:00:00Z')",
            camera_id,
        )
        await connection.close()

    async def versions() -> list[Any]:
        connection = await asyncpg.connect(provisioner)
        rows = await connection.fetch(
            "SELECT version, held_from = registered_at AS since, name, functions"
            f" FROM {SCHEMA}.cameras"
        )
        await connection.close()
        return [tuple(row) for row in rows]

    asyncio.run(add())
    empty_database.migrate()
    assert asyncio.run(versions()) == [(5, True, "Old", ["PLATE"])]


def test_the_newest_version_of_before_becomes_the_row_that_holds(empty_database: Any) -> None:
    upgrade(empty_database.owner, "0014")
    camera_id, other = new_id(), new_id()
    described = (
        "region, name, latitude, longitude, address, kind, serial, make, model, azimuth_degrees,"
        " owner_bin, connected, functions, verifications, device_key, certificate_number,"
        " speed_tolerance_kmh, dedupe_seconds"
    )
    values = (
        "'KZ-75', $2, 43, 76, '', 'ANPR', $2, '', '', 0, '', true, '{PLATE}', '[]', '', '', 0, 600"
    )

    async def add() -> None:
        connection = await asyncpg.connect(empty_database.provisioner)
        await connection.execute(f"SET search_path = {SCHEMA}")
        for each, name, version in ((camera_id, "New", 2), (other, "Only", 1)):
            await connection.execute(
                f"INSERT INTO {SCHEMA}.cameras (camera_id, {described}, status, status_as_of,"
                f" version, registered_at, cell) VALUES ($1, {values}, 'UNKNOWN', now(), $3,"
                " '2025-03-01T00:00:00Z', 0)",
                each,
                name,
                version,
            )
        for each, name, version in (
            (camera_id, "Old", 1),
            (camera_id, "New", 2),
            (other, "Only", 1),
        ):
            await connection.execute(
                f"INSERT INTO {SCHEMA}.camera_versions (camera_id, {described}, version, held_from)"
                f" VALUES ($1, {values}, $3,"
                " timestamptz '2025-02-01' + $3::bigint * interval '1 month')",
                each,
                name,
                version,
            )
        await connection.close()

    async def kept() -> dict[str, list[Any]]:
        connection = await asyncpg.connect(empty_database.provisioner)
        query = "SELECT name, version, held_from::date FROM {}.{} ORDER BY name"
        found = {
            table: [tuple(row) for row in await connection.fetch(query.format(SCHEMA, table))]
            for table in ("cameras", "camera_versions")
        }
        await connection.close()
        return found

    asyncio.run(add())
    empty_database.migrate()
    first, second = date(2025, 3, 1), date(2025, 4, 1)
    assert asyncio.run(kept()) == {
        "cameras": [("New", 2, second), ("Only", 1, first)],
        "camera_versions": [("Old", 1, first)],
    }


def test_spellings_of_one_serial_number_of_before_stay_and_the_first_counts(
    empty_database: Any,
) -> None:
    upgrade(empty_database.owner, "0007")
    cameras = [(new_id(), serial) for serial in ("AB-1", "ab-1", "AB-2")]

    async def add() -> None:
        connection = await asyncpg.connect(empty_database.provisioner)
        for place, (camera_id, serial) in enumerate(cameras):
            await connection.execute(
                f"INSERT INTO {SCHEMA}.cameras (camera_id, region, name, latitude, longitude,"
                " address, kind, serial, make, model, azimuth_degrees, owner_bin, connected,"
                " functions, verifications, device_key, certificate_number, speed_tolerance_kmh,"
                " dedupe_seconds, status, status_as_of, version, registered_at)"
                " VALUES ($1, 'KZ-75', 'Old', 43, 76, '', 'ANPR', $2, 'Dahua', '', 0, '', true,"
                " '{PLATE}', '[]', '', '', 0, 600, 'UNKNOWN', now(), 1,"
                " timestamptz '2025-03-01' + $3 * interval '1 day')",
                camera_id,
                serial,
                place,
            )
        await connection.close()

    async def compared() -> list[Any]:
        connection = await asyncpg.connect(empty_database.provisioner)
        rows = await connection.fetch(
            f"SELECT serial, make_folded, serial_folded FROM {SCHEMA}.cameras"
            " ORDER BY registered_at"
        )
        await connection.close()
        return [tuple(row) for row in rows]

    asyncio.run(add())
    empty_database.migrate()
    assert asyncio.run(compared()) == [
        ("AB-1", "DAHUA", "AB-1"),
        ("ab-1", None, "AB-1"),
        ("AB-2", "DAHUA", "AB-2"),
    ]
