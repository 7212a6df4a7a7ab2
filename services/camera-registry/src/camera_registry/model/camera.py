"""Cameras: the life cycle of registration, change and retirement, and the status.

Moments and ids are passed in.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from audit_log.record_kinds import RecordKind
from chassis.refusals import BadRequest, Checks, FieldError, Kind, Refusal

from camera_registry.model.description import Description, check_line
from camera_registry.model.owner import IIN_EXPECTED
from camera_registry.model.status import CameraStatus, StatusReason, StatusSource

# The interval at which hubs report.
INTERVAL = timedelta(minutes=1)
# Intervals after a hub's last report for which it still holds.
INTERVALS_HEARD = 1.5
REASON_MAX = 500
# Of a description that leaves the owner as he is, where no person is known to be the owner.
NO_OWNER = FieldError("description.owner_iin", "BAD_REQUEST", IIN_EXPECTED)


# What a decision about a camera covers: its description and its life, not its status, which follows
# from reports of hubs. Streams and persons who are owners stand in tables of their own.
CAMERA = RecordKind(
    "camera",
    (
        *("camera_id", "region", "name", "latitude", "longitude", "address", "kato", "kind"),
        *("serial", "make", "model", "azimuth_degrees", "owner_bin", "connected", "functions"),
        *("verifications", "device_key", "certificate_number", "speed_tolerance_kmh"),
        *("dedupe_seconds", "bases", "site", "site_category", "operator_bin", "height_metres"),
        *("field_of_view_degrees", "retention_days", "hub_id", "onvif_profiles"),
        *("control_centre", "certificate_valid_until", "version", "held_from", "registered_at"),
        *("retired_at", "retired_why", "merged_into"),
    ),
)


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
    """A version of a registered camera: what its administrator states, and its status."""

    camera_id: UUID
    description: Description
    status: CameraStatus
    status_as_of: datetime
    version: int
    registered_at: datetime
    retired_at: datetime | None = None
    # Free text of an administrator, about no person.
    retired_why: str = ""
    status_source: StatusSource = StatusSource.REGISTER
    status_reason: StatusReason | None = None
    # Counts the changes of the status since the registration.
    status_version: int = 0
    # The camera that was kept when this one was retired as its duplicate.
    merged_into: UUID | None = None
    # By how much its clock was ahead when that made it DEGRADED, else 0.
    clock_offset_milliseconds: int = 0

    @property
    def object_ref(self) -> str:
        """The name of the camera in the audit log."""
        return f"camera:{self.camera_id}"

    @classmethod
    def register(cls, camera_id: UUID, description: Description, now: datetime) -> "Camera":
        """Return a new camera in its first version, with the status UNKNOWN. Raises BadRequest if
        the description names no owner."""
        _require_owner(description)
        return cls(camera_id, description, CameraStatus.UNKNOWN, now, 1, now)

    def change(self, description: Description, now: datetime, *, from_version: int) -> "Camera":
        """Return the camera's next version, with this description. If nothing differs, return the
        camera itself.

        If the hub differs, the status is UNKNOWN until the new hub reports. If the description has
        neither a BIN nor an IIN (the number of an organisation or person), the present owner is
        kept. Raises BadRequest if that owner is not a person, CameraRetired, or
        CameraChangedMeanwhile if the current version is not `from_version`.
        """
        if self.retired_at is not None:
            raise CameraRetired
        self.require_version(from_version)
        description = description.kept_from(self.description)
        _require_owner(description)
        if description == self.description:
            return self
        changed = replace(self, description=description, version=self.version + 1)
        if description.hub_id == self.description.hub_id:
            return changed
        return changed._with_status(CameraStatus.UNKNOWN, now)

    def require_version(self, version: int) -> None:
        """Raise CameraChangedMeanwhile unless the camera's current version is `version`."""
        if self.version != version:
            raise CameraChangedMeanwhile(facts={"version": str(self.version)})

    def retire(self, now: datetime, *, why: str = "", merged_into: UUID | None = None) -> "Camera":
        """Return the camera's next version, retired at `now`. A camera that is already retired is
        returned unchanged.

        `why` is the stated reason. If this camera is retired as a duplicate, `merged_into` is the
        id of the camera that is kept.
        """
        if self.retired_at is not None:
            return self
        return replace(
            self._with_status(CameraStatus.RETIRED, now),
            retired_at=now,
            retired_why=why,
            merged_into=merged_into,
            version=self.version + 1,
        )

    def _with_status(self, status: CameraStatus, now: datetime) -> "Camera":
        """The camera with a status that the register itself has found."""
        return replace(
            self,
            status=status,
            status_as_of=now,
            status_source=StatusSource.REGISTER,
            status_reason=None,
            status_version=self.status_version + 1,
            clock_offset_milliseconds=0,
        )


def check_reason(check: Checks, reason: str) -> None:
    """Add the field `reason` of a retirement to `check` if it is invalid (see `check_line`).

    The reason may be empty. It may have at most REASON_MAX characters.
    """
    check_line(check, "reason", reason, longest=REASON_MAX)


def _require_owner(description: Description) -> None:
    if not description.names_owner:
        raise BadRequest(fields=(NO_OWNER,))
