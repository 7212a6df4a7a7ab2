"""One function for each published fact."""

from datetime import datetime

from chassis.clock import to_timestamp
from chassis.event import Event
from google.protobuf.message import Message
from tartip.cameras.v1 import cameras_pb2, events_pb2

from camera_registry.model import Camera


def camera_registered(camera: Camera) -> Event:
    kind = cameras_pb2.CameraKind.Value(f"CAMERA_KIND_{camera.description.kind}")
    return _event(
        "registered",
        camera,
        events_pb2.CameraRegistered(
            camera_id=str(camera.camera_id),
            region=camera.description.place.region,
            kind=kind,
            registered_at=to_timestamp(camera.registered_at),
        ),
    )


def camera_changed(camera: Camera, now: datetime) -> Event:
    return _event(
        "changed",
        camera,
        events_pb2.CameraChanged(
            camera_id=str(camera.camera_id),
            region=camera.description.place.region,
            version=camera.version,
            changed_at=to_timestamp(now),
        ),
    )


def camera_retired(camera: Camera) -> Event:
    return _event(
        "retired",
        camera,
        events_pb2.CameraRetired(
            camera_id=str(camera.camera_id),
            region=camera.description.place.region,
            retired_at=to_timestamp(camera.retired_at),
        ),
    )


def camera_status_changed(camera: Camera) -> Event:
    status = cameras_pb2.CameraStatus.Value(f"CAMERA_STATUS_{camera.status}")
    return _event(
        "status_changed",
        camera,
        events_pb2.CameraStatusChanged(
            camera_id=str(camera.camera_id),
            region=camera.description.place.region,
            status=status,
            as_of=to_timestamp(camera.status_as_of),
        ),
    )


def _event(fact: str, camera: Camera, message: Message) -> Event:
    return Event(
        f"cameras.v1.{fact}",
        str(camera.camera_id),
        camera.version,
        camera.description.place.region,
        message,
    )
