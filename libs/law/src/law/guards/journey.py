"""Checks whether one vehicle can have made a journey between two places in a given time.

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
    """The limits within which one vehicle can have made a journey between two sightings."""

    speed_max_kmh: float
    # How far the clocks of two devices may differ, and how far a vehicle may be from its camera.
    clock_slack: timedelta
    place_slack_metres: float
    # The largest distance between two cameras in the country.
    country_km: float

    def is_possible(self, first: Sighting, second: Sighting) -> bool:
        """Whether one vehicle can have been at both places, going straight at `speed_max_kmh`.

        In the vehicle's favour, `clock_slack` is added to the time between the sightings and
        `place_slack_metres` is deducted from the distance.
        """
        metres = first.metres_to(second) - self.place_slack_metres
        seconds = (first.time_to(second) + self.clock_slack).total_seconds()
        return metres <= self.speed_max_kmh * METRES_PER_KM / SECONDS_PER_HOUR * seconds

    @property
    def horizon(self) -> timedelta:
        """The time to cross the whole country at `speed_max_kmh`.

        A journey between sightings at least this far apart in time is always possible.
        """
        return timedelta(hours=self.country_km / self.speed_max_kmh)
