"""What a prescription must state (KoAP Art. 822-1), and what keeps one from being issued.

A hold has a name and is shown; nothing is ever issued silently late, to the wrong owner, or on a
device whose verification had run out.
"""

from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from fines.model.days import almaty_day, months_after
from fines.model.identifiers import (
    birth_date,
    is_bin,
    is_owner_number,
    masked,
    may_be_fined_automatically,
    normalised_plate,
)
from fines.model.tariff import Article, speed_code

SENT_WITHIN_DAYS = 10
LIMITATION_MONTHS = 2
ROUNDING_KMH = 1e-6

# Holds that may end by themselves: asked again. All others wait for a person.
OWNER_NOT_FOUND = "OWNER_NOT_FOUND"
OWNER_NOT_UNIQUE = "OWNER_NOT_UNIQUE"
OWNER_NUMBER_WRONG = "OWNER_NUMBER_WRONG"
OWNER_INCOMPLETE = "OWNER_INCOMPLETE"
REGISTER_AWAY = "REGISTER_AWAY"
VIOLATION_NOT_CONFIRMED = "VIOLATION_NOT_CONFIRMED"
TABLE_YEAR_MISSING = "TABLE_YEAR_MISSING"
OCCURRED_IN_FUTURE = "OCCURRED_IN_FUTURE"
ASKED_AGAIN = frozenset(
    {
        OWNER_NOT_FOUND,
        OWNER_NOT_UNIQUE,
        OWNER_NUMBER_WRONG,
        OWNER_INCOMPLETE,
        REGISTER_AWAY,
        VIOLATION_NOT_CONFIRMED,
        TABLE_YEAR_MISSING,
        OCCURRED_IN_FUTURE,
    }
)
LIMITATION_EXPIRED = "LIMITATION_EXPIRED"
SENT_TOO_LATE = "SENT_TOO_LATE"
CITIZEN_EVIDENCE = "CITIZEN_EVIDENCE_NEEDS_PROTOCOL"
VIOLATION_HELD = "VIOLATION_HELD"
ARTICLE_UNKNOWN = "ARTICLE_UNKNOWN"
ARTICLE_DIFFERS = "ARTICLE_DIFFERS"
ARTICLE_NOT_AUTOMATIC = "ARTICLE_NOT_AUTOMATIC"
PLATE_WRONG = "PLATE_WRONG"
PLATE_NOT_AUTOMATIC = "PLATE_NOT_AUTOMATIC"
DEVICE_INCOMPLETE = "DEVICE_INCOMPLETE"
DEVICE_NOT_VERIFIED = "DEVICE_NOT_VERIFIED"
READINGS_MISSING = "READINGS_MISSING"
READINGS_DIFFER = "READINGS_DIFFER"


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
class Owner:
    """A person (IIN) or a firm (BIN)."""

    number: str
    name: str
    address: str
    phone: str


@dataclass(frozen=True)
class Registration:
    """A vehicle and whom it belongs to, as the vehicle register has it."""

    make: str
    model: str
    owner: Owner


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


def why_not_in_time(occurred_at: datetime, now: datetime) -> str:
    """Arts. 62 and 822-1(3). Both in calendar days, the narrower reading, in the owner's favour."""
    occurred_on, today = almaty_day(occurred_at), almaty_day(now)
    if occurred_at > now:
        return OCCURRED_IN_FUTURE
    if today > months_after(occurred_on, LIMITATION_MONTHS):
        return LIMITATION_EXPIRED
    if today > occurred_on + timedelta(days=SENT_WITHIN_DAYS):
        return SENT_TOO_LATE
    return ""


def why_not_prescribed(violation: ConfirmedViolation, article: Article | None) -> str:
    """The name of what forbids an automatic prescription, "" where nothing does."""
    if not violation.is_confirmed:
        return VIOLATION_NOT_CONFIRMED
    if not violation.from_device:
        return CITIZEN_EVIDENCE
    if violation.hold_reason:
        return VIOLATION_HELD
    return (
        _why_not_the_article(violation, article)
        or _why_not_the_plate(violation.plate)
        or _why_not_the_device(violation, article)
        or _why_not_the_speed(violation, article)
    )


def _why_not_the_article(violation: ConfirmedViolation, article: Article | None) -> str:
    if article is None:
        return ARTICLE_UNKNOWN
    # Two services hold the law as tables; where they disagree, nobody is fined.
    if violation.article != article.article:
        return ARTICLE_DIFFERS
    since = article.automatic_from
    if since is None or almaty_day(violation.occurred_at) < since or not article.base_values:
        return ARTICLE_NOT_AUTOMATIC
    return ""


def _why_not_the_plate(text: str) -> str:
    plate = normalised_plate(text)
    if plate is None:
        return PLATE_WRONG
    return "" if may_be_fined_automatically(plate) else PLATE_NOT_AUTOMATIC


def _why_not_the_device(violation: ConfirmedViolation, article: Article | None) -> str:
    assert article is not None
    device = violation.device
    if not (device.name and device.serial and device.certificate_number):
        return DEVICE_INCOMPLETE
    verified = bool(
        device.verification_number
        and device.verification_from
        and device.verification_until
        and device.verification_from <= violation.occurred_at <= device.verification_until
    )
    # A device that measures nothing needs a certificate alone; one that has run out still tells.
    if not verified and (article.measures_speed or device.verification_number):
        return DEVICE_NOT_VERIFIED
    return ""


def _why_not_the_speed(violation: ConfirmedViolation, article: Article | None) -> str:
    """The readings must carry the bracket that the officer confirmed."""
    assert article is not None
    if not article.measures_speed:
        return ""
    speed, limit, over = violation.speed_kmh, violation.speed_limit_kmh, violation.over_kmh
    if speed is None or limit is None or over is None:
        return READINGS_MISSING
    if over > speed - limit + ROUNDING_KMH or speed_code(over) != article.code:
        return READINGS_DIFFER
    return ""


def why_not_the_owner(found: tuple[Registration, ...]) -> str:
    if not found:
        return OWNER_NOT_FOUND
    if len(found) > 1:
        return OWNER_NOT_UNIQUE
    owner = found[0].owner
    if not is_owner_number(owner.number):
        return OWNER_NUMBER_WRONG
    return "" if owner.name.strip() and owner.address.strip() else OWNER_INCOMPLETE


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
