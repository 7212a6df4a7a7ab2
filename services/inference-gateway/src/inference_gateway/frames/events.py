"""Builds the events that are published about frames, as protobuf messages."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.clock import new_id, to_timestamp
from chassis.event import Event
from tartip.inference.v1 import events_pb2, inference_pb2
from vision.boxes import Box

from inference_gateway.cameras.model import Camera
from inference_gateway.frames.model import (
    EmittedEvent,
    FrameResult,
    Readings,
    ReadPlate,
    measured,
)

PLATE_READ = "inference.v1.plate_read"
PHASES = {
    "green": inference_pb2.SIGNAL_PHASE_GREEN,
    "yellow": inference_pb2.SIGNAL_PHASE_YELLOW,
    "red": inference_pb2.SIGNAL_PHASE_RED,
}


def plate_read(
    plate: ReadPlate,
    frame: FrameResult,
    camera: Camera,
    readings: Readings | None,
    received_at: datetime | None,
) -> Event:
    """Return the event which reports that a plate was read in a frame. `readings` are the measuring
    device's readings if they belong to this plate's vehicle, else None. `received_at` is when the
    frame reached this service."""
    read_id: UUID = new_id()
    message = events_pb2.PlateRead(
        read_id=str(read_id),
        camera_id=str(camera.camera_id),
        region=camera.region,
        captured_at=to_timestamp(frame.captured_at),
        plate=plate_to_proto(plate),
        readings=readings_to_proto(readings) if readings else None,
        evidence_sha256=frame.evidence_sha256,
        shown_sha256=frame.shown_sha256,
        models_fingerprint=frame.models_fingerprint,
        received_at=to_timestamp(received_at),
    )
    return Event(PLATE_READ, str(read_id), 1, camera.region, message, sealed=True)


@dataclass(frozen=True)
class OutboundEvent:
    """An event to publish, and its entry in the response to the frame."""

    event: Event
    emitted: EmittedEvent


def plate_events(
    frame: FrameResult,
    camera: Camera,
    readings: Readings | None = None,
    received_at: datetime | None = None,
) -> tuple[OutboundEvent, ...]:
    """Return an event for every plate of a frame; `frame.evidence_sha256` must be set.

    `readings` are the measuring device's readings. Only the event of the plate that `measured`
    selects has them. `received_at` is when a frame with readings reached this service.
    """
    about = measured(frame.plates)
    events = []
    for place, plate in enumerate(frame.plates):
        about_this = readings if place == about else None
        event = plate_read(plate, frame, camera, about_this, received_at)
        emitted = EmittedEvent(
            event.event_id,
            event.subject,
            what="plate read",
            track=plate.track,
            box=plate.box,
            confidence=plate.confidence,
            at=frame.captured_at,
        )
        events.append(OutboundEvent(event, emitted))
    return tuple(events)


def plate_to_proto(plate: ReadPlate) -> inference_pb2.Plate:
    return inference_pb2.Plate(
        text=plate.text,
        confidence=plate.confidence,
        box=box_to_proto(plate.box),
        character_confidences=plate.character_confidences,
        country=plate.country,
        plate_type=plate.plate_type,
        track=plate.track,
    )


def box_to_proto(box: Box) -> inference_pb2.Box:
    return inference_pb2.Box(x=box.x, y=box.y, width=box.width, height=box.height)


def readings_to_proto(readings: Readings) -> inference_pb2.Readings:
    return inference_pb2.Readings(
        device_serial=readings.device_serial,
        device_time=to_timestamp(readings.device_time),
        counter=readings.counter,
        frame_sha256=readings.frame_sha256,
        speed_kmh=readings.speed_kmh,
        speed_limit_kmh=readings.speed_limit_kmh,
        signal_phase=PHASES.get(readings.signal_phase or "", 0),  # type: ignore[arg-type]
        signal_age_seconds=readings.signal_age_seconds,
        past_stop_line=readings.past_stop_line,
    )
