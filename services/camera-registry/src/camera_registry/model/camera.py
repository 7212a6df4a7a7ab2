"""Cameras: the life cycle of registration, change and retirement, and the status.

Moments and ids are passed in.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from chassis.fields import check_text
from chassis.refusals import Checks, Kind, Refusal

from camera_registry.model.description import Description

# The interval without a heartbeat after which a camera is no longer known to be alive.
SILENCE = timedelta(minutes=3)
REASON_MAX = 500


class CameraStatus(StrEnum):
    UNKNOWN = "UNKNOWN"
    ONLINE = "ONLINE"
    DEGRADED = "DEGRADED"
    OFFLINE = "OFFLINE"
    RETIRED = "RETIRED"


# Statuses that last only while heartbeats arrive.
ALIVE = (CameraStatus.ONLINE, CameraStatus.DEGRADED)


def verdict_on_silence(
    hears_since: datetime | None, now: datetime, silence: timedelta
) -> CameraStatus:
    """Return the status of a camera that sent no heartbeat for `silence`.

    The status is OFFLINE if the service has missed no heartbeats for that long, else UNKNOWN.
    `hears_since` is the moment since which it missed none, None while it is missing them.
    """
    listened = hears_since is not None and now - hears_since >= silence
    return CameraStatus.OFFLINE if listened else CameraStatus.UNKNOWN


class CameraNotFound(Refusal):
    kind = Kind.NOT_FOUND
    code = "CAMERA_NOT_FOUND"


class CameraNotRegisteredThen(Refusal):
    kind = Kind.STATE
    code = "CAMERA_NOT_REGISTERED_THEN"


class CameraRetired(Refusal):
    kind = Kind.STATE
    code = "CAMERA_RETIRED"


class CameraChangedMeanwhile(Refusal):
    kind = Kind.CONFLICT
    code = "CAMERA_CHANGED_MEANWHILE"


class SerialTaken(Refusal):
    kind = Kind.EXISTS
    code = "SERIAL_TAKEN"


class RegionNotYours(Refusal):
    kind = Kind.FORBIDDEN
    code = "NOT_ALLOWED"


@dataclass(frozen=True)
class Camera:
    camera_id: UUID
    description: Description
    status: CameraStatus
    status_as_of: datetime
    version: int
    registered_at: datetime
    retired_at: datetime | None = None
    # Free text of an administrator, about no person.
    retired_why: str = ""
    # The camera that was kept when this one was retired as its duplicate.
    merged_into: UUID | None = None

    @classmethod
    def register(cls, camera_id: UUID, description: Description, now: datetime) -> "Camera":
        """Return a new camera in its first version, with the status UNKNOWN."""
        return cls(camera_id, description, CameraStatus.UNKNOWN, now, 1, now)

    def change(self, description: Description, *, from_version: int) -> "Camera":
        """Return the next version; the camera itself if the description is the same. Raises
        CameraRetired, or CameraChangedMeanwhile if the current version is not `from_version`."""
        if self.retired_at is not None:
            raise CameraRetired
        self.require_version(from_version)
        if description == self.description:
            return self
        return replace(self, description=description, version=self.version + 1)

    def require_version(self, version: int) -> None:
        """Raises CameraChangedMeanwhile, with the current version, if that is not `version`."""
        if self.version != version:
            raise CameraChangedMeanwhile(facts={"version": str(self.version)})

    def retire(self, now: datetime, *, why: str = "", merged_into: UUID | None = None) -> "Camera":
        """Return the next version, retired at `now`; the camera itself if it is already retired."""
        if self.retired_at is not None:
            return self
        return replace(
            self,
            status=CameraStatus.RETIRED,
            status_as_of=now,
            retired_at=now,
            retired_why=why,
            merged_into=merged_into,
            version=self.version + 1,
        )


def check_reason(check: Checks, reason: str) -> None:
    """Add the field `reason` of a retirement to `check` if it is too long; it may be empty."""
    check_text(check, "reason", reason, longest=REASON_MAX, required=False)
