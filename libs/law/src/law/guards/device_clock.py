"""The clock of a device, checked against the arrival of its frame.

A frame may arrive late, since devices store frames while they are offline; it cannot arrive early.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from law.guards.holds import HoldReason


@dataclass(frozen=True)
class DeviceClock:
    """How far the time at which a frame was measured may be ahead of or behind its arrival."""

    ahead_max: timedelta
    behind_max: timedelta

    def why_held(self, measured_at: datetime, received_at: datetime) -> HoldReason | None:
        """The reason to hold a frame whose time of measurement does not fit its arrival, or None.

        Both moments have a time zone; the bounds themselves are allowed.
        """
        if measured_at > received_at + self.ahead_max:
            return HoldReason.DEVICE_CLOCK_AHEAD
        if measured_at < received_at - self.behind_max:
            return HoldReason.DEVICE_CLOCK_BEHIND
        return None
