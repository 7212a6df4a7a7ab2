"""Facts of functions, as events and as answers speak of them."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID, uuid5

from chassis.clock import to_timestamp
from chassis.event import Event
from google.protobuf.timestamp_pb2 import Timestamp

from inference_gateway.events import Told
from inference_gateway.functions.function import Fact, Telling
from inference_gateway.model import Camera, Emitted, FrameResult


def stamp(moment: datetime) -> Timestamp:
    made = to_timestamp(moment)
    assert made is not None
    return made


def told_of(
    fact: Fact,
    names: UUID,
    camera: Camera,
    frame: FrameResult,
    moment: Callable[[float], datetime],
) -> Told:
    """Ids follow from `names` and the fact, so that the same film tells the same events."""
    thing_id, at = uuid5(names, fact.thing), moment(fact.seconds)
    telling = Telling(
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
        fact.message(telling),
        event_id=uuid5(thing_id, fact.what),
    )
    emitted = Emitted(
        event.event_id,
        fact.subject,
        fact.what,
        fact.rule,
        fact.track,
        fact.box,
        fact.confidence,
        at,
    )
    return Told(event, emitted)
