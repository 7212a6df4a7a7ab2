"""Consumers of the camera register's events: they invalidate cached cameras, move streams to
a camera's new region, and remove the streams of retired cameras."""

from uuid import UUID

from chassis.transaction import Tx
from host.consumer import Meta, Subscription
from tartip.cameras.v1 import events_pb2

from inference_gateway.cameras import storage
from inference_gateway.streams.storage import move_stream, remove_stream


async def on_registered(tx: Tx, event: events_pb2.CameraRegistered, _: Meta) -> None:
    await storage.announce_camera(tx, UUID(event.camera_id), region=event.region, version=1)


async def on_changed(tx: Tx, event: events_pb2.CameraChanged, _: Meta) -> None:
    camera_id = UUID(event.camera_id)
    is_newest = await storage.announce_camera(
        tx, camera_id, region=event.region, version=event.version
    )
    if is_newest:
        await move_stream(tx, camera_id, event.region)


async def on_retired(tx: Tx, event: events_pb2.CameraRetired, _: Meta) -> None:
    # Retired is for good; which version says so does not matter any more.
    await storage.announce_camera(
        tx, UUID(event.camera_id), region=event.region, version=1, retired=True
    )
    await remove_stream(tx, UUID(event.camera_id))


SUBSCRIPTIONS = {
    "cameras.v1.registered": Subscription(events_pb2.CameraRegistered, on_registered),
    "cameras.v1.changed": Subscription(events_pb2.CameraChanged, on_changed),
    "cameras.v1.retired": Subscription(events_pb2.CameraRetired, on_retired),
}
