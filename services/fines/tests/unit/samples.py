"""Fines and violations that tests start from."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from fines.model.fine import Fine, SealedParticulars, State
from fines.model.law import read_law
from fines.model.ownership import Owner, Registration
from fines.model.tariff import Amount
from fines.model.violation import ConfirmedViolation, Decision, Device, Readings
from law.fine_dates import DayCount
from law.guards import Measured

LAW = read_law()
NOW = datetime(2026, 6, 3, 6, 0, tzinfo=UTC)
AMOUNT = Amount(1_297_501, 648_750, 4325_00, 3, "table@sha256:0")
SEALED = SealedParticulars(UUID(int=1), b"sealed", b"owner", b"plate")
ARTICLES = LAW.articles.at(NOW).by_code
DATES = LAW.dates(NOW, DayCount.WORKING)
PERSON, FIRM, CHILD = "900101300017", "100140000003", "200101500013"
REGISTRATION = Registration(
    "Toyota",
    "Camry",
    Owner(PERSON, "Test Owner", "Almaty, Abai 1", "+77010000000"),
    since=NOW - timedelta(days=1000),
)


def fine_in(state: State, **changes: Any) -> Fine:
    fine = Fine(
        number="000000000000000",
        violation_id="violation",
        report_id="",
        region="KZ-75",
        story="0" * 32,
        offence_code="RED_LIGHT",
        occurred_at=NOW,
        state=state,
    )
    if state is not State.AWAITING:
        fine = replace(
            fine,
            article="599(1)",
            amount=AMOUNT,
            issued_at=NOW,
            particulars=SEALED,
            delivered_at=NOW,
            dates=DATES,
            version=5,
        )
    return replace(fine, **changes)


FRAME, ORIGINAL = "ab" * 32, "cd" * 32
SPEEDING = Measured(speed_kmh=93.0, speed_limit_kmh=60.0)
RED = Measured(signal_phase="RED", signal_age_seconds=2.4, past_stop_line=True)
DEVICE = Device(
    name="Sergek S2",
    serial="SN-1",
    certificate_number="KZ.C.1",
    verification_number="V-1",
    verification_from=NOW - timedelta(days=100),
    verification_until=NOW + timedelta(days=100),
    kind="SPEED_POINT",
    tolerance_kmh=2.0,
)


def readings(measured: Measured = SPEEDING, **changes: Any) -> Readings:
    return replace(Readings(DEVICE.serial, NOW, ORIGINAL, measured), **changes)


def violation(**changes: Any) -> ConfirmedViolation:
    """Speeding by 31 km/h, with nothing that would hold the fine."""
    found = ConfirmedViolation(
        violation_id="violation",
        is_confirmed=True,
        from_device=True,
        hold_reason="",
        offence_code="SPEED_20_40",
        article="592(2)",
        rules_version="rules@sha256:0",
        occurred_at=NOW,
        plate="453DXA12",
        address="Almaty, Dostyk 5",
        latitude=43.24,
        longitude=76.95,
        device=DEVICE,
        readings=readings(),
        over_kmh=31.0,
        evidence_sha256=(FRAME,),
        original_sha256=(ORIGINAL,),
        decision=Decision("decision", "inspector-almaty", NOW),
    )
    return replace(found, **changes)


def red_light(measured: Measured = RED, **changes: Any) -> ConfirmedViolation:
    """Passing a red light, with nothing that would hold the fine; no speed is measured."""
    told: dict[str, Any] = {
        "offence_code": "RED_LIGHT",
        "article": "599(1)",
        "device": replace(DEVICE, kind="RED_LIGHT", tolerance_kmh=None),
        "readings": readings(measured),
        "over_kmh": None,
    }
    return violation(**told | changes)
