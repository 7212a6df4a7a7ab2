"""The personal data and facts that a prescription must state (KoAP Art. 822-1)."""

from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

from law.identity_numbers import birth_date, is_bin, masked
from law.plates import normalised_plate
from law.zone import almaty_day

from fines.model.ownership import Owner, Registration
from fines.model.violation import ConfirmedViolation


@dataclass(frozen=True)
class Particulars:
    """The data that a prescription states. Stored encrypted with the owner's key."""

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
        """Return the fields by name as JSON values, with `owner` nested."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Particulars":
        """Return the particulars from a value that `as_json` returned."""
        return cls(**{**value, "owner": Owner(**value["owner"])})

    @property
    def owner_masked(self) -> str:
        """The owner's IIN or BIN with its middle digits hidden."""
        return masked(self.owner.number)

    @property
    def owner_birth_date(self) -> date | None:
        """The owner's date of birth; None for a legal entity and for an IIN without a valid
        date."""
        return None if is_bin(self.owner.number) else birth_date(self.owner.number)


def particulars_of(violation: ConfirmedViolation, registration: Registration) -> Particulars:
    """Return the data for the prescription. The violation must have a valid plate, and
    `registration` must be the vehicle's registration at the time of the offence."""
    device, measured = violation.device, violation.measured
    decision = violation.decision
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
        speed_kmh=measured.speed_kmh,
        speed_limit_kmh=measured.speed_limit_kmh,
        over_kmh=violation.over_kmh,
        officer=decision.officer,
        decided_at=decision.decided_at.isoformat() if decision.decided_at else "",
        rules_version=violation.rules_version,
        evidence_sha256=list(violation.evidence_sha256),
        signal_phase=measured.signal_phase,
        signal_age_seconds=measured.signal_age_seconds,
        past_stop_line=measured.past_stop_line,
    )


def _day(moment: datetime | None) -> str:
    return almaty_day(moment).isoformat() if moment else ""
