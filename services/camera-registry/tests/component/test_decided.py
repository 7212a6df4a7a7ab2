"""A camera that is changed behind the service's back is named, however it was registered."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from tartip_testing.audit import served_differences
from tartip_testing.mesh import RunningTestMesh

from .conftest import As
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
