"""Which cameras may have seen what is reported, and for which time their evidence is held.

A hold is requested from another service, whose staff must not learn that a report exists.
Therefore all reports are treated alike, whatever their category. The periods of holds and the times
at which they are placed are rounded, so that neither equals the time of a report.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

# A phone locates itself within tens of metres, and what is reported is seen from a distance.
WITHIN_METRES = 150.0
CAMERAS_MAX = 10
_BEFORE_AND_AFTER = timedelta(minutes=15)
_ROUND = timedelta(minutes=10)


@dataclass(frozen=True)
class Sighting:
    """A camera that may have seen a place. With `is_certain`, its field of view proves it; then
    too it is not known what stood between."""

    camera_id: UUID
    name: str
    distance_metres: float
    is_certain: bool


@dataclass(frozen=True)
class ReportCamera:
    """A camera that may have seen what is reported, and the hold on its evidence.

    `hold_id` is random and leads nobody else to the report. `held_at` and `released_at` are None
    before the hold was placed and released. `frames` counts the frames with evidence when last
    looked. `sighting` is None once the report's key was destroyed.
    """

    hold_id: UUID
    sighting: Sighting | None
    held_at: datetime | None = None
    frames: int = 0
    released_at: datetime | None = None


@dataclass(frozen=True)
class Window:
    """A time for which evidence is held, both ends included."""

    start: datetime
    end: datetime


def held_window(occurred_at: datetime) -> Window:
    """Return the period for which evidence of an incident is held: from 15 minutes before until
    15 minutes after it, extended to full ten minutes."""
    start, end = occurred_at - _BEFORE_AND_AFTER, occurred_at + _BEFORE_AND_AFTER
    return Window(_rounded_down(start), rounded_up(end))


def rounded_up(moment: datetime) -> datetime:
    """Return the first moment at or after `moment` whose minutes are a multiple of ten."""
    down = _rounded_down(moment)
    return down if down == moment else down + _ROUND


def _rounded_down(moment: datetime) -> datetime:
    return moment.replace(minute=moment.minute // 10 * 10, second=0, microsecond=0)
