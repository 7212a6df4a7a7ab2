"""The twenty regions: which code a place belongs to, and whether a code fits a place.

Without borders (no map ships with the service) a region is its centre and how far it extends at
most. That is enough to refuse Astana's code on a street of Almaty, and to derive a code where the
app gave none.
"""

import json
from dataclasses import dataclass
from importlib.resources import files
from math import asin, cos, radians, sin, sqrt

EARTH_KM = 6371.0


@dataclass(frozen=True)
class Region:
    code: str
    latitude: float
    longitude: float
    reach_km: float
    city: bool


@dataclass(frozen=True)
class Regions:
    south: float
    north: float
    west: float
    east: float
    by_code: dict[str, Region]

    def hold(self, latitude: float, longitude: float) -> bool:
        """Whether a point lies within the country's bounds."""
        return self.south <= latitude <= self.north and self.west <= longitude <= self.east

    def fits(self, code: str, latitude: float, longitude: float) -> bool:
        region = self.by_code[code]
        distance = distance_km(latitude, longitude, region.latitude, region.longitude)
        return distance <= region.reach_km

    def derive(self, latitude: float, longitude: float) -> str:
        """The code of the region a point most likely lies in, "" where none reaches it.

        A city wins within half its reach; otherwise the centre that is nearest in reaches.
        """
        found = [
            (distance_km(latitude, longitude, region.latitude, region.longitude), region)
            for region in self.by_code.values()
        ]
        reached = [(km, region) for km, region in found if km <= region.reach_km]
        for km, region in reached:
            if region.city and km <= region.reach_km / 2:
                return region.code
        outside = [(km / region.reach_km, region.code) for km, region in reached if not region.city]
        return min(outside)[1] if outside else ""


def distance_km(
    latitude: float, longitude: float, to_latitude: float, to_longitude: float
) -> float:
    """Along the great circle."""
    south, north = radians(latitude), radians(to_latitude)
    half = sin((north - south) / 2) ** 2
    half += cos(south) * cos(north) * sin(radians(to_longitude - longitude) / 2) ** 2
    return 2 * EARTH_KM * asin(sqrt(half))


def read_regions() -> Regions:
    table = json.loads((files("citizen_reports") / "law" / "regions.json").read_text())
    regions = [Region(**row) for row in table["regions"]]
    return Regions(**table["bounds"], by_code={region.code: region for region in regions})
