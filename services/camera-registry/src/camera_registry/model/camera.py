"""Cameras: the life cycle of registration, change and retirement, and the status.

Moments and ids are passed in.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from chassis.refusals import BadRequest, Checks, FieldError, Kind, Refusal

from camera_registry.model.description import Description, check_line
from camera_registry.model.owner import IIN_EXPECTED

# The interval without a heartbeat after which a camera is no longer known to be alive.
SILENCE = timedelta(minutes=3)
REASON_MAX = 500
# Of a description that leaves the owner as he is, where no person is known to be the owner.
NO_OWNER = FieldError("description.owner_iin", "BAD_REQUEST", IIN_EXPECTED)


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

    @classmethod
    def register(cls, camera_id: UUID, description: Description, now: datetime) -> "Camera":
        """Return a new camera in its first version, with the status UNKNOWN. Raises BadRequest if
        its owner is not named."""
        _require_owner(description)
        return cls(camera_id, description, CameraStatus.UNKNOWN, now, 1, now)

    def change(self, description: Description, *, from_version: int) -> "Camera":
        """Return the next version; the camera itself if the description is the same.

        Raises CameraRetired, CameraChangedMeanwhile if the current version is not `from_version`,
        or BadRequest if the owner is left as it is and was no person.
        """
        if self.retired_at is not None:
            raise CameraRetired
        if self.version != from_version:
            raise CameraChangedMeanwhile(facts={"version": str(self.version)})
        description = description.kept_from(self.description)
        _require_owner(description)
        if description == self.description:
            return self
        return replace(self, description=description, version=self.version + 1)

    def retire(self, now: datetime, *, why: str = "") -> "Camera":
        """Return the next version, retired at `now`; the camera itself if it is already retired."""
        if self.retired_at is not None:
            return self
        return replace(
            self,
            status=CameraStatus.RETIRED,
            status_as_of=now,
            retired_at=now,
            retired_why=why,
            version=self.version + 1,
        )


def check_reason(check: Checks, reason: str) -> None:
    """Add the field `reason` of a retirement to `check` if it is too long; it may be empty."""
    check_line(check, "reason", reason, longest=REASON_MAX)


def _require_owner(description: Description) -> None:
    if not description.names_owner:
        raise BadRequest(fields=(NO_OWNER,))
