"""The interfaces of AI functions that follow objects over several frames of a camera: a kind of
function reads its rules and starts the function.

Pure: moments in, facts out. How to add a function: docs/adding-a-function.md.
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
    """One frame as input of the functions; `local` is its time in Asia/Almaty."""

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
    """What an event states of its source: the camera, the frame, and `thing_id`, derived from the
    fact's `thing`. `moment` converts seconds of the video to a timestamp."""

    thing_id: UUID
    camera_id: UUID
    region: str
    captured_at: Timestamp
    moment: Callable[[float], Timestamp]
    evidence_sha256: str
    models_fingerprint: str

    def common(self) -> dict[str, Any]:
        """The fields that all events share."""
        return {
            "camera_id": str(self.camera_id),
            "region": self.region,
            "captured_at": self.captured_at,
            "models_fingerprint": self.models_fingerprint,
        }


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a rule found. `thing` identifies it within a video or stream; further facts
    about it have the same `thing` and a higher `version`. `message` builds the event on `subject`.
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
    """A running function of one camera; moments must be added in order of time."""

    def add(self, moment: Moment) -> list[Fact]: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """The rate of inference that a function needs, and its request to the models."""

    request: DetectionRequest
    looks_per_second: float
    frames_per_second: float = WATCHED_PER_SECOND
    """The frame rate needed of the video; between inferences boxes are moved without a model."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of AI function. `field` is its field in the message CameraFunctions; `read` parses one
    of its rules from there; `start` makes a running function of the rules for a size of frame.
    """

    field: str
    read: Callable[[Reader, Any], Any]
    start: Callable[[tuple[Any, ...], FrameSize], Function]
    pace: Pace
