"""Areas on the ground in which cameras are sought."""

import math
from dataclasses import dataclass

from chassis.fields import check_point
from chassis.refusals import Checks

RADIUS_METRES_MAX = 50_000.0
EARTH_RADIUS_METRES = 6_371_008.8


@dataclass(frozen=True)
class Circle:
    latitude: float
    longitude: float
    radius_metres: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The south, west, north and east bounds, in degrees, of a box around the circle.

        The box spans all longitudes if the circle is close to a pole or crosses the 180th meridian.
        """
        height = math.degrees(self.radius_metres / EARTH_RADIUS_METRES)
        south, north = self.latitude - height, self.latitude + height
        narrowest = math.cos(math.radians(max(abs(south), abs(north))))
        if abs(south) >= 90 or abs(north) >= 90 or narrowest < 1e-6:
            return south, -180.0, north, 180.0
        width = height / narrowest
        west, east = self.longitude - width, self.longitude + width
        if west < -180 or east > 180:
            return south, -180.0, north, 180.0
        return south, west, north, east


def check_circle(check: Checks, circle: Circle) -> None:
    """Add every invalid field of the circle, the `area` of a list request, to `check`."""
    check_point(check, "area.", latitude=circle.latitude, longitude=circle.longitude)
    check.that(
        0 < circle.radius_metres <= RADIUS_METRES_MAX,
        "area.radius_metres",
        f"above 0, at most {RADIUS_METRES_MAX:g}",
    )
