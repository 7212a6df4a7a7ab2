"""Reads the guards' bounds from JSON tables, one table for each edition.

The bounds must lie within limits that are fixed in the code, so that no table disables a guard.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from importlib import resources
from typing import Any

from law.editions import Editions
from law.guards.camera_kinds import FIND_NOTHING, CameraKinds
from law.guards.device_clock import DeviceClock
from law.guards.journey import Journey
from law.guards.passage import RADIUS_METRES_FLOOR, WINDOW_FLOOR, Passage
from law.guards.readings import ReadingBounds, Rule, SignalBounds, SpeedBounds, Tolerance

TOLERANCE_KMH_FLOOR = Decimal(1)
LIMIT_KMH_FLOOR = Decimal(5)
# A slower bound would hold every driver, a faster one would hold nobody.
JOURNEY_KMH_FLOOR, JOURNEY_KMH_CEILING = 140.0, 400.0
COUNTRY_KM_FLOOR = 2900.0
CLOCK_AHEAD_CEILING = timedelta(minutes=1)
CLOCK_BEHIND_FLOOR, CLOCK_BEHIND_CEILING = timedelta(hours=1), timedelta(days=7)


class TableWrong(ValueError):
    """An unusable table of bounds: malformed, incomplete or with bounds outside the limits."""


@dataclass(frozen=True)
class Guards:
    """One edition of the guards, with their bounds. A decision records `version` and `sha256`."""

    version: str
    sha256: str
    valid_from: date
    valid_until: date | None
    passage: Passage
    journey: Journey
    readings: ReadingBounds
    device_clock: DeviceClock
    camera_kinds: CameraKinds
    offences: dict[str, Rule]

    def rule_of(self, offence_code: str) -> Rule | None:
        """The `Rule` for an offence by its code; None if no device detects that offence."""
        return self.offences.get(offence_code)


def load() -> Editions[Guards]:
    """Read all editions of the guards' bounds shipped with this library. Raises TableWrong."""
    folder = resources.files("law") / "guards" / "tables"
    return Editions(
        read(entry.read_bytes()) for entry in folder.iterdir() if entry.name.endswith(".json")
    )


def read(raw: bytes) -> Guards:
    """Parse one edition of the guards' bounds from JSON. Raises TableWrong."""
    try:
        table = json.loads(raw, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_number)
        guards = _guards(table, hashlib.sha256(raw).hexdigest())
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise TableWrong(f"not a table of guards: {error!r}") from error
    _check_floors(guards)
    return guards


def _guards(table: dict[str, Any], sha256: str) -> Guards:
    last = table["valid_until"]
    return Guards(
        version=str(table["version"]),
        sha256=sha256,
        valid_from=date.fromisoformat(table["valid_from"]),
        valid_until=date.fromisoformat(last) if last else None,
        passage=_passage(_section(table, "passage")),
        journey=_journey(_section(table, "journey")),
        readings=ReadingBounds(
            _speed(_section(table, "speed")), _signal(_section(table, "signal"))
        ),
        device_clock=_device_clock(_section(table, "device_clock")),
        camera_kinds=CameraKinds(
            {
                kind: frozenset(map(Rule, rules))
                for kind, rules in _section(table, "camera_kinds").items()
            }
        ),
        offences={
            code: Rule(rule)
            for rule, codes in _section(table, "offences").items()
            for code in codes
        },
    )


def _section(table: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a section without its source. Raises ValueError if the section names no source."""
    section = dict(table[name])
    if not str(section.pop("source")).strip():
        raise ValueError(f"{name} names no source")
    return section


def _passage(section: dict[str, Any]) -> Passage:
    return Passage(float(section["radius_metres"]), _seconds(section["window_seconds"]))


def _journey(section: dict[str, Any]) -> Journey:
    return Journey(
        speed_max_kmh=float(section["speed_max_kmh"]),
        clock_slack=_seconds(section["clock_slack_seconds"]),
        place_slack_metres=float(section["place_slack_metres"]),
        country_km=float(section["country_km"]),
    )


def _speed(section: dict[str, Any]) -> SpeedBounds:
    tolerances = {
        kind: Tolerance(Decimal(row["kmh"]), Decimal(row["share"]))
        for kind, row in section.pop("tolerances").items()
    }
    numbers = {bound: Decimal(number) for bound, number in section.items()}
    return SpeedBounds(**numbers, tolerances=tolerances)


def _signal(section: dict[str, Any]) -> SignalBounds:
    return SignalBounds(section["phase"], float(section["age_max_seconds"]))


def _device_clock(section: dict[str, Any]) -> DeviceClock:
    return DeviceClock(_seconds(section["ahead_seconds"]), _seconds(section["behind_seconds"]))


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no bound")


def _seconds(number: Decimal) -> timedelta:
    return timedelta(seconds=float(number))


def _check_floors(guards: Guards) -> None:
    """Raise TableWrong, listing every bound that is out of range, if there are any."""
    wrong = [name for name, holds in _floors(guards) if not holds]
    if wrong:
        raise TableWrong(f"{guards.version}: out of bounds: {', '.join(wrong)}")


def _floors(guards: Guards) -> Iterable[tuple[str, bool]]:
    passage, journey, clock = guards.passage, guards.journey, guards.device_clock
    speed, signal = guards.readings.speed, guards.readings.signal
    yield "passage.radius_metres", passage.radius_metres >= RADIUS_METRES_FLOOR
    yield "passage.window_seconds", passage.window >= WINDOW_FLOOR
    yield (
        "journey.speed_max_kmh",
        JOURNEY_KMH_FLOOR <= journey.speed_max_kmh <= JOURNEY_KMH_CEILING,
    )
    yield "journey.country_km", journey.country_km >= COUNTRY_KM_FLOOR
    # Two records of one passage must never count as an impossible journey.
    yield "journey.place_slack_metres", journey.place_slack_metres >= passage.radius_metres
    yield "journey.clock_slack_seconds", journey.clock_slack >= 2 * clock.ahead_max
    yield "speed.limit_min_kmh", LIMIT_KMH_FLOOR <= speed.limit_min_kmh <= speed.limit_max_kmh
    yield "speed.limit_step_kmh", speed.limit_step_kmh > 0
    yield "speed.speed_min_kmh", 0 < speed.speed_min_kmh < speed.speed_max_kmh
    yield (
        "speed.tolerances",
        bool(speed.tolerances)
        and all(
            floor.kmh >= TOLERANCE_KMH_FLOOR and floor.share >= 0
            for floor in speed.tolerances.values()
        ),
    )
    yield "signal.age_max_seconds", signal.age_max_seconds > 0
    yield "device_clock.ahead_seconds", timedelta() <= clock.ahead_max <= CLOCK_AHEAD_CEILING
    yield (
        "device_clock.behind_seconds",
        CLOCK_BEHIND_FLOOR <= clock.behind_max <= CLOCK_BEHIND_CEILING,
    )
    rules = guards.camera_kinds.rules
    yield "camera_kinds", not any(rules.get(kind) for kind in FIND_NOTHING)
