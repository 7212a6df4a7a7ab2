"""The rule tables: law as data, versioned, with validity dates and a hash; and what they conclude.

Pure but for `load`, which reads the tables that come with the package. A moment that no table
covers is refused by name: yesterday's law is not guessed from today's.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from importlib import resources
from typing import Any
from uuid import UUID

from violations.model import Device, Hold, Offence, Place, Plate, Readings

# One zone in the whole country, UTC+5, since 01.03.2024: older than any table here.
ALMATY = timezone(timedelta(hours=5), "Asia/Almaty")
CYRILLIC = str.maketrans("АВЕКМНОРСТУХ", "ABEKMHOPCTYX")


class RulesMissing(LookupError):
    """No rule table was in force at that moment: an officer decides, nobody is answered this."""


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
    speed_rule: str
    brackets: tuple[Bracket, ...]
    red_light_rule: str
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
            speed_rule=told["speed"]["rule"],
            brackets=tuple(Bracket(**one) for one in told["speed"]["brackets"]),
            red_light_rule=red["rule"],
            red_light_code=red["code"],
            red_light_phase=red["phase"],
            red_light_grace_seconds=red["grace_seconds"],
            plates_not_automatic=frozenset(told["plates"]["not_automatic"]),
            plate_sure_from=float(told["plates"]["sure_from"]),
            articles=told["articles"],
        )

    def holds_on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)

    def offence(self, code: str) -> Offence:
        return Offence(code, self.articles.get(code, ""), self.version, self.sha256)


class RuleBook:
    """All tables; the newest one in force on the day in Almaty decides."""

    def __init__(self, tables: tuple[Rules, ...]) -> None:
        self._tables = tuple(sorted(tables, key=lambda table: table.valid_from, reverse=True))

    def at(self, moment: datetime) -> Rules:
        """Raises RulesMissing."""
        day = moment.astimezone(ALMATY).date()
        for table in self._tables:
            if table.holds_on(day):
                return table
        raise RulesMissing(day.isoformat())


def load() -> RuleBook:
    """The tables of the package's folder `law`."""
    folder = resources.files("violations") / "law"
    tables = [entry.read_bytes() for entry in folder.iterdir() if entry.name.endswith(".json")]
    return RuleBook(tuple(Rules.read(raw) for raw in tables))


@dataclass(frozen=True)
class Verification:
    number: str
    valid_from: datetime
    valid_until: datetime

    def covers(self, moment: datetime) -> bool:
        return self.valid_from <= moment < self.valid_until


@dataclass(frozen=True)
class Camera:
    """What the register tells of the camera that measured."""

    camera_id: UUID
    place: Place
    device_name: str
    serial: str
    certificate_number: str
    verifications: tuple[Verification, ...]
    speed_tolerance_kmh: float
    dedupe_seconds: int

    def verification_at(self, moment: datetime) -> Verification | None:
        return next((one for one in self.verifications if one.covers(moment)), None)

    def device_at(self, moment: datetime) -> Device:
        verification = self.verification_at(moment)
        if verification is None:
            return Device(self.device_name, self.serial, self.certificate_number)
        return Device(
            self.device_name,
            self.serial,
            self.certificate_number,
            verification.number,
            verification.valid_from,
            verification.valid_until,
        )


@dataclass(frozen=True)
class Finding:
    """An offence that readings show. `rule` is what is seen once in the dedupe window: two
    brackets of speed in one passage are one offence."""

    rule: str
    offence: Offence
    over_kmh: Decimal | None = None


def findings(readings: Readings, camera: Camera, rules: Rules) -> list[Finding]:
    found = [_speeding(readings, camera, rules), _red_light(readings, rules)]
    return [one for one in found if one is not None]


def excess_kmh(readings: Readings, tolerance_kmh: float) -> Decimal | None:
    """Measured less the device's error less the limit; None where either was not measured."""
    if readings.speed_kmh is None or readings.speed_limit_kmh is None:
        return None
    # Through text: 82.1 is meant, not the binary number nearest to it.
    measured, limit, error = (
        Decimal(repr(value))
        for value in (readings.speed_kmh, readings.speed_limit_kmh, tolerance_kmh)
    )
    return measured - error - limit


def hold_of(plate: Plate, readings: Readings, camera: Camera, rules: Rules) -> Hold:
    """Why no automatic prescription may follow, the gravest reason first."""
    if readings.device_serial != camera.serial:
        return Hold.DEVICE_DIFFERS
    if camera.verification_at(readings.device_time) is None:
        return Hold.DEVICE_NOT_VERIFIED
    if not camera.certificate_number:
        return Hold.DEVICE_NOT_CERTIFIED
    if plate.plate_type in rules.plates_not_automatic:
        return Hold.PLATE_NOT_AUTOMATIC
    if not plate.has_known_form and not plate.is_sure(rules.plate_sure_from):
        return Hold.PLATE_UNSURE
    return Hold.NONE


def normalised_plate(text: str) -> str:
    """Upper case, Latin letters for their Cyrillic twins, nothing but letters and digits."""
    return re.sub(r"[^A-Z0-9]", "", text.upper().translate(CYRILLIC))


def _speeding(readings: Readings, camera: Camera, rules: Rules) -> Finding | None:
    excess = excess_kmh(readings, camera.speed_tolerance_kmh)
    if excess is None:
        return None
    for bracket in rules.brackets:
        if bracket.holds(excess):
            return Finding(rules.speed_rule, rules.offence(bracket.code), excess)
    return None


def _red_light(readings: Readings, rules: Rules) -> Finding | None:
    if readings.signal_phase != rules.red_light_phase or not readings.past_stop_line:
        return None
    age = readings.signal_age_seconds
    if age is None or Decimal(repr(age)) <= rules.red_light_grace_seconds:
        return None
    return Finding(rules.red_light_rule, rules.offence(rules.red_light_code))
