"""Stores the parts of a camera's description that are in separate tables: streams, and an owner who
is a person."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from chassis.transaction import Tx

from camera_registry.model.camera import Camera
from camera_registry.storage import owners, streams


async def completed(tx: Tx, cameras: Sequence[Camera]) -> list[Camera]:
    """Return the cameras with their streams and, if an owner is a person, the owner's blind index
    (keyed hash).

    Two descriptions can be compared only after both were completed in this way.
    """
    if not cameras:
        return []
    found = await streams.streams_of(tx, [camera.camera_id for camera in cameras])
    persons = [camera.camera_id for camera in cameras if not camera.description.owner_bin]
    indexes = await owners.indexes_of(tx, persons) if persons else {}
    return [
        replace(
            camera,
            description=replace(
                camera.description,
                streams=found.get(camera.camera_id, ()),
                owner_index=indexes.get(camera.camera_id, b""),
            ),
        )
        for camera in cameras
    ]


async def add(tx: Tx, cameras: Collection[Camera]) -> None:
    """Store streams and owners of new cameras. The cameras' rows in the table `cameras` must be
    there already."""
    described = {camera.camera_id: camera.description for camera in cameras}
    await owners.add(tx, described)
    await streams.add(tx, {key: each.streams for key, each in described.items() if each.streams})


async def save(tx: Tx, cameras: Collection[Camera]) -> None:
    """Store streams and owners of changed cameras. A stored stream that a camera no longer has is
    deleted."""
    described = {camera.camera_id: camera.description for camera in cameras}
    if described:
        await owners.save(tx, described)
        await streams.save(tx, {key: each.streams for key, each in described.items()})
