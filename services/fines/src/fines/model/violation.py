"""A confirmed violation as the violations service returns it: the facts of the offence, the
measuring device and the officer's decision."""

from dataclasses import dataclass
from datetime import datetime

from law.guards import Measured, Sighting


@dataclass(frozen=True)
class Device:
    """The identity, certificate and verification of a measuring device at the time of a measurement
    (KoAP Art. 822-1)."""

    name: str
    serial: str
    certificate_number: str
    verification_number: str
    verification_from: datetime | None
    verification_until: datetime | None
    # What the camera was built for, such as "SPEED_POINT"; "" in records from before kinds.
    kind: str = ""
    # What was taken off the measured speed, km/h; None in older records.
    tolerance_kmh: float | None = None


@dataclass(frozen=True)
class Readings:
    """The measurements that a device signed together with a frame."""

    device_serial: str
    measured_at: datetime
    frame_sha256: str
    measured: Measured


@dataclass(frozen=True)
class Decision:
    """The officer's decision about a violation. `decided_at` is None if nobody has decided."""

    decision_id: str
    officer: str
    decided_at: datetime | None


@dataclass(frozen=True)
class ConfirmedViolation:
    """A violation as the violations service returns it. `is_confirmed` is False if it was annulled
    or is not confirmed yet."""

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
    readings: Readings | None
    over_kmh: float | None
    # The forms that officers were shown, and the originals that devices signed; hex.
    evidence_sha256: tuple[str, ...]
    original_sha256: tuple[str, ...]
    decision: Decision
    # No officer has decided yet.
    is_in_review: bool = False
    # Ids of violations that contradict this one, whatever their state is now.
    conflicting: tuple[str, ...] = ()

    @property
    def sighting(self) -> Sighting:
        """The place (degrees of WGS 84) and the time of the offence."""
        return Sighting(self.latitude, self.longitude, self.occurred_at)

    @property
    def measured(self) -> Measured:
        """The device's measurements. If there are no device readings, every field is None or ""."""
        return self.readings.measured if self.readings else Measured()

    @property
    def measured_at(self) -> datetime:
        """The time of measurement by the device's clock; without readings, the time of the
        offence."""
        return self.readings.measured_at if self.readings else self.occurred_at

    @property
    def frames(self) -> frozenset[str]:
        """The SHA-256 hashes (hex) of all the violation's frames: the versions shown to officers
        and the originals signed by devices."""
        return frozenset(self.evidence_sha256) | frozenset(self.original_sha256)
