"""The rule tables: law as data, versioned, with validity dates and a hash; and what they conclude.

Pure but for `load`, which reads the tables that come with the package. What a device can have
measured at all, and how exactly, stands in `law.guards`.
"""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from importlib import resources
from typing import Any
from uuid import UUID

from law.editions import Editions
from law.guards import Guards, HoldReason, Measured, Rule, is_verified

from violations.model import Caution, Device, Hold, Offence, Place, Plate, Readings

CYRILLIC = str.maketrans("АВЕКМНОРСТУХ", "ABEKMHOPCTYX")


@dataclass(frozen=True)
class Bracket:
    """Excess speeds between two bounds, each with or without its own value."""

    code: str
    over: Decimal
    over_included: bool
    up_to: Decimal | None
    up_to_included: bool

    def holds(self, excess: Decimal) -> bool:
        above = excess >= self.over if self.over_included else excess > self.over
        if self.up_to is None:
            return above
        return above and (excess <= self.up_to if self.up_to_included else excess < self.up_to)


@dataclass(frozen=True)
class Rules:
    """One table, in force from the first day to the last (None: until another says so)."""

    version: str
    sha256: str
    valid_from: date
    valid_until: date | None
    speed_rule: Rule
    brackets: tuple[Bracket, ...]
    red_light_rule: Rule
    red_light_code: str
    red_light_phase: str
    red_light_grace_seconds: Decimal
    plates_not_automatic: frozenset[str]
    plate_sure_from: float
    articles: dict[str, str]

    @classmethod
    def read(cls, raw: bytes) -> "Rules":
        told: dict[str, Any] = json.loads(raw, parse_float=Decimal, parse_int=Decimal)
        red = told["red_light"]
        return cls(
            version=told["version"],
            sha256=hashlib.sha256(raw).hexdigest(),
            valid_from=date.fromisoformat(told["valid_from"]),
            valid_until=date.fromisoformat(told["valid_until"]) if told["valid_until"] else None,
            speed_rule=Rule(told["speed"]["rule"]),
            brackets=tuple(Bracket(**one) for one in told["speed"]["brackets"]),
            red_light_rule=Rule(red["rule"]),
            red_light_code=red["code"],
            red_light_phase=red["phase"],
            red_light_grace_seconds=red["grace_seconds"],
            plates_not_automatic=frozenset(told["plates"]["not_automatic"]),
            plate_sure_from=float(told["plates"]["sure_from"]),
            articles=told["articles"],
        )

    def offence(self, code: str) -> Offence:
        return Offence(code, self.articles.get(code, ""), self.version, self.sha256)


def load() -> Editions[Rules]:
    """The tables of the package's folder `law`."""
    folder = resources.files("violations") / "law"
    tables = [entry.read_bytes() for entry in folder.iterdir() if entry.name.endswith(".json")]
    return Editions(Rules.read(raw) for raw in tables)


@dataclass(frozen=True)
class Verification:
    number: str
    valid_from: datetime
    valid_until: datetime

    def covers(self, moment: datetime) -> bool:
        return is_verified(self.valid_from, self.valid_until, moment)


@dataclass(frozen=True)
class Camera:
    """What the register tells of the camera as it was when it measured."""

    camera_id: UUID
    # "SPEED_POINT": what it was built for.
    kind: str
    place: Place
    device_name: str
    serial: str
    certificate_number: str
    verifications: tuple[Verification, ...]
    speed_tolerance_kmh: float
    dedupe_seconds: int

    def verification_at(self, moment: datetime) -> Verification | None:
        return next((one for one in self.verifications if one.covers(moment)), None)

    def device_at(self, moment: datetime, tolerance_kmh: Decimal | None = None) -> Device:
        device = Device(
            self.device_name,
            self.serial,
            self.certificate_number,
            kind=self.kind,
            tolerance_kmh=None if tolerance_kmh is None else float(tolerance_kmh),
        )
        verification = self.verification_at(moment)
        if verification is None:
            return device
        return replace(
            device,
            verification_number=verification.number,
            verification_from=verification.valid_from,
            verification_until=verification.valid_until,
        )


@dataclass(frozen=True)
class Finding:
    """An offence that readings show. Of each `rule` one passage shows one: two brackets of speed
    are one offence. `tolerance_kmh` is what was taken off a measured speed."""

    rule: Rule
    offence: Offence
    over_kmh: Decimal | None = None
    tolerance_kmh: Decimal | None = None


def findings(readings: Readings, camera: Camera, rules: Rules, guards: Guards) -> list[Finding]:
    """What the readings show, whether or not a camera of this kind may find it."""
    found = [_speeding(readings, camera, rules, guards), _red_light(readings, rules)]
    return [one for one in found if one is not None]


def hold_of(
    plate: Plate,
    readings: Readings,
    arrived_at: datetime,
    *,
    finding: Finding,
    camera: Camera,
    rules: Rules,
    guards: Guards,
) -> Hold:
    """Why no automatic prescription may follow, the gravest reason first."""
    return (
        _why_not_the_device(readings, arrived_at, camera, guards)
        or _hold(guards.readings.why_held(finding.rule, measured(readings)))
        or _why_not_the_plate(plate, rules)
    )


def caution_of(plate: Plate, rules: Rules, *, doubtful: bool) -> Caution:
    """What the officer must compare with the picture. `doubtful`: plates were misread then."""
    if doubtful:
        return Caution.READ_WHILE_DEGRADED
    return Caution.NONE if plate.is_sure(rules.plate_sure_from) else Caution.PLATE_NOT_SURE


def measured(readings: Readings) -> Measured:
    return Measured(
        readings.speed_kmh,
        readings.speed_limit_kmh,
        readings.signal_phase,
        readings.signal_age_seconds,
        readings.past_stop_line,
    )


def normalised_plate(text: str) -> str:
    """Upper case, Latin letters for their Cyrillic twins, nothing but letters and digits."""
    return re.sub(r"[^A-Z0-9]", "", text.upper().translate(CYRILLIC))


def _why_not_the_device(
    readings: Readings, arrived_at: datetime, camera: Camera, guards: Guards
) -> Hold:
    if readings.device_serial != camera.serial:
        return Hold.DEVICE_DIFFERS
    clock = guards.device_clock.why_held(readings.device_time, arrived_at)
    if clock is not None:
        return _hold(clock)
    if camera.verification_at(readings.device_time) is None:
        return Hold.DEVICE_NOT_VERIFIED
    return Hold.NONE if camera.certificate_number else Hold.DEVICE_NOT_CERTIFIED


def _why_not_the_plate(plate: Plate, rules: Rules) -> Hold:
    """A plate of a known form that was read with doubt is left to the officer, who is warned."""
    if plate.plate_type in rules.plates_not_automatic:
        return Hold.PLATE_NOT_AUTOMATIC
    if not plate.has_known_form and not plate.is_sure(rules.plate_sure_from):
        return Hold.PLATE_UNSURE
    return Hold.NONE


def _hold(reason: HoldReason | None) -> Hold:
    return Hold.NONE if reason is None else Hold(reason.value)


def _speeding(readings: Readings, camera: Camera, rules: Rules, guards: Guards) -> Finding | None:
    given = measured(readings)
    excess = guards.readings.excess_kmh(camera.kind, given, camera.speed_tolerance_kmh)
    if excess is None:
        return None
    tolerance = guards.readings.tolerance_kmh(camera.kind, given, camera.speed_tolerance_kmh)
    for bracket in rules.brackets:
        if bracket.holds(excess):
            return Finding(rules.speed_rule, rules.offence(bracket.code), excess, tolerance)
    return None


def _red_light(readings: Readings, rules: Rules) -> Finding | None:
    if readings.signal_phase != rules.red_light_phase or not readings.past_stop_line:
        return None
    age = readings.signal_age_seconds
    # A negative age is a device at fault: it is found, and held.
    if age is None or 0 <= Decimal(repr(age)) <= rules.red_light_grace_seconds:
        return None
    return Finding(rules.red_light_rule, rules.offence(rules.red_light_code))
