"""The reasons for which a recorded offence is held, so that an officer decides on it.

Clients receive the values of `HoldReason`.
"""

from enum import StrEnum


class HoldReason(StrEnum):
    """The reason for which an officer decides on a recorded offence before any fine."""

    # Readings: see `readings`.
    SPEED_MISSING = "SPEED_MISSING"
    SPEED_IMPLAUSIBLE = "SPEED_IMPLAUSIBLE"
    SPEED_LIMIT_IMPLAUSIBLE = "SPEED_LIMIT_IMPLAUSIBLE"
    TOLERANCE_TOO_SMALL = "TOLERANCE_TOO_SMALL"
    SIGNAL_MISSING = "SIGNAL_MISSING"
    SIGNAL_IMPLAUSIBLE = "SIGNAL_IMPLAUSIBLE"
    SIGNAL_ALLOWED_PASSING = "SIGNAL_ALLOWED_PASSING"
    STOP_LINE_NOT_PASSED = "STOP_LINE_NOT_PASSED"
    # The device's clock compared with arrival: see `device_clock`.
    DEVICE_CLOCK_AHEAD = "DEVICE_CLOCK_AHEAD"
    DEVICE_CLOCK_BEHIND = "DEVICE_CLOCK_BEHIND"
    # A kind of camera that may not detect this rule: see `camera_kinds`.
    CAMERA_KIND_UNFIT = "CAMERA_KIND_UNFIT"
    # Compared with other facts: see `passage` and `journey`.
    SAME_PASSAGE = "SAME_PASSAGE"
    EVIDENCE_REUSED = "EVIDENCE_REUSED"
    IMPOSSIBLE_JOURNEY = "IMPOSSIBLE_JOURNEY"
