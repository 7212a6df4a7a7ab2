"""Which cameras see a place: by their positions, directions and fields of view."""

import math
from dataclasses import dataclass

from chassis.fields import check_point
from chassis.refusals import Checks

from camera_registry.model.area import EARTH_RADIUS_METRES, distance_metres
from camera_registry.model.camera import Camera
from camera_registry.model.description import CameraKind, Description

WITHIN_METRES_MAX = 500.0
WITHIN_METRES_DEFAULT = 100.0
SIGHTS_MAX = 500
# Nearer than this, the error of places leaves the direction open.
NO_DIRECTION_METRES = 1.0
# Worn by a person, or in the air: neither place nor azimuth stays as it is described.
_MOVING = (CameraKind.BODY, CameraKind.DRONE)


@dataclass(frozen=True)
class Spot:
    """A place in WGS 84 degrees, and the distance within which cameras are searched for."""

    latitude: float
    longitude: float
    within_metres: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """South, west, north and east, in degrees, of a box around all places within the distance.

        It is not wrapped at the antimeridian: beyond 180 or -180 degrees, nothing is found.
        """
        height = math.degrees(self.within_metres / EARTH_RADIUS_METRES) * 1.001
        width = height / max(0.01, math.cos(math.radians(abs(self.latitude) + height)))
        south, north = self.latitude - height, self.latitude + height
        return south, self.longitude - width, north, self.longitude + width


@dataclass(frozen=True)
class Sight:
    """A camera that may have seen a place. If `is_certain`, the camera's field of view proves
    it."""

    camera: Camera
    distance_metres: float
    is_certain: bool


def sight_of(camera: Camera, spot: Spot) -> Sight | None:
    """Return how a camera, as described in this version, sees a place; None if it does not."""
    there = camera.description.place.point
    distance = distance_metres(*there, spot.latitude, spot.longitude)
    if distance > spot.within_metres:
        return None
    is_certain = _is_directed(camera.description) and distance >= NO_DIRECTION_METRES
    if is_certain and not _looks_at(camera.description, (spot.latitude, spot.longitude)):
        return None
    return Sight(camera, distance, is_certain)


def bearing_degrees(start: tuple[float, float], end: tuple[float, float]) -> float:
    """The direction from one place to another, in degrees clockwise from north, 0 to 360."""
    (south, west), (north, east) = (tuple(map(math.radians, each)) for each in (start, end))
    eastward = math.sin(east - west) * math.cos(north)
    northward = math.cos(south) * math.sin(north)
    northward -= math.sin(south) * math.cos(north) * math.cos(east - west)
    return math.degrees(math.atan2(eastward, northward)) % 360


def check_spot(check: Checks, spot: Spot) -> None:
    """Add every invalid field of a spot to `check`."""
    check_point(check, "", latitude=spot.latitude, longitude=spot.longitude)
    check.that(
        0 < spot.within_metres <= WITHIN_METRES_MAX,
        "within_metres",
        f"above 0, at most {WITHIN_METRES_MAX:g}; 0 means {WITHIN_METRES_DEFAULT:g}",
    )


def _is_directed(given: Description) -> bool:
    """Whether it is known where a camera looks and how wide."""
    return given.field_of_view_degrees > 0 and given.kind not in _MOVING


def _looks_at(given: Description, place: tuple[float, float]) -> bool:
    aside = abs(bearing_degrees(given.place.point, place) - given.azimuth_degrees) % 360
    return min(aside, 360 - aside) <= given.field_of_view_degrees / 2
