"""A check of a device's clock: each frame's time of measurement against its time of arrival.

A frame may arrive late, since devices store frames while they are offline; it cannot arrive early.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from law.guards.holds import HoldReason


@dataclass(frozen=True)
class DeviceClock:
    """How far a frame's time of measurement may be ahead of or behind its time of arrival."""

    ahead_max: timedelta
    behind_max: timedelta

    def why_held(self, measured_at: datetime, received_at: datetime) -> HoldReason | None:
        """Return the reason to hold a frame that was measured too long before or after its arrival.

        Returns None within the bounds, which are inclusive. Both moments must have a time zone.
        """
        if measured_at > received_at + self.ahead_max:
            return HoldReason.DEVICE_CLOCK_AHEAD
        if measured_at < received_at - self.behind_max:
            return HoldReason.DEVICE_CLOCK_BEHIND
        return None
