"""Converts each fact that a camera's rules found into an event to publish, and into the entry that
lists this event in the response to the frame."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID, uuid5

from chassis.clock import to_timestamp
from chassis.event import Event
from google.protobuf.timestamp_pb2 import Timestamp

from inference_gateway.camera_rules.function import EventContext, Fact
from inference_gateway.cameras.model import Camera
from inference_gateway.frames.events import OutboundEvent
from inference_gateway.frames.model import EmittedEvent, FrameResult


def stamp(moment: datetime) -> Timestamp:
    made = to_timestamp(moment)
    assert made is not None
    return made


def outbound_event(
    fact: Fact,
    names: UUID,
    camera: Camera,
    frame: FrameResult,
    moment: Callable[[float], datetime],
) -> OutboundEvent:
    """Return the event that reports a fact. `moment` converts seconds of the video to a time.

    The event's id is a UUID derived from the namespace `names` and the fact. So if a video is sent
    again, its events get the ids that they had before.
    """
    thing_id, at = uuid5(names, fact.thing), moment(fact.seconds)
    context = EventContext(
        thing_id,
        camera.camera_id,
        camera.region,
        stamp(at),
        lambda seconds: stamp(moment(seconds)),
        frame.evidence_sha256 if fact.with_evidence else "",
        frame.models_fingerprint,
    )
    event = Event(
        fact.subject,
        str(thing_id),
        fact.version,
        camera.region,
        fact.message(context),
        event_id=uuid5(thing_id, fact.what),
    )
    emitted = EmittedEvent(
        event.event_id,
        fact.subject,
        fact.what,
        fact.rule,
        fact.track,
        fact.box,
        fact.confidence,
        at,
    )
    return OutboundEvent(event, emitted)
