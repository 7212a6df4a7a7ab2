"""Makes up the cameras of a whole country, along streets and around sites. Regions with more
inhabitants have more cameras.

The same count and seed give the same cameras with the same ids. No camera, site or number is real.
"""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from chassis.clock import to_timestamp
from law.identity_numbers import has_check_digit
from law.regions import REGIONS
from law.regions.borders import region_of
from tartip.cameras.v1 import cameras_pb2 as pb
from tartip.common.v1 import common_pb2

# Inhabitants on 01.01.2026 in thousands and a centre, of each region. Where the statistics of that
# day name no figure the number is an estimate; centres are accurate to a tenth of a degree.
_REGIONS: dict[str, tuple[int, float, float]] = {
    "KZ-71": (1638, 51.17, 71.45),
    "KZ-75": (2348, 43.24, 76.95),
    "KZ-79": (1294, 42.34, 69.59),
    "KZ-10": (596, 50.41, 80.23),
    "KZ-11": (788, 53.28, 69.38),
    "KZ-15": (950, 50.28, 57.17),
    "KZ-19": (1596, 43.87, 77.07),
    "KZ-23": (715, 47.12, 51.88),
    "KZ-27": (697, 51.23, 51.37),
    "KZ-31": (1215, 42.90, 71.37),
    "KZ-33": (693, 45.02, 78.37),
    "KZ-35": (1131, 49.80, 73.10),
    "KZ-39": (822, 53.21, 63.62),
    "KZ-43": (850, 44.85, 65.48),
    "KZ-47": (810, 43.65, 51.17),
    "KZ-55": (749, 52.29, 76.97),
    "KZ-59": (514, 54.87, 69.15),
    "KZ-61": (2149, 43.30, 68.25),
    "KZ-62": (219, 47.80, 67.71),
    "KZ-63": (722, 49.95, 82.62),
}
# Of 1 500 000 cameras 475 000 are connected to a control centre, and 21 000 have AI functions.
CONNECTED_SHARE = 475_000 / 1_500_000
WITH_AI_SHARE = 21_000 / 1_500_000
_CAMERAS_A_SITE = 8
_SITE_METRES, _STREET_METRES = 150.0, 90.0
_METRES_A_DEGREE = 111_195.0
_TRIES = 30
_BEGAN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_ENDS = dt.datetime(2028, 1, 1, tzinfo=dt.UTC)
_MAKES = (("Sergek", "S2"), ("Hikvision", "DS-2CD"), ("Dahua", "IPC-HFW"), ("Axis", "P1465"))
_STREETS = ("Abai", "Dostyk", "Saryarqa", "Tauelsizdik", "Respublika", "Nazarbayev", "Auezov")
_CATEGORIES = (
    (pb.SITE_CATEGORY_MASS_GATHERING, "Shopping centre"),
    (pb.SITE_CATEGORY_MASS_GATHERING, "School"),
    (pb.SITE_CATEGORY_STATE_CRITICAL, "Administration"),
    (pb.SITE_CATEGORY_STRATEGIC, "Station"),
    (pb.SITE_CATEGORY_HAZARDOUS_INDUSTRY, "Plant"),
    (pb.SITE_CATEGORY_ECONOMY_STRATEGIC, "Depot"),
)
_WATCHING = (pb.AI_FUNCTION_PLATE, pb.AI_FUNCTION_VEHICLE)
_FUNCTIONS = (
    _WATCHING,
    (pb.AI_FUNCTION_CROWD,),
    (pb.AI_FUNCTION_LEFT_OBJECT, pb.AI_FUNCTION_ZONE),
    (pb.AI_FUNCTION_FACE,),
)
_KINDS = (
    *[pb.CAMERA_KIND_OVERVIEW] * 16,
    *[pb.CAMERA_KIND_ANPR] * 2,
    pb.CAMERA_KIND_SPEED_POINT,
    pb.CAMERA_KIND_RED_LIGHT,
)


def _no_hub(region: str) -> str:
    return ""


@dataclass(frozen=True)
class _Spot:
    """A place around which cameras stand: on a street, or at a site with a category."""

    name: str
    latitude: float
    longitude: float
    bearing: float
    category: Any = None


def cameras(
    count: int, seed: int, *, hub_of: Callable[[str], str] = _no_hub
) -> Iterator[pb.ImportedCamera]:
    """Yield `count` made-up cameras, region by region, as import rows numbered from 1.

    `hub_of` is called with the region of each connected camera, and must return the id of the
    camera's hub, or "" for none.
    """
    draw = random.Random(seed)
    row = 0
    for code, wanted in _shares(count).items():
        owner = _bin(draw)
        left = wanted
        while left:
            spot = _spot(draw, code)
            for place in range(min(left, draw.randint(2, 2 * _CAMERAS_A_SITE - 2))):
                row += 1
                left -= 1
                description = _description(draw, code, spot, place, owner, row)
                description.hub_id = hub_of(code) if description.connected else ""
                yield pb.ImportedCamera(row=row, camera_id=_id(draw, row), description=description)


def _shares(count: int) -> dict[str, int]:
    """How many of `count` cameras each region has, by its population."""
    people = sum(inhabitants for inhabitants, _, _ in _REGIONS.values())
    shares = {code: count * inhabitants // people for code, (inhabitants, _, _) in _REGIONS.items()}
    for code in list(shares)[: count - sum(shares.values())]:
        shares[code] += 1
    return shares


def _spot(draw: random.Random, code: str) -> _Spot:
    """A place in the region: four in five near its centre, the others farther away."""
    _, latitude, longitude = _REGIONS[code]
    for _ in range(_TRIES):
        spread = 0.05 if REGIONS[code].city or draw.random() < 0.8 else 0.4
        south = latitude + draw.gauss(0, spread)
        west = longitude + draw.gauss(0, spread / math.cos(math.radians(latitude)))
        if _is_in(code, south, west):
            break
    else:
        south, west = latitude, longitude
    number = draw.randint(1, 200)
    if draw.random() < 0.5:
        category, name = draw.choice(_CATEGORIES)
        return _Spot(f"{name} {number}", south, west, draw.uniform(0, 360), category)
    return _Spot(f"{draw.choice(_STREETS)} {number}", south, west, draw.uniform(0, 360))


def _is_in(code: str, latitude: float, longitude: float) -> bool:
    region = region_of(latitude, longitude)
    return region is not None and region.code == code


def _description(
    draw: random.Random, code: str, spot: _Spot, place: int, owner: str, row: int
) -> pb.CameraDescription:
    latitude, longitude = _placed(draw, code, spot, place)
    make, model = draw.choice(_MAKES)
    kind = draw.choice(_KINDS)
    connected = draw.random() < CONNECTED_SHARE
    functions: tuple[Any, ...] = ()
    if connected and draw.random() < WITH_AI_SHARE / CONNECTED_SHARE:
        functions = draw.choice(_FUNCTIONS)
    description = pb.CameraDescription(
        name=f"{spot.name}, camera {place + 1}",
        place=common_pb2.Place(
            latitude=latitude,
            longitude=longitude,
            region=code,
            address=f"{REGIONS[code].en}, {spot.name}",
        ),
        kind=kind,
        serial=f"{draw.randrange(16**6):06X}-{row:07d}",
        make=make,
        model=model,
        azimuth_degrees=round(draw.uniform(0, 359), 1),
        owner_bin=owner,
        connected=connected,
        functions=functions,
        height_metres=round(draw.uniform(3, 12), 1),
        field_of_view_degrees=draw.choice((60, 90, 110)),
        retention_days=30,
    )
    if spot.category:
        description.site, description.site_category = spot.name, spot.category
    if pb.AI_FUNCTION_FACE in functions:
        basis = "Made-up decision for trials, not a legal basis"
        description.bases.add(function=pb.AI_FUNCTION_FACE, basis=basis)
    if kind == pb.CAMERA_KIND_SPEED_POINT:
        description.certificate_number = "KZ.TRIAL.1"
        description.verifications.add(
            number=f"V-{row}", valid_from=to_timestamp(_BEGAN), valid_until=to_timestamp(_ENDS)
        )
    return description


def _placed(draw: random.Random, code: str, spot: _Spot, place: int) -> tuple[float, float]:
    """A place around a site, or along a street from the spot, in degrees to six decimals."""
    if spot.category:
        metres, bearing = draw.uniform(10, _SITE_METRES), draw.uniform(0, 360)
    else:
        metres, bearing = _STREET_METRES * place + draw.uniform(0, 20), spot.bearing
    # Across the region's border: nearer to the spot, which is in the region.
    while metres > 0.1:
        north = metres * math.cos(math.radians(bearing)) / _METRES_A_DEGREE
        east = metres * math.sin(math.radians(bearing)) / _METRES_A_DEGREE
        latitude = round(spot.latitude + north, 6)
        longitude = round(spot.longitude + east / math.cos(math.radians(latitude)), 6)
        if _is_in(code, latitude, longitude):
            return latitude, longitude
        metres /= 2
    return spot.latitude, spot.longitude


def _id(draw: random.Random, row: int) -> str:
    """A UUIDv7 of 2026, in the order of the rows."""
    time = int(_BEGAN.timestamp() * 1000) + row
    bits = draw.getrandbits(74)
    value = time << 80 | 0x7 << 76 | (bits >> 62) << 64 | 0b10 << 62 | bits & (1 << 62) - 1
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _bin(draw: random.Random) -> str:
    """A BIN with a correct check digit."""
    while True:
        stem = f"{draw.randint(0, 25):02d}{draw.randint(1, 12):02d}40{draw.randrange(10**5):05d}"
        for digit in range(10):
            if has_check_digit(f"{stem}{digit}"):
                return f"{stem}{digit}"
