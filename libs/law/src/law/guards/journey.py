"""A journey: whether one vehicle can have been at two places at two moments.

If the journey is impossible, a plate was misread or copied, or a clock is wrong; only a person who
sees both pictures can tell which.
"""

from dataclasses import dataclass
from datetime import timedelta

from law.guards.sightings import Sighting

SECONDS_PER_HOUR = 3600.0
METRES_PER_KM = 1000.0


@dataclass(frozen=True)
class Journey:
    """The bounds of a possible journey between two records; the table names their source."""

    speed_max_kmh: float
    # How far the clocks of two devices may differ, and how far a vehicle may be from its camera.
    clock_slack: timedelta
    place_slack_metres: float
    # The largest distance between two cameras in the country.
    country_km: float

    def is_possible(self, first: Sighting, second: Sighting) -> bool:
        """Whether a vehicle can have been at both places, going straight at no more than the
        largest speed; `clock_slack` and `place_slack_metres` are granted in its favour."""
        metres = first.metres_to(second) - self.place_slack_metres
        seconds = (first.time_to(second) + self.clock_slack).total_seconds()
        return metres <= self.speed_max_kmh * METRES_PER_KM / SECONDS_PER_HOUR * seconds

    @property
    def horizon(self) -> timedelta:
        """The time between two records from which they can no longer contradict each other."""
        return timedelta(hours=self.country_km / self.speed_max_kmh)
