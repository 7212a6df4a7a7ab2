"""Builds the events that the service publishes, with one function for each kind of event."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from chassis.clock import to_timestamp
from chassis.event import Event
from google.protobuf.message import Message
from tartip.cameras.v1 import cameras_pb2, events_pb2

from camera_registry.model.camera import Camera
from camera_registry.model.children import Transition
from camera_registry.model.hubs import HubLife, Incident
from camera_registry.model.imports import Outcome
from camera_registry.model.status import CameraStatus, StatusReason

_Message = events_pb2.CameraRegistered | events_pb2.CameraChanged | events_pb2.CameraRetired


def camera_registered(camera: Camera) -> Event:
    message = events_pb2.CameraRegistered(
        kind=cameras_pb2.CameraKind.Value(f"CAMERA_KIND_{camera.description.kind}"),
        registered_at=to_timestamp(camera.registered_at),
    )
    return _event("registered", camera, message)


def cameras_imported(import_id: UUID, outcome: Outcome, regions: list[str], now: datetime) -> Event:
    """Return the event CamerasImported for a batch with this outcome.

    If `regions` has exactly one region, it is the event's region. Otherwise the event's region is
    "".
    """
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


def camera_status_changed(
    hub: HubLife, transitions: Sequence[Transition], versions: Mapping[UUID, int], as_of: datetime
) -> Event:
    """Return the event CameraStatusChanged for the changes of status of a hub's cameras.

    `versions` maps the id of each camera to its status version: the number of the camera's changes
    of status so far, this one included. `as_of` is the time of the changes.
    """
    standings = [each.state.standing for each in transitions]
    message = events_pb2.CameraStatusChanged(
        hub_id=str(hub.hub_id),
        region=hub.region,
        as_of=to_timestamp(as_of),
        camera_ids=b"".join(each.camera_id.bytes for each in transitions),
        statuses=bytes(status_to_proto(each.status) for each in standings),
        reasons=bytes(reason_to_proto(each.reason) for each in standings),
        versions=[versions[each.camera_id] for each in transitions],
    )
    return _hub_event("status_changed", hub, message)


def hub_silent(hub: HubLife, incident: Incident) -> Event:
    message = events_pb2.HubSilent(
        hub_id=str(hub.hub_id),
        region=hub.region,
        incident_id=str(incident.incident_id),
        silent_since=to_timestamp(incident.silent_since),
        cameras=incident.cameras,
    )
    return _hub_event("hub_silent", hub, message)


def hub_heard(hub: HubLife, incident_id: UUID) -> Event:
    message = events_pb2.HubHeard(
        hub_id=str(hub.hub_id),
        region=hub.region,
        incident_id=str(incident_id),
        heard_at=to_timestamp(hub.heard_at),
    )
    return _hub_event("hub_heard", hub, message)


def status_to_proto(status: CameraStatus) -> cameras_pb2.CameraStatus.ValueType:
    return cameras_pb2.CameraStatus.Value(f"CAMERA_STATUS_{status}")


def reason_to_proto(reason: StatusReason | None) -> cameras_pb2.CameraStatusReason.ValueType:
    name = reason or "UNSPECIFIED"
    return cameras_pb2.CameraStatusReason.Value(f"CAMERA_STATUS_REASON_{name}")


def _hub_event(fact: str, hub: HubLife, message: Message) -> Event:
    return Event(f"cameras.v1.{fact}", f"hub:{hub.hub_id}", hub.events, hub.region, message)


def _event(fact: str, camera: Camera, message: _Message) -> Event:
    """Return the event, after adding the camera's id and region to the message."""
    message.camera_id = str(camera.camera_id)
    message.region = camera.description.place.region
    return Event(f"cameras.v1.{fact}", message.camera_id, camera.version, message.region, message)
