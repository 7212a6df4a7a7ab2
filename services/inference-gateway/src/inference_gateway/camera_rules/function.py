"""What a function over time is: a kind that reads rules, and the running thing made of them.

Pure: moments in, facts out. How to add one: docs/adding-a-function.md.
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
    """One frame, as functions get it: `local` is the clock of Asia/Almaty."""

    picture: Picture
    detections: Detections
    seconds: float
    local: datetime
    tracks: tuple[Track, ...] = ()
    """Of people, vehicles and things detected in this frame."""
    request: DetectionRequest = EMPTY_REQUEST
    """What the models were asked for: tells "none" from "not asked"."""


@dataclass(frozen=True, slots=True)
class EventContext:
    """Where an event comes from. `moment` turns seconds into a timestamp."""

    thing_id: UUID
    camera_id: UUID
    region: str
    captured_at: Timestamp
    moment: Callable[[float], Timestamp]
    evidence_sha256: str
    models_fingerprint: str

    def common(self) -> dict[str, Any]:
        """Fields that every event has by these names."""
        return {
            "camera_id": str(self.camera_id),
            "region": self.region,
            "captured_at": self.captured_at,
            "models_fingerprint": self.models_fingerprint,
        }


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened. `thing` names what it happened to, once in a film or stream: facts
    about the same thing share it and count up `version`."""

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
    """One running function of one camera; moments come in the order of their time."""

    def add(self, moment: Moment) -> list[Fact]: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a function needs inference, and what it requests."""

    request: DetectionRequest
    looks_per_second: float
    frames_per_second: float = WATCHED_PER_SECOND
    """Of the video or stream; between inferences boxes are propagated without a model."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`field` names the function in CameraFunctions; `read` makes a rule of its message."""

    field: str
    read: Callable[[Reader, Any], Any]
    start: Callable[[tuple[Any, ...], FrameSize], Function]
    pace: Pace
