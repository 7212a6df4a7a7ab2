"""A measuring device: its Ed25519 key, and the readings that it signs.

The signed bytes are the readings as RFC 8785 JSON without absent values, as defined by
`tartip.inference.v1.SignedReadings`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tartip.inference.v1 import inference_pb2 as inference

from tartip_cli.data_dir import write_private

_PREFIX = "SIGNAL_PHASE_"


@dataclass(frozen=True)
class Device:
    """A measuring device: its serial number and its private key. The matching public key must be
    registered with the camera."""

    serial: str
    key: Ed25519PrivateKey

    @classmethod
    def open(cls, folder: Path, serial: str) -> Device:
        """Return the device with this serial number. Its private key is in `folder`; the first call
        creates the key."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{serial}.pem"
        if not path.exists():
            write_private(path, private_pem(Ed25519PrivateKey.generate()))
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(key, Ed25519PrivateKey)
        return cls(serial, key)

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    def sign(
        self, picture: bytes, taken_at: dt.datetime, **measured: Any
    ) -> inference.SignedReadings:
        """Return readings of a frame, signed with the device's key. `picture` is the content of the
        frame's file. `measured` holds further fields of `Readings`, such as `speed_kmh`. The
        counter is the host's time in microseconds, so it increases from frame to frame."""
        readings = inference.Readings(
            device_serial=self.serial,
            counter=time.time_ns() // 1000,  # tidy: it must increase, even if the clock is moved
            frame_sha256=hashlib.sha256(picture).digest(),
            **measured,
        )
        readings.device_time.FromDatetime(taken_at.astimezone(dt.UTC).replace(tzinfo=None))
        signature = self.key.sign(canonical(readings))
        return inference.SignedReadings(readings=readings, signature=signature)


def canonical(readings: inference.Readings) -> bytes:
    """Return the bytes that a device signs: the readings as canonical JSON (RFC 8785)."""
    return rfc8785.dumps(as_json(readings))


def as_json(readings: inference.Readings) -> dict[str, Any]:
    moment = readings.device_time.ToDatetime(tzinfo=dt.UTC)
    values: dict[str, Any] = {
        "counter": readings.counter,
        "device_serial": readings.device_serial,
        "device_time": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "frame_sha256": readings.frame_sha256.hex(),
    }
    for name in ("speed_kmh", "speed_limit_kmh", "signal_age_seconds", "past_stop_line"):
        if readings.HasField(name):
            values[name] = getattr(readings, name)
    if readings.signal_phase:
        phase = inference.SignalPhase.Name(readings.signal_phase)
        values["signal_phase"] = phase.removeprefix(_PREFIX).lower()
    return values


def from_json(values: dict[str, Any]) -> inference.Readings:
    """Convert readings from the JSON form that devices sign. Raises KeyError, TypeError or
    ValueError if a value is missing, malformed or unknown."""
    known = dict(values)
    readings = inference.Readings(
        device_serial=known.pop("device_serial"),
        counter=known.pop("counter"),
        frame_sha256=bytes.fromhex(known.pop("frame_sha256")),
    )
    readings.device_time.FromJsonString(known.pop("device_time"))
    if "signal_phase" in known:
        phase = _PREFIX + str(known.pop("signal_phase")).upper()
        readings.signal_phase = inference.SignalPhase.Value(phase)
    for name in ("speed_kmh", "speed_limit_kmh", "signal_age_seconds", "past_stop_line"):
        if name in known:
            setattr(readings, name, known.pop(name))
    if known:
        raise ValueError(f"unknown readings: {', '.join(sorted(known))}")
    return readings


def private_pem(key: Ed25519PrivateKey) -> bytes:
    """Return the private key as PEM (PKCS 8), not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
