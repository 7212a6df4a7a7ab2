"""The embedded post and seal; and the mapper of violations, field by field."""

import hashlib
import re
import stat
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from chassis.clock import to_timestamp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from fines.clients.post import ElectronicSeal, LetterFolder
from fines.clients.violations import to_violation
from fines.letters import SIGNATURE_PLACE
from law.guards import Measured
from tartip.cameras.v1 import cameras_pb2
from tartip.common.v1 import common_pb2
from tartip.inference.v1 import inference_pb2
from tartip.violations.v1 import violations_pb2

MOMENTS = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 6)]


async def test_the_first_letter_stands_and_tells_when_it_was_delivered(tmp_path: Path) -> None:
    folder = LetterFolder(tmp_path / "letters")
    first = await folder.deliver("1", "a letter")
    assert await folder.deliver("1", "another") == first
    path = tmp_path / "letters" / "1.html"
    assert path.read_text() == "a letter"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_letter_is_delivered_in_the_time_that_the_service_lives_in(tmp_path: Path) -> None:
    moment = datetime(2031, 6, 3, 12, tzinfo=UTC)
    folder = LetterFolder(tmp_path, lambda: moment)
    assert await folder.deliver("1", "a letter") == moment
    assert await LetterFolder(tmp_path).deliver("1", "a letter") == moment


def test_the_seal_can_be_verified_from_the_letter_alone() -> None:
    letter = f"<p>text</p>{SIGNATURE_PLACE}"
    signed = ElectronicSeal(Ed25519PrivateKey.generate()).sign(letter)
    signature, digest, public = re.findall(r"\b[0-9a-f]{64,128}\b", signed)
    shown = re.search(r"<p>ЭЦҚ.*?</p>", signed, re.S)
    assert shown is not None
    original = signed.replace(shown.group(0), SIGNATURE_PLACE)
    assert hashlib.sha256(original.encode()).hexdigest() == digest
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    key.verify(bytes.fromhex(signature), f"tartip-letter-v1\n{digest}".encode())


def test_every_field_of_a_violation_arrives_in_its_place() -> None:
    found = to_violation(each_field_distinct())
    assert asdict(found) == {
        "violation_id": "v",
        "is_confirmed": True,
        "from_device": True,
        "hold_reason": "h",
        "offence_code": "c",
        "article": "a",
        "rules_version": "rv@sha256:rs",
        "occurred_at": MOMENTS[0],
        "plate": "p",
        "address": "ad",
        "latitude": 1,
        "longitude": 2,
        "device": {
            "name": "dn",
            "serial": "ds",
            "certificate_number": "dc",
            "verification_number": "dv",
            "verification_from": MOMENTS[1],
            "verification_until": MOMENTS[2],
            "kind": "SPEED_POINT",
            "tolerance_kmh": 7,
        },
        "readings": {
            "device_serial": "rd",
            "measured_at": MOMENTS[4],
            "frame_sha256": "00" * 32,
            "measured": {
                "speed_kmh": 3,
                "speed_limit_kmh": 4,
                "signal_phase": "RED",
                "signal_age_seconds": 6,
                "past_stop_line": True,
            },
        },
        "over_kmh": 5,
        "evidence_sha256": ("e",),
        "original_sha256": ("g",),
        "decision": {"decision_id": "i", "officer": "o", "decided_at": MOMENTS[3]},
        "is_in_review": False,
        "conflicting": ("w", "x"),
    }


def test_what_a_violation_does_not_tell_stays_unknown() -> None:
    found = to_violation(violations_pb2.Violation())
    assert (found.readings, found.over_kmh, found.decision.decided_at) == (None, None, None)
    assert (found.is_confirmed, found.from_device) == (False, False)
    device = found.device
    assert (device.verification_until, device.kind, device.tolerance_kmh) == (None, "", None)
    read = to_violation(violations_pb2.Violation(readings=inference_pb2.Readings()))
    assert read.measured == Measured()


def test_a_kind_of_camera_that_is_not_known_here_keeps_its_number() -> None:
    device = violations_pb2.Device(kind=99)  # type: ignore[arg-type]
    assert to_violation(violations_pb2.Violation(device=device)).device.kind == "99"


def each_field_distinct() -> violations_pb2.Violation:
    """A confirmed violation in which no two fields of a kind are equal."""
    stamps = [to_timestamp(moment) for moment in MOMENTS]
    return violations_pb2.Violation(
        violation_id="v",
        state=violations_pb2.VIOLATION_STATE_CONFIRMED,
        source=violations_pb2.VIOLATION_SOURCE_DEVICE,
        hold_reason="h",
        offence=violations_pb2.Offence(
            code="c", article="a", rules_version="rv", rules_sha256="rs"
        ),
        occurred_at=stamps[0],
        plate=inference_pb2.Plate(text="p"),
        place=common_pb2.Place(latitude=1, longitude=2, address="ad"),
        device=violations_pb2.Device(
            name="dn",
            serial="ds",
            certificate_number="dc",
            verification_number="dv",
            verification_from=stamps[1],
            verification_until=stamps[2],
            kind=cameras_pb2.CAMERA_KIND_SPEED_POINT,
            tolerance_kmh=7,
        ),
        readings=inference_pb2.Readings(
            device_serial="rd",
            device_time=stamps[4],
            frame_sha256=bytes(32),
            speed_kmh=3,
            speed_limit_kmh=4,
            signal_phase=inference_pb2.SIGNAL_PHASE_RED,
            signal_age_seconds=6,
            past_stop_line=True,
        ),
        over_kmh=5,
        evidence_sha256=["e"],
        original_sha256=["g"],
        conflicting_violation_ids=["w", "x"],
        decision=violations_pb2.Decision(decision_id="i", officer="o", decided_at=stamps[3]),
    )


async def test_a_draft_that_a_killed_process_left_goes_when_its_letter_is_delivered(
    tmp_path: Path,
) -> None:
    left = tmp_path / ".789.html.800.draft"
    left.write_text("half")
    await LetterFolder(tmp_path).deliver("789", "whole")
    assert not left.exists()
    assert (tmp_path / "789.html").read_text() == "whole"
