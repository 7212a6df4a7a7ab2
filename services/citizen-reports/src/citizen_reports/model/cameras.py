"""The cameras that may have seen what is reported, and the period for which evidence is held.

Another service holds the evidence, and its staff must not learn from a hold that a report exists.
Therefore holds are the same for reports of all categories. The periods of holds, and the times at
which holds are placed, are rounded, so that neither equals the time of a report.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

# The position of a phone is wrong by tens of metres, and people report what they see from afar.
WITHIN_METRES = 150.0
CAMERAS_MAX = 10
_BEFORE_AND_AFTER = timedelta(minutes=15)
_ROUND = timedelta(minutes=10)


@dataclass(frozen=True)
class Sighting:
    """A camera that may have seen a place. If `is_certain`, the place was in the camera's field of
    view, though something may have stood between; otherwise the camera is known only to be near."""

    camera_id: UUID
    name: str
    distance_metres: float
    is_certain: bool


@dataclass(frozen=True)
class ReportCamera:
    """A camera that may have seen what is reported, and the hold on its evidence.

    `hold_id` is random, so that it leads nobody to the report. `held_at` and `released_at` are None
    until the hold is placed and released. `frames` is how many frames with evidence the hold
    covered at the last count. `sighting` is None once the report's key was destroyed.
    """

    hold_id: UUID
    sighting: Sighting | None
    held_at: datetime | None = None
    frames: int = 0
    released_at: datetime | None = None


@dataclass(frozen=True)
class Window:
    """A period for which evidence is held, both ends included."""

    start: datetime
    end: datetime


def held_window(occurred_at: datetime) -> Window:
    """Return the period for which evidence of an incident is held: from 15 minutes before until
    15 minutes after `occurred_at`, extended at both ends to full ten minutes of the clock."""
    start, end = occurred_at - _BEFORE_AND_AFTER, occurred_at + _BEFORE_AND_AFTER
    return Window(_rounded_down(start), rounded_up(end))


def rounded_up(moment: datetime) -> datetime:
    """Return the first full ten minutes of the clock, such as 12:40:00, at or after `moment`."""
    down = _rounded_down(moment)
    return down if down == moment else down + _ROUND


def _rounded_down(moment: datetime) -> datetime:
    return moment.replace(minute=moment.minute // 10 * 10, second=0, microsecond=0)
