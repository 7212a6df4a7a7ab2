"""Signed readings of a measuring device: their canonical form and its signature.

What is signed is RFC 8785 JSON of the readings, absent values left out; the contract
(`SignedReadings` in inference.proto) names the members. A device, or a tool that plays one, needs
nothing but this form and an Ed25519 key.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEY_BYTES = 32
PHASES = ("green", "yellow", "red")


@dataclass(frozen=True)
class Readings:
    """What a device read when it took a frame; None is "not measured"."""

    device_serial: str
    device_time: datetime
    counter: int
    frame_sha256: bytes
    speed_kmh: float | None = None
    speed_limit_kmh: float | None = None
    signal_phase: str | None = None
    signal_age_seconds: float | None = None
    past_stop_line: bool | None = None

    def canonical(self) -> bytes:
        """The bytes that the device signs."""
        members: dict[str, object] = {
            "counter": self.counter,
            "device_serial": self.device_serial,
            "device_time": _rfc3339(self.device_time),
            "frame_sha256": self.frame_sha256.hex(),
            "past_stop_line": self.past_stop_line,
            "signal_age_seconds": self.signal_age_seconds,
            "signal_phase": self.signal_phase,
            "speed_kmh": self.speed_kmh,
            "speed_limit_kmh": self.speed_limit_kmh,
        }
        present = {name: value for name, value in members.items() if value is not None}
        return bytes(rfc8785.dumps(present))  # type: ignore[arg-type]


@dataclass(frozen=True)
class SignedReadings:
    readings: Readings
    signature: bytes

    def signed_by(self, device_key: bytes) -> bool:
        """Whether the holder of this public key signed exactly these readings."""
        if len(device_key) != KEY_BYTES:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(device_key).verify(
                self.signature, self.readings.canonical()
            )
        except (InvalidSignature, ValueError):
            return False
        return True


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
