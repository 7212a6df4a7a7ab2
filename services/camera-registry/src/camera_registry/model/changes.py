"""Changes of the register as they are streamed, and the positions at which a stream resumes."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from chassis.refusals import Kind, Refusal

from camera_registry.model.status import CameraStatus

NO_CAMERA = UUID(int=0)


class ChangeKind(StrEnum):
    """What happened to a camera in a change of the register."""

    REGISTERED = "REGISTERED"
    CHANGED = "CHANGED"
    RETIRED = "RETIRED"
    STATUS_CHANGED = "STATUS_CHANGED"


class ResumeTokenWrong(Refusal):
    kind = Kind.INVALID
    code = "RESUME_TOKEN_WRONG"


class ResumeTokenTooOld(Refusal):
    code = "RESUME_TOKEN_TOO_OLD"


@dataclass(frozen=True)
class Position:
    """The place in the sequence of changes at which a stream resumes.

    The sequence consists of numbered sets. A set has the changes of one SQL statement, ordered by
    region and camera id. The field `number` is the number of a set. In this set, the stream resumes
    after the change of `camera_id` in `region`. With the default region and camera id, it resumes
    at the first change of the set.
    """

    number: int
    region: str = ""
    camera_id: UUID = NO_CAMERA


@dataclass(frozen=True)
class Change:
    """A change of a camera. The fields `version` and `status` have the camera's values after the
    change."""

    camera_id: UUID
    region: str
    version: int
    kind: ChangeKind
    status: CameraStatus
    changed_at: datetime


@dataclass(frozen=True)
class Step:
    """A change that a stream sends, and the position at which the stream resumes after it.

    `change` is None if the stream only skipped changes that its caller does not watch.
    """

    change: Change | None
    position: Position
