"""Where and when a vehicle was recorded, and how far two such places lie apart."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import h3


@dataclass(frozen=True)
class Sighting:
    """WGS 84 degrees; `at` has a zone."""

    latitude: float
    longitude: float
    at: datetime

    def metres_to(self, other: "Sighting") -> float:
        """Great-circle distance."""
        places = ((place.latitude, place.longitude) for place in (self, other))
        return float(h3.great_circle_distance(*places, unit="m"))

    def time_to(self, other: "Sighting") -> timedelta:
        """The time between two sightings, never negative."""
        return abs(other.at - self.at)
