"""The interfaces of AI functions that follow objects over several frames of a camera: how the rules
of a function are parsed, and how the function is started and run.

No I/O: functions get frames with their detections and return facts (what their rules found). How to
add a function: docs/adding-a-function.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from vision.arrays import Picture
from vision.boxes import Box
from vision.detector import EMPTY_REQUEST, DetectionRequest, Detections
from vision.tracking.tracker import Track
from vision.zones.shapes import FrameSize

from inference_gateway.camera_rules.reader import Reader

WATCHED_PER_SECOND = 2.0


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame with its detections, as input of the AI functions. `seconds` counts from the start
    of the video or stream; `local` is the frame's time in Asia/Almaty."""

    picture: Picture
    detections: Detections
    seconds: float
    local: datetime
    tracks: tuple[Track, ...] = ()
    """The tracks of people, vehicles and things detected in this frame."""
    request: DetectionRequest = EMPTY_REQUEST
    """What the models were asked for: tells "none detected" from "not asked"."""


@dataclass(frozen=True, slots=True)
class EventContext:
    """What an event states about its source, such as camera and frame. `thing_id` is derived from
    the `thing` of the reported fact. `moment` converts seconds of the video to a timestamp."""

    thing_id: UUID
    camera_id: UUID
    region: str
    captured_at: Timestamp
    moment: Callable[[float], Timestamp]
    evidence_sha256: str
    models_fingerprint: str

    def common(self) -> dict[str, Any]:
        """Return the fields that all events have in common, by name."""
        return {
            "camera_id": str(self.camera_id),
            "region": self.region,
            "captured_at": self.captured_at,
            "models_fingerprint": self.models_fingerprint,
        }


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a rule found, to be published as an event on the NATS subject `subject`.

    `thing` identifies what the fact is about within a video or stream. A later fact about the same
    `thing` has a higher `version`. `message` builds the event's protobuf message.
    """

    subject: str
    what: str
    thing: str
    seconds: float
    message: Callable[[EventContext], Message]
    rule: str = ""
    track: int = 0
    box: Box | None = None
    confidence: float = 0.0
    version: int = 1
    with_evidence: bool = True


class Function(Protocol):
    """An AI function that runs for one camera; frames (`Moment`) must be added in order of time."""

    def add(self, moment: Moment) -> list[Fact]: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """What a function requests of the models. `looks_per_second` is how many times a second."""

    request: DetectionRequest
    looks_per_second: float
    frames_per_second: float = WATCHED_PER_SECOND
    """The frame rate needed of the video; between inferences boxes are moved without a model."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of AI function. `field` names the field of the protobuf message CameraFunctions that
    has the function's rules.

    `read` parses one rule from that field. `start` creates a running function from the rules and
    the size of the frames.
    """

    field: str
    read: Callable[[Reader, Any], Any]
    start: Callable[[tuple[Any, ...], FrameSize], Function]
    pace: Pace
