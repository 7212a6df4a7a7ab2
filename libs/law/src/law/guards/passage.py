"""Decides whether two records show the same passage of one vehicle and so count as one offence.

Several cameras of one site may record the same vehicle within metres and seconds of each other.
Callers pass only records of the same plate and the same rule (kind of offence).
"""

from dataclasses import dataclass
from datetime import timedelta

from law.guards.sightings import Sighting

RADIUS_METRES_FLOOR = 50.0
WINDOW_FLOOR = timedelta(seconds=10)


@dataclass(frozen=True)
class Passage:
    """The largest distance and the largest time between two records of the same passage."""

    radius_metres: float
    window: timedelta

    def is_same(self, first: Sighting, second: Sighting) -> bool:
        """Whether two records of the same plate and rule are near enough to show one passage."""
        near = first.metres_to(second) <= self.radius_metres
        return near and first.time_to(second) <= self.window

    def window_of_camera(self, dedupe_seconds: float) -> timedelta:
        """The largest time between two records of one passage by the same camera.

        This is `dedupe_seconds`, a setting of the camera, but at least `window`.
        """
        return max(self.window, timedelta(seconds=dedupe_seconds))
