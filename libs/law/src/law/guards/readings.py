"""Checks whether a device's readings are plausible: speed, speed limit and traffic light.

An implausible reading means a faulty device, not a smaller or larger offence. The recorded offence
is then held for an officer.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from law.guards.holds import HoldReason


class Rule(StrEnum):
    """A kind of offence that a device can detect, at most once in each passage of a vehicle."""

    SPEED = "SPEED"
    RED_LIGHT = "RED_LIGHT"


@dataclass(frozen=True)
class Measured:
    """What a device measured of a vehicle and the traffic light in front of it.

    None, or "" for the phase, means not measured. `signal_age_seconds` is the time since the
    current phase of the light began.
    """

    speed_kmh: float | None = None
    speed_limit_kmh: float | None = None
    signal_phase: str = ""
    signal_age_seconds: float | None = None
    past_stop_line: bool | None = None


@dataclass(frozen=True)
class Tolerance:
    """The least deduction from a speed that a kind of camera has measured.

    It is the larger of `kmh` and the fraction `share` (0 to 1) of the speed.
    """

    kmh: Decimal
    share: Decimal

    def at(self, speed_kmh: Decimal) -> Decimal:
        """Return the least tolerance at a speed: the larger of `kmh` and `share` of it, in km/h."""
        return max(self.kmh, speed_kmh * self.share)


@dataclass(frozen=True)
class SpeedBounds:
    """Plausible speed limits and speeds, and the least tolerance of each kind of camera."""

    limit_min_kmh: Decimal
    limit_max_kmh: Decimal
    limit_step_kmh: Decimal
    speed_min_kmh: Decimal
    speed_max_kmh: Decimal
    # A kind that is not listed gets the largest.
    tolerances: dict[str, Tolerance]

    def is_limit(self, kmh: Decimal) -> bool:
        """Whether a road can have this speed limit, in km/h; limits come in fixed steps."""
        between = self.limit_min_kmh <= kmh <= self.limit_max_kmh
        return between and kmh % self.limit_step_kmh == 0

    def is_speed(self, kmh: Decimal) -> bool:
        """Return whether a speed, in km/h, is in the range that devices are approved to measure."""
        return self.speed_min_kmh <= kmh <= self.speed_max_kmh

    def tolerance_kmh(self, kind: str, speed_kmh: Decimal, of_camera: float) -> Decimal:
        """The tolerance deducted from a measured speed, in km/h.

        This is `of_camera`, the tolerance set for this camera, but at least the tolerance of its
        `kind`. For an unknown kind, it is at least the largest tolerance of any kind.
        """
        named = self.tolerances.get(kind)
        floors = [named] if named else list(self.tolerances.values())
        return max(_decimal(of_camera), *(floor.at(speed_kmh) for floor in floors))


@dataclass(frozen=True)
class SignalBounds:
    """The phase of a traffic light that forbids passing, and its longest plausible duration."""

    phase: str
    age_max_seconds: float


@dataclass(frozen=True)
class ReadingBounds:
    """The bounds within which the readings of a device are plausible."""

    speed: SpeedBounds
    signal: SignalBounds

    def why_held(self, rule: Rule, measured: Measured) -> HoldReason | None:
        """Return why a device's readings cannot prove this offence, or None if they can."""
        if rule is Rule.SPEED:
            return self._speed_hold(measured)
        return self._signal_hold(measured)

    def excess_kmh(self, kind: str, measured: Measured, of_camera: float = 0.0) -> Decimal | None:
        """Return speed minus tolerance and limit, in km/h; None if speed or limit is missing.

        `kind` is the kind of camera; `of_camera` is the tolerance set for this camera, in km/h.
        """
        speed, limit = _number(measured.speed_kmh), _number(measured.speed_limit_kmh)
        if speed is None or limit is None:
            return None
        return speed - self.speed.tolerance_kmh(kind, speed, of_camera) - limit

    def tolerance_kmh(self, kind: str, measured: Measured, of_camera: float = 0.0) -> Decimal:
        """Return the tolerance that `excess_kmh` deducts, in km/h; `measured` must have a speed."""
        speed = _number(measured.speed_kmh)
        assert speed is not None
        return self.speed.tolerance_kmh(kind, speed, of_camera)

    def _speed_hold(self, measured: Measured) -> HoldReason | None:
        if measured.speed_kmh is None or measured.speed_limit_kmh is None:
            return HoldReason.SPEED_MISSING
        speed, limit = _number(measured.speed_kmh), _number(measured.speed_limit_kmh)
        if limit is None or not self.speed.is_limit(limit):
            return HoldReason.SPEED_LIMIT_IMPLAUSIBLE
        if speed is None or not self.speed.is_speed(speed):
            return HoldReason.SPEED_IMPLAUSIBLE
        return None

    def _signal_hold(self, measured: Measured) -> HoldReason | None:
        age = measured.signal_age_seconds
        if not measured.signal_phase or age is None or measured.past_stop_line is None:
            return HoldReason.SIGNAL_MISSING
        if measured.signal_phase != self.signal.phase:
            return HoldReason.SIGNAL_ALLOWED_PASSING
        if not 0 <= age <= self.signal.age_max_seconds:  # NaN lies in no range
            return HoldReason.SIGNAL_IMPLAUSIBLE
        return None if measured.past_stop_line else HoldReason.STOP_LINE_NOT_PASSED


def _number(value: float | None) -> Decimal | None:
    """The number as a decimal; None for None, NaN and infinity."""
    return None if value is None or not math.isfinite(value) else _decimal(value)


def _decimal(value: float) -> Decimal:
    """Convert through text: 82.1 becomes exactly 82.1, not the binary fraction nearest to it."""
    return Decimal(repr(value))
