"""The statuses of cameras, each with its source (who determined it) and its reason."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class CameraStatus(StrEnum):
    """Whether a camera works, as far as the register knows."""

    UNKNOWN = "UNKNOWN"
    ONLINE = "ONLINE"
    DEGRADED = "DEGRADED"
    OFFLINE = "OFFLINE"
    RETIRED = "RETIRED"
    TAMPERED = "TAMPERED"


class StatusSource(StrEnum):
    """Who set a status: the register, the hub by a report, or SILENCE if no report came in time."""

    REGISTER = "REGISTER"
    HUB = "HUB"
    SILENCE = "SILENCE"


class StatusReason(StrEnum):
    """Why a camera has its status, where the status alone does not say it."""

    HUB_SILENT = "HUB_SILENT"
    UNREACHABLE = "UNREACHABLE"
    NOT_REPORTED = "NOT_REPORTED"
    PICTURE_STALE = "PICTURE_STALE"
    CLOCK_OFF = "CLOCK_OFF"
    VERIFICATION_ENDED = "VERIFICATION_ENDED"
    FLAPPING = "FLAPPING"


# Statuses that hold only while the camera's hub reports.
REPORTED = (
    CameraStatus.ONLINE,
    CameraStatus.DEGRADED,
    CameraStatus.OFFLINE,
    CameraStatus.TAMPERED,
)


@dataclass(frozen=True)
class Standing:
    """A camera's status with its source, and its reason where the status needs one."""

    status: CameraStatus
    source: StatusSource
    reason: StatusReason | None = None


class State(IntEnum):
    """The status of a camera that is in service, with its reason, as a number of one byte."""

    UNHEARD = 0
    ONLINE = 1
    UNREACHABLE = 2
    TAMPERED = 3
    PICTURE_STALE = 4
    CLOCK_OFF = 5
    VERIFICATION_ENDED = 6
    FLAPPING = 7
    NOT_REPORTED = 8
    HUB_SILENT = 9

    @property
    def standing(self) -> Standing:
        return _STANDINGS[self]


_STANDINGS = {
    State.UNHEARD: Standing(CameraStatus.UNKNOWN, StatusSource.REGISTER),
    State.ONLINE: Standing(CameraStatus.ONLINE, StatusSource.HUB),
    State.UNREACHABLE: Standing(CameraStatus.OFFLINE, StatusSource.HUB, StatusReason.UNREACHABLE),
    State.TAMPERED: Standing(CameraStatus.TAMPERED, StatusSource.HUB),
    State.PICTURE_STALE: Standing(
        CameraStatus.DEGRADED, StatusSource.HUB, StatusReason.PICTURE_STALE
    ),
    State.CLOCK_OFF: Standing(CameraStatus.DEGRADED, StatusSource.HUB, StatusReason.CLOCK_OFF),
    State.VERIFICATION_ENDED: Standing(
        CameraStatus.DEGRADED, StatusSource.REGISTER, StatusReason.VERIFICATION_ENDED
    ),
    State.FLAPPING: Standing(CameraStatus.DEGRADED, StatusSource.HUB, StatusReason.FLAPPING),
    State.NOT_REPORTED: Standing(CameraStatus.OFFLINE, StatusSource.HUB, StatusReason.NOT_REPORTED),
    State.HUB_SILENT: Standing(CameraStatus.UNKNOWN, StatusSource.SILENCE, StatusReason.HUB_SILENT),
}
_STATES = {(standing.status, standing.reason): state for state, standing in _STANDINGS.items()}


def state_of(status: CameraStatus, reason: StatusReason | None) -> State:
    """Return the State with this status and reason. Raises KeyError if there is none."""
    return _STATES[(status, reason)]
