"""A camera that is changed behind the service's back is named, however it was registered."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from audit_log.decisions import Decision, audit_decision
from camera_registry.model.camera import CAMERA
from camera_registry.model.imports import ROWS_MAX, Batch, Row
from camera_registry.storage.decided_cameras import SOURCES
from camera_registry.storage.tables import cameras
from camera_registry.usecases.imports import Imports
from chassis.clock import new_id
from chassis.tables import audit
from chassis.transaction import SYSTEM
from sqlalchemy import func, select, update
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip_testing.audit import record_differences, served_differences
from tartip_testing.mesh import RunningTestMesh

from .conftest import SERVICE, As, Scratch
from .own_register import ADMINISTRATOR, OwnRegister
from .test_import import batch, by_serial, send, somewhere
from .test_register import Describe, Register

CHANGES = ("latitude = latitude + 0.01", "address = ''", "speed_tolerance_kmh = 9", "version = 9")


async def found_about(engines: RunningTestMesh, camera_id: str) -> list[str]:
    found = await served_differences(engines, "camera-registry")
    return [line for line in found if camera_id in line]


@pytest.fixture
def behind(engines: RunningTestMesh) -> Callable[..., Awaitable[None]]:
    """Changes a camera as the database's administrator, past row security."""

    async def change(assignment: str, camera_id: str) -> None:
        connection = await asyncpg.connect(engines.database.url)
        await connection.execute("SET search_path = camera_registry")
        await connection.execute(f"UPDATE cameras SET {assignment} WHERE camera_id = $1", camera_id)
        await connection.close()

    return change


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_behind_the_services_back_is_named(
    engines: RunningTestMesh,
    register: Register,
    behind: Callable[..., Awaitable[None]],
    change: str,
) -> None:
    camera_id = (await register()).camera_id
    await behind(change, camera_id)
    [found] = await found_about(engines, camera_id)
    assert found.startswith(f"camera:{camera_id}: its fields are not those that ")


async def test_an_imported_camera_is_as_its_last_import_decided(
    engines: RunningTestMesh,
    administrator: As,
    describe: Describe,
    behind: Callable[..., Awaitable[None]],
) -> None:
    rows = [describe(place=somewhere()) for _ in range(3)]
    await send(administrator, [batch(rows)])
    cameras = [(await by_serial(administrator, row.serial))[0].camera_id for row in rows]
    rows[1].place.address = "Abai 2"
    await send(administrator, [batch(rows)])
    for camera_id in cameras:
        assert await found_about(engines, camera_id) == []
    await behind("latitude = latitude + 0.01", cameras[0])
    await behind("latitude = latitude + 0.01", cameras[1])
    assert [len(await found_about(engines, camera_id)) for camera_id in cameras] == [1, 1, 0]


async def test_single_changes_and_imports_of_a_camera_follow_each_other(
    engines: RunningTestMesh, administrator: As, describe: Describe, register: Register
) -> None:
    given = describe(place=somewhere())
    await send(administrator, [batch([given])])
    [camera] = await by_serial(administrator, given.serial)
    camera.description.name = "Changed alone"
    change = pb.ChangeCameraRequest(
        camera_id=camera.camera_id, description=camera.description, version=camera.version
    )
    await administrator.call("ChangeCamera", change)
    alone = await register()
    alone.description.name = "Changed by an import"
    await send(administrator, [batch([alone.description])])
    for camera_id in (camera.camera_id, alone.camera_id):
        assert await found_about(engines, camera_id) == []


async def imported(own: OwnRegister, count: int) -> Batch:
    """Import a batch of new cameras."""
    rows = [Row(number, None, own.description(place=somewhere())) for number in range(1, count + 1)]
    batch = Batch(new_id(), 1, tuple(rows), b"rows")
    assert (await Imports(own.db).take(batch, ADMINISTRATOR)).added == count
    return batch


async def test_a_camera_with_an_entry_of_its_own_as_imports_once_wrote_is_right(
    own: OwnRegister, scratch: Scratch
) -> None:
    await imported(own, 3)

    async def wrong() -> set[str]:
        return await record_differences(own.db, scratch.seal, SERVICE, SOURCES)

    async with own.db.begin(SYSTEM) as tx:
        *_, row = (await tx.execute(select(cameras).order_by(cameras.c.camera_id))).all()
        decision, ref = Decision("register", {"import": "1"}), f"camera:{row.camera_id}"
        entry = audit_decision(tx, ref, decision, {CAMERA: row._asdict()}, region=row.region)
        named = {"audit_entry": entry.audit_entry, "audit_hash": None}
        this = cameras.c.camera_id == row.camera_id
        await tx.execute(update(cameras).where(this).values(named))
    assert await wrong() == set()
    async with own.db.begin(SYSTEM) as tx:
        await tx.execute(update(cameras).where(this).values(address="elsewhere"))
    [found] = await wrong()
    assert found.startswith(f"{ref}: its fields are not those that ")


async def test_the_largest_batch_has_one_entry_that_all_its_cameras_name(
    own: OwnRegister, scratch: Scratch
) -> None:
    async with own.db.begin(SYSTEM) as tx:
        before = await tx.scalar(select(func.count()).select_from(audit))
    await imported(own, ROWS_MAX)
    async with own.db.begin(SYSTEM) as tx:
        assert await tx.scalar(select(func.count()).select_from(audit)) == before + 1
        entry_id = await tx.scalar(select(cameras.c.audit_entry).distinct())
        named = select(func.count()).where(cameras.c.audit_entry == entry_id)
        assert await tx.scalar(named) == ROWS_MAX
        length = select(func.octet_length(audit.c.canonical)).where(audit.c.entry_id == entry_id)
        assert await tx.scalar(length) < 200_000
    assert await record_differences(own.db, scratch.seal, SERVICE, SOURCES) == set()
