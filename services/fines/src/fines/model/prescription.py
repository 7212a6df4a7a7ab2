"""What a prescription must state (KoAP Art. 822-1), and what keeps one from being issued.

A hold has a name and is shown; nothing is ever issued silently late, to the wrong owner, or on a
device whose verification had run out.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from law.zone import almaty_day

from fines.model.days import months_after
from fines.model.holds import Hold
from fines.model.identifiers import (
    birth_date,
    is_bin,
    masked,
    may_be_fined_automatically,
    normalised_plate,
)
from fines.model.ownership import Owner, Registration
from fines.model.tariff import Article, speed_code

SENT_WITHIN_DAYS = 10
LIMITATION_MONTHS = 2
ROUNDING_KMH = 1e-6


@dataclass(frozen=True)
class Device:
    name: str
    serial: str
    certificate_number: str
    verification_number: str
    verification_from: datetime | None
    verification_until: datetime | None


@dataclass(frozen=True)
class ConfirmedViolation:
    """What the owner of violations tells about one."""

    violation_id: str
    is_confirmed: bool
    from_device: bool
    hold_reason: str
    offence_code: str
    article: str
    rules_version: str
    occurred_at: datetime
    plate: str
    address: str
    latitude: float
    longitude: float
    device: Device
    speed_kmh: float | None
    speed_limit_kmh: float | None
    over_kmh: float | None
    signal_phase: str
    signal_age_seconds: float | None
    past_stop_line: bool | None
    evidence_sha256: tuple[str, ...]
    officer: str
    decided_at: datetime | None


@dataclass(frozen=True)
class Particulars:
    """Everything personal that the letter states; sealed as a whole with the owner's key."""

    owner: Owner
    plate: str
    vehicle: str
    address: str
    latitude: float
    longitude: float
    device_name: str
    device_serial: str
    certificate_number: str
    verification_number: str
    verification_from: str
    verification_until: str
    speed_kmh: float | None
    speed_limit_kmh: float | None
    over_kmh: float | None
    officer: str
    decided_at: str
    rules_version: str
    evidence_sha256: list[str] = field(default_factory=list)
    # "RED", "YELLOW", "GREEN", "" where no light was read.
    signal_phase: str = ""
    signal_age_seconds: float | None = None
    past_stop_line: bool | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Particulars":
        return cls(**{**value, "owner": Owner(**value["owner"])})

    @property
    def owner_masked(self) -> str:
        return masked(self.owner.number)

    @property
    def owner_birth_date(self) -> date | None:
        return None if is_bin(self.owner.number) else birth_date(self.owner.number)


def time_hold(occurred_at: datetime, now: datetime) -> Hold:
    """Arts. 62 and 822-1(3). Both in calendar days, the narrower reading, in the owner's favour."""
    occurred_on, today = almaty_day(occurred_at), almaty_day(now)
    if occurred_at > now:
        return Hold.OCCURRED_IN_FUTURE
    if today > months_after(occurred_on, LIMITATION_MONTHS):
        return Hold.LIMITATION_EXPIRED
    if today > occurred_on + timedelta(days=SENT_WITHIN_DAYS):
        return Hold.SENT_TOO_LATE
    return Hold.NONE


def prescription_holds(violation: ConfirmedViolation, article: Article | None) -> Iterator[Hold]:
    """All that forbids an automatic prescription, in order of precedence."""
    if not violation.is_confirmed:
        yield Hold.VIOLATION_NOT_CONFIRMED
    elif not violation.from_device:
        yield Hold.CITIZEN_EVIDENCE
    elif violation.hold_reason:
        yield Hold.VIOLATION_HELD
    elif article is None:
        yield Hold.ARTICLE_UNKNOWN
    else:
        yield from _article_holds(violation, article)
        yield from _plate_holds(violation.plate)
        yield from _device_holds(violation, article)
        yield from _speed_holds(violation, article)


def _article_holds(violation: ConfirmedViolation, article: Article) -> Iterator[Hold]:
    # Two services hold the law as tables; where they disagree, nobody is fined.
    if violation.article != article.article:
        yield Hold.ARTICLE_DIFFERS
    since = article.automatic_from
    if since is None or almaty_day(violation.occurred_at) < since or not article.base_values:
        yield Hold.ARTICLE_NOT_AUTOMATIC


def _plate_holds(text: str) -> Iterator[Hold]:
    plate = normalised_plate(text)
    if plate is None:
        yield Hold.PLATE_WRONG
    elif not may_be_fined_automatically(plate):
        yield Hold.PLATE_NOT_AUTOMATIC


def _device_holds(violation: ConfirmedViolation, article: Article) -> Iterator[Hold]:
    device = violation.device
    if not (device.name and device.serial and device.certificate_number):
        yield Hold.DEVICE_INCOMPLETE
    verified = bool(
        device.verification_number
        and device.verification_from
        and device.verification_until
        and device.verification_from <= violation.occurred_at <= device.verification_until
    )
    # A device that measures nothing needs a certificate alone; one that has run out still tells.
    if not verified and (article.measures_speed or device.verification_number):
        yield Hold.DEVICE_NOT_VERIFIED


def _speed_holds(violation: ConfirmedViolation, article: Article) -> Iterator[Hold]:
    """The readings must carry the bracket that the officer confirmed."""
    if not article.measures_speed:
        return
    speed, limit, over = violation.speed_kmh, violation.speed_limit_kmh, violation.over_kmh
    if speed is None or limit is None or over is None:
        yield Hold.READINGS_MISSING
    elif over > speed - limit + ROUNDING_KMH or speed_code(over) != article.code:
        yield Hold.READINGS_DIFFER


def particulars_of(violation: ConfirmedViolation, registration: Registration) -> Particulars:
    device = violation.device
    plate = normalised_plate(violation.plate)
    assert plate is not None
    return Particulars(
        owner=registration.owner,
        plate=plate,
        vehicle=f"{registration.make} {registration.model}".strip(),
        address=violation.address,
        latitude=violation.latitude,
        longitude=violation.longitude,
        device_name=device.name,
        device_serial=device.serial,
        certificate_number=device.certificate_number,
        verification_number=device.verification_number,
        verification_from=_day(device.verification_from),
        verification_until=_day(device.verification_until),
        speed_kmh=violation.speed_kmh,
        speed_limit_kmh=violation.speed_limit_kmh,
        over_kmh=violation.over_kmh,
        officer=violation.officer,
        decided_at=violation.decided_at.isoformat() if violation.decided_at else "",
        rules_version=violation.rules_version,
        evidence_sha256=list(violation.evidence_sha256),
        signal_phase=violation.signal_phase,
        signal_age_seconds=violation.signal_age_seconds,
        past_stop_line=violation.past_stop_line,
    )


def _day(moment: datetime | None) -> str:
    return almaty_day(moment).isoformat() if moment else ""
