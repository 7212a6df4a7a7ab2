"""A journey: whether one vehicle can have been at two places at two moments.

Where it cannot, a plate was misread, a plate is a copy, or a clock is wrong; which of these it is
nobody knows before a person has looked at both pictures.
"""

from dataclasses import dataclass
from datetime import timedelta

from law.guards.sightings import Sighting

SECONDS_PER_HOUR = 3600.0
METRES_PER_KM = 1000.0


@dataclass(frozen=True)
class Journey:
    speed_max_kmh: float
    # How far two devices' clocks may differ, and how far from its camera a vehicle is recorded.
    clock_slack: timedelta
    place_slack_metres: float
    # Farther than this no two cameras of the country stand apart.
    country_km: float

    def is_possible(self, first: Sighting, second: Sighting) -> bool:
        """In doubt it is: distance is taken in a straight line, slack in favour of the journey."""
        metres = first.metres_to(second) - self.place_slack_metres
        seconds = (first.time_to(second) + self.clock_slack).total_seconds()
        return metres <= self.speed_max_kmh * METRES_PER_KM / SECONDS_PER_HOUR * seconds

    @property
    def horizon(self) -> timedelta:
        """Records farther apart in time than this never contradict each other."""
        return timedelta(hours=self.country_km / self.speed_max_kmh)
