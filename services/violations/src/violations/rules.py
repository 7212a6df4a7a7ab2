"""Decides which offences the readings of a device show under the articles of law in force, and
whether a violation must be held.

Pure: no clock, no storage. The articles with their speed brackets are in `law.articles`; limits and
tolerances of measurements are in `law.guards`.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from law.articles import Articles
from law.guards import Guards, HoldReason, Measured, Rule, is_verified

from violations.model import Caution, Device, Hold, Offence, Place, Plate, Readings


@dataclass(frozen=True)
class Verification:
    number: str
    valid_from: datetime
    valid_until: datetime

    def covers(self, moment: datetime) -> bool:
        return is_verified(self.valid_from, self.valid_until, moment)


@dataclass(frozen=True)
class Camera:
    """A camera as registered at the time of measurement. Two of its plate reads count as one
    passage of the vehicle if they are at most `dedupe_seconds` apart."""

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
        return next((known for known in self.verifications if known.covers(moment)), None)

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
    """An offence that readings show; each rule yields at most one. For speeding, it is the offence
    of the speed bracket in which the excess lies.

    `over_kmh` is the excess over the speed limit after subtraction of `tolerance_kmh`, the device's
    measuring tolerance. Both fields are None if the rule is not about speed.
    """

    rule: Rule
    offence: Offence
    over_kmh: Decimal | None = None
    tolerance_kmh: Decimal | None = None


def offence_of(code: str, articles: Articles) -> Offence:
    """Return the offence with this code under this edition of the articles. The offence's `article`
    is "" if the edition has no article for the code."""
    article = articles.by_code.get(code)
    return Offence(code, article.article if article else "", articles.version, articles.sha256)


def findings(
    readings: Readings, camera: Camera, articles: Articles, guards: Guards
) -> list[Finding]:
    """Return a finding for each offence that the readings show, even for offences that a camera of
    this kind is not approved to detect."""
    found = [_speeding(readings, camera, articles, guards), _red_light(readings, articles)]
    return [finding for finding in found if finding is not None]


def hold_of(
    plate: Plate,
    readings: Readings,
    arrived_at: datetime,
    *,
    finding: Finding,
    camera: Camera,
    articles: Articles,
    guards: Guards,
) -> Hold:
    """Return the reason why the violation must not be confirmed, or Hold.NONE.

    If there are several reasons, the first is returned: those about the device come first, then
    those about the measurement, then those about the plate.
    """
    return (
        _device_hold(readings, arrived_at, camera, guards)
        or _hold(guards.readings.why_held(finding.rule, measured(readings)))
        or _plate_hold(plate, articles)
    )


def caution_of(plate: Plate, articles: Articles, *, doubtful: bool) -> Caution:
    """Return the caution about how this plate was read, or Caution.NONE if it was read well.

    A caution warns the officer who decides on the violation; it forbids no decision. If `doubtful`
    (plate reading was unreliable at the time), the caution is READ_WHILE_DEGRADED. Otherwise, if
    the plate or one of its characters was read with a confidence below `articles.plates.sure_from`,
    the caution is PLATE_NOT_SURE.
    """
    if doubtful:
        return Caution.READ_WHILE_DEGRADED
    return Caution.NONE if plate.is_sure(articles.plates.sure_from) else Caution.PLATE_NOT_SURE


def measured(readings: Readings) -> Measured:
    return Measured(
        readings.speed_kmh,
        readings.speed_limit_kmh,
        readings.signal_phase,
        readings.signal_age_seconds,
        readings.past_stop_line,
    )


def _device_hold(readings: Readings, arrived_at: datetime, camera: Camera, guards: Guards) -> Hold:
    if readings.device_serial != camera.serial:
        return Hold.DEVICE_DIFFERS
    clock = guards.device_clock.why_held(readings.device_time, arrived_at)
    if clock is not None:
        return _hold(clock)
    if camera.verification_at(readings.device_time) is None:
        return Hold.DEVICE_NOT_VERIFIED
    return Hold.NONE if camera.certificate_number else Hold.DEVICE_NOT_CERTIFIED


def _plate_hold(plate: Plate, articles: Articles) -> Hold:
    """Return the hold of the plate, or Hold.NONE. A plate of known format with low confidence
    gets a caution instead of a hold."""
    if plate.plate_type in articles.plates.not_automatic:
        return Hold.PLATE_NOT_AUTOMATIC
    if not plate.has_known_form and not plate.is_sure(articles.plates.sure_from):
        return Hold.PLATE_UNSURE
    return Hold.NONE


def _hold(reason: HoldReason | None) -> Hold:
    return Hold.NONE if reason is None else Hold(reason.value)


def _speeding(
    readings: Readings, camera: Camera, articles: Articles, guards: Guards
) -> Finding | None:
    given = measured(readings)
    excess = guards.readings.excess_kmh(camera.kind, given, camera.speed_tolerance_kmh)
    if excess is None:
        return None
    tolerance = guards.readings.tolerance_kmh(camera.kind, given, camera.speed_tolerance_kmh)
    article = articles.speeding(excess)
    if article is None:
        return None
    return Finding(Rule.SPEED, offence_of(article.code, articles), excess, tolerance)


def _red_light(readings: Readings, articles: Articles) -> Finding | None:
    article = articles.passing_a_signal(readings.signal_phase)
    if article is None or article.signal is None or not readings.past_stop_line:
        return None
    age = readings.signal_age_seconds
    # A negative age is a fault of the device: the offence is found, and held.
    if age is None or 0 <= Decimal(repr(age)) <= article.signal.grace_seconds:
        return None
    return Finding(Rule.RED_LIGHT, offence_of(article.code, articles))
