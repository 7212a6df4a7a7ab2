"""One passage: one plate that breaks one rule at one place and time breaks it once.

Cameras stand in rows, and several record the same car within metres and seconds of each other.
"""

from dataclasses import dataclass
from datetime import timedelta

from law.guards.sightings import Sighting

RADIUS_METRES_FLOOR = 50.0
WINDOW_FLOOR = timedelta(seconds=10)


@dataclass(frozen=True)
class Passage:
    radius_metres: float
    window: timedelta

    def is_same(self, first: Sighting, second: Sighting) -> bool:
        """Whether two records of one plate and one rule are of one passage; bounds belong to it."""
        near = first.metres_to(second) <= self.radius_metres
        return near and first.time_to(second) <= self.window

    def window_of_camera(self, dedupe_seconds: float) -> timedelta:
        """The window between records of one camera: its own may only be longer."""
        return max(self.window, timedelta(seconds=dedupe_seconds))
