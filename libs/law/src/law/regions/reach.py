"""Which region a place belongs to, and whether a code fits a place, by centres and distances.

Without borders a region is its centre and how far it extends at most. That is enough to refuse
Astana's code on a street of Almaty, and to derive a code where the app gave none.
"""

import h3

from law.regions.table import REGIONS, TABLE


def in_bounds(latitude: float, longitude: float) -> bool:
    """Whether a point lies within the country's bounds."""
    bounds = TABLE["bounds"]
    in_height = bounds["south"] <= latitude <= bounds["north"]
    return bool(in_height and bounds["west"] <= longitude <= bounds["east"])


def fits(code: str, latitude: float, longitude: float) -> bool:
    region = REGIONS[code]
    distance = distance_km(latitude, longitude, region.latitude, region.longitude)
    return distance <= region.reach_km


def derive(latitude: float, longitude: float) -> str:
    """The code of the region a point most likely lies in, "" where none reaches it.

    A city wins within half its reach; otherwise the centre that is nearest in reaches.
    """
    found = [
        (distance_km(latitude, longitude, region.latitude, region.longitude), region)
        for region in REGIONS.values()
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
    here, there = (latitude, longitude), (to_latitude, to_longitude)
    return float(h3.great_circle_distance(here, there, unit="km"))
