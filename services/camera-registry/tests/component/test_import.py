"""Imports: batches that are taken whole or not at all, and refusals row by row."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import grpc
import pytest
from camera_registry.model.imports import Batch, Row
from camera_registry.usecases.imports import Imports
from chassis.clock import new_id
from chassis.identity import Caller, Operator
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2
from tartip_testing.mesh import RunningTestMesh

from .conftest import As
from .own_register import OwnRegister

Register = Callable[..., Awaitable[pb.Camera]]
Describe = Callable[..., pb.CameraDescription]
_places = itertools.count()


async def send(who: As, batches: list[pb.ImportCamerasRequest]) -> list[pb.ImportCamerasResponse]:
    async def requests() -> AsyncIterator[pb.ImportCamerasRequest]:
        for batch in batches:
            yield batch

    stream = who.stub.ImportCameras(requests(), timeout=20, metadata=who.metadata)
    return [answer async for answer in stream]


def batch(
    cameras: list[pb.CameraDescription],
    *,
    import_id: str = "",
    number: int = 1,
    dry_run: bool = False,
    ids: dict[int, str] | None = None,
) -> pb.ImportCamerasRequest:
    rows = [
        pb.ImportedCamera(row=row, camera_id=(ids or {}).get(row, ""), description=description)
        for row, description in enumerate(cameras, (number - 1) * 1000 + 1)
    ]
    return pb.ImportCamerasRequest(
        import_id=import_id or str(new_id()), number=number, dry_run=dry_run, cameras=rows
    )


def figures(answer: pb.ImportCamerasResponse) -> tuple[int, int, int, list[tuple[int, str, str]]]:
    refused = [(each.row, each.field, each.reason) for each in answer.refused]
    return answer.added, answer.changed, answer.unchanged, refused


def somewhere() -> common_pb2.Place:
    """A place in Almaty where no other camera stands."""
    number = next(_places)
    return common_pb2.Place(
        latitude=43.2 + number * 1e-5, longitude=76.9 + number * 1e-5, region="KZ-75"
    )


async def by_serial(who: As, serial: str) -> list[pb.Camera]:
    answer = await who.call("ListCameras", pb.ListCamerasRequest(serial_or_name=serial))
    return list(answer.cameras)


async def test_a_broken_row_among_many_is_named_and_the_others_are_taken(
    administrator: As, describe: Describe
) -> None:
    rows = [describe(place=somewhere()) for _ in range(300)]
    rows[17].place.latitude = 91
    rows[17].owner_bin = "1"
    rows[44].functions.append(pb.AI_FUNCTION_FACE)
    rows[77].place.region = "KZ-71"
    rows[99].serial = rows[98].serial.upper() + " "
    (answer,) = await send(administrator, [batch(rows)])
    assert figures(answer) == (
        296,
        0,
        0,
        [
            (18, "description.place.latitude", "BAD_REQUEST"),
            (18, "description.owner_bin", "BAD_REQUEST"),
            (45, "description.bases", "BASIS_REQUIRED"),
            (78, "description.place.region", "REGION_MISMATCH"),
            (100, "description.serial", "SERIAL_TAKEN"),
        ],
    )
    [kept] = await by_serial(administrator, rows[98].serial)
    assert answer.refused[-1].camera_id == kept.camera_id


async def test_a_row_that_was_made_from_another_version_is_refused_and_adds_nothing(
    administrator: As, describe: Describe, register: Register
) -> None:
    """So a bulk change undoes nothing that somebody changed meanwhile."""
    fresh, stale, gone = [await register() for _ in range(3)]
    await administrator.call("RetireCamera", pb.RetireCameraRequest(camera_id=gone.camera_id))
    unknown = pb.Camera(camera_id=str(new_id()), description=describe(), version=1)
    cameras = [fresh, stale, gone, unknown]
    for camera in cameras:
        camera.description.name = "Renamed"
    request = batch(
        [camera.description for camera in cameras],
        ids={row: camera.camera_id for row, camera in enumerate(cameras, 1)},
    )
    for row, version in zip(request.cameras, (1, 2, 1, 1), strict=True):
        row.version = version
    for dry_run in (True, False):
        request.dry_run = dry_run
        (answer,) = await send(administrator, [request])
        assert figures(answer) == (
            0,
            1,
            0,
            [
                (2, "version", "CAMERA_CHANGED_MEANWHILE"),
                (3, "camera_id", "CAMERA_RETIRED"),
                (4, "camera_id", "CAMERA_NOT_FOUND"),
            ],
        )


async def test_a_camera_that_is_known_is_changed_or_left_as_it_is(
    administrator: As, describe: Describe, register: Register
) -> None:
    same, other, named, gone = [await register() for _ in range(4)]
    await administrator.call("RetireCamera", pb.RetireCameraRequest(camera_id=gone.camera_id))
    before = pb.CameraDescription()
    before.CopyFrom(other.description)
    other.description.name = "Renamed"
    named.description.serial = f"SN-{new_id()}"
    cameras = [same, other, named, gone]
    answers = await send(
        administrator,
        [
            batch(
                [camera.description for camera in cameras],
                ids={3: named.camera_id, 4: gone.camera_id},
            )
        ],
    )
    assert figures(answers[0]) == (0, 2, 1, [(4, "camera_id", "CAMERA_RETIRED")])
    for camera, version in ((same, 1), (other, 2), (named, 2)):
        found = await administrator.call(
            "GetCamera", pb.GetCameraRequest(camera_id=camera.camera_id)
        )
        assert (found.camera.version, found.camera.description) == (version, camera.description)
    then = pb.GetCameraRequest(camera_id=other.camera_id, as_of=other.registered_at)
    assert (await administrator.call("GetCamera", then)).camera.description == before


async def test_a_changed_camera_keeps_what_a_file_does_not_hold(
    administrator: As, describe: Describe, register: Register
) -> None:
    standing = await register(describe(place=somewhere()))
    given = pb.CameraDescription()
    given.CopyFrom(standing.description)
    given.name, given.device_key = "Renamed", b""
    given.verifications[0].number = "V-2"
    (answer,) = await send(administrator, [batch([given])])
    assert figures(answer) == (0, 1, 0, [])
    found = await administrator.call("GetCamera", pb.GetCameraRequest(camera_id=standing.camera_id))
    described = found.camera.description
    assert (described.name, described.device_key) == ("Renamed", standing.description.device_key)
    assert [paper.number for paper in described.verifications] == ["V-1", "V-2"]
    (again,) = await send(administrator, [batch([given])])
    assert figures(again) == (0, 0, 1, [])


async def test_a_number_that_a_camera_gives_up_is_free_for_a_later_row(
    administrator: As, describe: Describe, register: Register
) -> None:
    standing = await register(describe(place=somewhere()))
    swapped = describe(place=somewhere())
    new = describe(serial=standing.description.serial, place=somewhere())
    for dry_run in (True, False):
        wanted = batch([swapped, new], ids={1: standing.camera_id}, dry_run=dry_run)
        (answer,) = await send(administrator, [wanted])
        assert figures(answer) == (1, 1, 0, [])


async def test_a_dry_run_answers_the_same_and_writes_nothing(
    administrator: As, describe: Describe
) -> None:
    rows = [describe(place=somewhere()) for _ in range(3)]
    rows[1].name = ""
    wanted = batch(rows, dry_run=True)
    (dry,) = await send(administrator, [wanted])
    assert await by_serial(administrator, rows[0].serial) == []
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await administrator.call("GetImport", pb.GetImportRequest(import_id=wanted.import_id))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    wanted.dry_run = False
    (wet,) = await send(administrator, [wanted])
    assert wet == dry
    assert figures(wet) == (2, 0, 0, [(2, "description.name", "BAD_REQUEST")])


async def test_a_stream_that_is_cut_goes_on_where_it_was_and_repeats_nothing(
    administrator: As, describe: Describe
) -> None:
    import_id = str(new_id())
    batches = [
        batch([describe(place=somewhere()) for _ in range(5)], import_id=import_id, number=number)
        for number in (1, 2, 3)
    ]
    first = await send(administrator, batches[:2])
    standing = await administrator.call("GetImport", pb.GetImportRequest(import_id=import_id))
    assert (standing.last_number, standing.last_row, standing.added) == (2, 1005, 10)
    assert await send(administrator, batches) == [
        *first,
        pb.ImportCamerasResponse(number=3, added=5),
    ]
    for wrong, code in (
        (batch([describe()], import_id=import_id, number=3), grpc.StatusCode.ALREADY_EXISTS),
        (batch([describe()], import_id=import_id, number=5), grpc.StatusCode.INVALID_ARGUMENT),
        (pb.ImportCamerasRequest(import_id=import_id, number=4), grpc.StatusCode.INVALID_ARGUMENT),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await send(administrator, [wrong])
        assert refused.value.code() is code


async def test_two_imports_of_the_same_cameras_at_once_register_each_once(
    administrator: As, describe: Describe
) -> None:
    rows = [describe(place=somewhere()) for _ in range(200)]
    answers = await asyncio.gather(
        *(send(administrator, [batch(order)]) for order in (rows, rows[::-1], rows))
    )
    assert sum(answer.added for (answer,) in answers) == 200
    for description in rows[::40]:
        assert len(await by_serial(administrator, description.serial)) == 1


async def test_a_camera_of_a_region_that_is_not_the_callers_is_neither_told_nor_taken(
    own: OwnRegister,
) -> None:
    hidden = await own.camera(serial="SN-1")
    astana = Caller("service", "operator-gateway", Operator("cameras-2", frozenset(), ("KZ-71",)))
    there = common_pb2.Place(latitude=51.17, longitude=71.45, region="KZ-71")
    descriptions = [
        own.description(serial="sn-1", place=there),
        own.description(place=there),
        own.description(),
    ]
    rows = [Row(number, None, each) for number, each in enumerate(descriptions, 1)]
    rows.append(Row(4, hidden, own.description(place=there)))
    outcome = await Imports(own.db).take(Batch(new_id(), 1, tuple(rows), b"rows"), astana)
    assert outcome.added == 1
    assert [(each.row, each.reason, each.camera_id) for each in outcome.refused] == [
        (1, "SERIAL_TAKEN", ""),
        (3, "NOT_ALLOWED", ""),
        (4, "SERIAL_TAKEN", ""),
    ]
    assert (await own.known(hidden)).version == 1


async def test_a_camera_at_the_very_same_place_is_taken_and_told(
    administrator: As, describe: Describe, register: Register
) -> None:
    place = somewhere()
    standing = await register(describe(place=place))
    (answer,) = await send(administrator, [batch([describe(place=place)])])
    assert answer.added == 1
    assert [(each.row, each.reason, each.camera_id) for each in answer.probable_duplicates] == [
        (1, "PROBABLE_DUPLICATE", standing.camera_id)
    ]


async def test_a_batch_is_one_event_one_entry_and_counts_at_once(
    administrator: As, describe: Describe, engines: RunningTestMesh
) -> None:
    before = await administrator.call("GetStatistics", pb.GetStatisticsRequest(region="KZ-75"))
    wanted = batch([describe(place=somewhere()) for _ in range(50)])
    await send(administrator, [wanted])
    after = await administrator.call("GetStatistics", pb.GetStatisticsRequest(region="KZ-75"))
    assert after.total.registered - before.total.registered == 50
    connection = await asyncpg.connect(engines.database.url)
    await connection.execute("SET search_path = camera_registry")
    named = f"import:{wanted.import_id}"
    events = await connection.fetch("SELECT subject FROM outbox WHERE aggregate = $1", named)
    entries = await connection.fetch(
        "SELECT canonical FROM audit WHERE position(convert_to($1, 'UTF8') in canonical) > 0", named
    )
    [camera] = await by_serial(administrator, wanted.cameras[7].description.serial)
    about_one = await connection.fetch(
        "SELECT canonical FROM audit WHERE position(convert_to($1, 'UTF8') in canonical) > 0",
        f"camera:{camera.camera_id}",
    )
    await connection.close()
    assert [row["subject"] for row in events] == ["cameras.v1.imported"]
    assert len(entries) == 1 and about_one == entries
