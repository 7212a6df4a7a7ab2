"""Where and when a vehicle was recorded, and the distance between two records."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import h3


@dataclass(frozen=True)
class Sighting:
    """Where and when a vehicle was recorded: WGS 84 degrees and a moment with a time zone."""

    latitude: float
    longitude: float
    at: datetime

    def metres_to(self, other: "Sighting") -> float:
        """The great-circle distance to another sighting, in metres."""
        places = ((place.latitude, place.longitude) for place in (self, other))
        return float(h3.great_circle_distance(*places, unit="m"))

    def time_to(self, other: "Sighting") -> timedelta:
        """The time between this sighting and another, never negative."""
        return abs(other.at - self.at)
