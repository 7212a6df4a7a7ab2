"""The canonical form of readings, and what a signature over it proves."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from inference_gateway.frames.model import Readings, SignedReadings

KEY = Ed25519PrivateKey.generate()
OTHER = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
PUBLIC = KEY.public_key().public_bytes_raw()
SPEED = Readings(
    device_serial="KZ-0001",
    device_time=datetime(2026, 3, 1, 12, 30, 0, 500, tzinfo=UTC),
    counter=42,
    frame_sha256=bytes(range(32)),
    speed_kmh=83.5,
    speed_limit_kmh=60.0,
)
LIGHT = replace(
    SPEED,
    speed_kmh=None,
    speed_limit_kmh=None,
    signal_phase="red",
    signal_age_seconds=2.0,
    past_stop_line=False,
)


def signed(readings: Readings) -> SignedReadings:
    return SignedReadings(readings, KEY.sign(readings.canonical()))


def test_canonical_form_sorts_members_and_leaves_out_what_was_not_measured() -> None:
    assert SPEED.canonical() == (
        b'{"counter":42,"device_serial":"KZ-0001","device_time":"2026-03-01T12:30:00.000500Z",'
        b'"frame_sha256":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",'
        b'"speed_kmh":83.5,"speed_limit_kmh":60}'
    )


def test_false_is_measured_and_stays() -> None:
    assert b'"past_stop_line":false,"signal_age_seconds":2,"signal_phase":"red"' in (
        LIGHT.canonical()
    )


def test_the_zone_of_a_moment_does_not_change_the_form() -> None:
    almaty = SPEED.device_time.astimezone(timezone(timedelta(hours=5)))
    assert replace(SPEED, device_time=almaty).canonical() == SPEED.canonical()


def test_signature_of_the_device_holds() -> None:
    assert signed(SPEED).signed_by(PUBLIC)


@pytest.mark.parametrize(
    "change",
    [
        {"speed_kmh": 200.0},
        {"speed_limit_kmh": None},
        {"counter": 43},
        {"device_serial": "KZ-0002"},
        {"signal_phase": "red"},
        {"frame_sha256": bytes(32)},
        {"device_time": SPEED.device_time + timedelta(microseconds=1)},
    ],
)
def test_changing_any_reading_breaks_the_signature(change: dict[str, object]) -> None:
    forged = SignedReadings(replace(SPEED, **change), signed(SPEED).signature)  # type: ignore[arg-type]
    assert not forged.signed_by(PUBLIC)


@pytest.mark.parametrize(
    "key",
    [b"", bytes(31), Ed25519PrivateKey.generate().public_key().public_bytes_raw()],
    ids=["none", "short", "another"],
)
def test_another_key_or_none_proves_nothing(key: bytes) -> None:
    assert not signed(SPEED).signed_by(key)


@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(63)])
def test_a_signature_that_is_none_proves_nothing(signature: bytes) -> None:
    assert not SignedReadings(SPEED, signature).signed_by(PUBLIC)
