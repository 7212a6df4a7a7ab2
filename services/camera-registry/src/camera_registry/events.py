"""Builds the events that the service publishes, with one function for each kind of event."""

from datetime import datetime
from uuid import UUID

from chassis.clock import to_timestamp
from chassis.event import Event
from tartip.cameras.v1 import cameras_pb2, events_pb2

from camera_registry.model.camera import Camera
from camera_registry.model.imports import Outcome

_Message = (
    events_pb2.CameraRegistered
    | events_pb2.CameraChanged
    | events_pb2.CameraRetired
    | events_pb2.CameraStatusChanged
)


def camera_registered(camera: Camera) -> Event:
    message = events_pb2.CameraRegistered(
        kind=cameras_pb2.CameraKind.Value(f"CAMERA_KIND_{camera.description.kind}"),
        registered_at=to_timestamp(camera.registered_at),
    )
    return _event("registered", camera, message)


def cameras_imported(import_id: UUID, outcome: Outcome, regions: list[str], now: datetime) -> Event:
    """The event of an imported batch. Its region is "" unless all cameras written are in one."""
    message = events_pb2.CamerasImported(
        import_id=str(import_id),
        number=outcome.number,
        added=outcome.added,
        changed=outcome.changed,
        regions=regions,
        imported_at=to_timestamp(now),
    )
    region = regions[0] if len(regions) == 1 else ""
    return Event("cameras.v1.imported", f"import:{import_id}", outcome.number, region, message)


def camera_changed(camera: Camera, now: datetime) -> Event:
    message = events_pb2.CameraChanged(version=camera.version, changed_at=to_timestamp(now))
    return _event("changed", camera, message)


def camera_retired(camera: Camera) -> Event:
    message = events_pb2.CameraRetired(
        retired_at=to_timestamp(camera.retired_at), merged_into=str(camera.merged_into or "")
    )
    return _event("retired", camera, message)


def camera_status_changed(camera: Camera) -> Event:
    message = events_pb2.CameraStatusChanged(
        status=cameras_pb2.CameraStatus.Value(f"CAMERA_STATUS_{camera.status}"),
        as_of=to_timestamp(camera.status_as_of),
    )
    return _event("status_changed", camera, message)


def _event(fact: str, camera: Camera, message: _Message) -> Event:
    """Return the event, after adding the camera's id and region to the message."""
    message.camera_id = str(camera.camera_id)
    message.region = camera.description.place.region
    return Event(f"cameras.v1.{fact}", message.camera_id, camera.version, message.region, message)
