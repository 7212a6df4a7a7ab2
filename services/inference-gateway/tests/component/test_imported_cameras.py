"""Cameras that an import has added: only their number is told, and they are known all the same."""

import asyncio
from datetime import UTC, datetime

import pytest
from chassis.clock import new_id
from tartip.cameras.v1 import events_pb2 as camera_events
from tartip_testing.mesh import RunningTestMesh

from .callers import As, refused
from .peers import Device, Register

pytestmark = pytest.mark.usefixtures("triton")


async def tell_of_import(engines: RunningTestMesh) -> None:
    """As the register tells of a batch of an import: with a count, and without the cameras."""
    event = camera_events.CamerasImported(import_id=str(new_id()), number=1, added=1)
    client = await engines.nats_client("camera-registry")
    headers = {
        "ce-id": str(new_id()),
        "tartip-aggregate": event.import_id,
        "tartip-version": "1",
        "tartip-region": "KZ-75",
        "tartip-story": "",
    }
    content = event.SerializeToString()
    await client.jetstream().publish("cameras.v1.imported", content, headers=headers)
    await client.close()


def test_a_camera_that_was_not_known_is_known_once_it_is_imported(
    engines: RunningTestMesh, edge: As, register: tuple[Register, str], scene: bytes
) -> None:
    imported = Device()
    with refused("CAMERA_NOT_FOUND"):
        edge.ingest(imported, scene, at=datetime.now(UTC))
    register[0].add(imported)
    asyncio.run(tell_of_import(engines))
    at = datetime.now(UTC)
    result = edge.ingest(imported, scene, at=at, readings=imported.sign(scene, at))
    assert [plate.text for plate in result.plates] == ["463DXA02"]
    edge.ingest(imported, scene)
    assert register[0].asked.count(imported.camera_id) == 2, "not found, then read and kept"
