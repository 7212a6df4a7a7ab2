"""The rule tables: brackets with their ties, red light with its grace, and what holds back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from chassis.clock import new_id
from hypothesis import given
from hypothesis import strategies as st
from violations.model import Hold, Place, Plate, Readings
from violations.rules import (
    Camera,
    RulesMissing,
    Verification,
    findings,
    hold_of,
    load,
    normalised_plate,
)

NOW = datetime(2026, 6, 3, 7, tzinfo=UTC)
BOOK = load()
RULES = BOOK.at(NOW)
CAMERA = Camera(
    camera_id=new_id(), place=Place(43.24, 76.95, "KZ-75", ""), device_name="Sergek S2",
    serial="SN-1", certificate_number="KZ.C.1",
    verifications=(
        Verification("V-1", NOW - timedelta(days=400), NOW - timedelta(days=35)),
        Verification("V-2", NOW - timedelta(days=35), NOW + timedelta(days=330)),
    ),
    speed_tolerance_kmh=2.0, dedupe_seconds=600,
)  # fmt: skip
READINGS = Readings("SN-1", NOW, 1, "00" * 32)
PLATE = Plate("453DXA02", 0.95, country="KZ", plate_type="car_person")


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ("9.99", None),
        ("10", "SPEED_10_20"),
        ("20", "SPEED_10_20"),  # ties go to the lower bracket, in favour of the driver
        ("20.01", "SPEED_20_40"),
        ("40", "SPEED_20_40"),
        ("40.01", "SPEED_40_60"),
        ("59.99", "SPEED_40_60"),
        ("60", "SPEED_60_PLUS"),  # "60 and more" is explicit in law
        ("140", "SPEED_60_PLUS"),
    ],
)
def test_the_excess_after_tolerance_chooses_the_bracket(over: str, code: str | None) -> None:
    speed = float(Decimal(over) + 2 + 60)
    found = findings(replace(READINGS, speed_kmh=speed, speed_limit_kmh=60.0), CAMERA, RULES)
    assert [one.offence.code for one in found] == ([code] if code else [])
    if found:
        assert found[0].over_kmh == Decimal(over)


def test_tenths_are_counted_as_written_and_not_in_binary() -> None:
    readings = replace(READINGS, speed_kmh=82.3, speed_limit_kmh=60.0)
    camera = replace(CAMERA, speed_tolerance_kmh=2.3)
    assert findings(readings, camera, RULES)[0].offence.code == "SPEED_10_20"  # exactly 20


@given(st.decimals(min_value=0, max_value=300, places=2))
def test_brackets_neither_overlap_nor_leave_a_gap(excess: Decimal) -> None:
    holding = [bracket for bracket in RULES.brackets if bracket.holds(excess)]
    assert len(holding) == (1 if excess >= 10 else 0)


@pytest.mark.parametrize(
    ("phase", "age", "past", "offends"),
    [
        ("RED", 0.51, True, True),
        ("RED", 0.5, True, False),
        ("RED", 30.0, False, False),
        ("RED", 30.0, None, False),
        ("RED", None, True, False),
        ("YELLOW", 3.0, True, False),
        ("GREEN", 3.0, True, False),
        ("", 3.0, True, False),
    ],
)
def test_red_light_is_passing_the_line_on_red_after_the_grace(
    phase: str, age: float | None, past: bool | None, offends: bool
) -> None:
    readings = replace(READINGS, signal_phase=phase, signal_age_seconds=age, past_stop_line=past)
    found = findings(readings, CAMERA, RULES)
    assert [one.offence.article for one in found] == (["599(1)"] if offends else [])


def test_one_read_may_show_two_offences() -> None:
    readings = replace(
        READINGS, speed_kmh=100.0, speed_limit_kmh=60.0, signal_phase="RED",
        signal_age_seconds=2.0, past_stop_line=True,
    )  # fmt: skip
    assert {one.rule for one in findings(readings, CAMERA, RULES)} == {"SPEED", "RED_LIGHT"}


def test_nothing_measured_is_no_offence() -> None:
    assert findings(READINGS, CAMERA, RULES) == []
    assert findings(replace(READINGS, speed_kmh=200.0), CAMERA, RULES) == []


@pytest.mark.parametrize(
    ("plate", "readings", "camera", "hold"),
    [
        (PLATE, READINGS, CAMERA, Hold.NONE),
        (PLATE, replace(READINGS, device_serial="SN-2"), CAMERA, Hold.DEVICE_DIFFERS),
        (PLATE, replace(READINGS, device_time=NOW + timedelta(days=330)), CAMERA,
         Hold.DEVICE_NOT_VERIFIED),
        (PLATE, READINGS, replace(CAMERA, verifications=()), Hold.DEVICE_NOT_VERIFIED),
        (PLATE, READINGS, replace(CAMERA, certificate_number=""), Hold.DEVICE_NOT_CERTIFIED),
        (replace(PLATE, plate_type="police"), READINGS, CAMERA, Hold.PLATE_NOT_AUTOMATIC),
        (replace(PLATE, plate_type="diplomat"), READINGS, CAMERA, Hold.PLATE_NOT_AUTOMATIC),
        (replace(PLATE, plate_type="military"), READINGS, CAMERA, Hold.PLATE_NOT_AUTOMATIC),
        # Low confidence is shown to the officer, who may confirm what he sees himself.
        (replace(PLATE, confidence=0.4), READINGS, CAMERA, Hold.NONE),
        (Plate("QQ1", 0.4), READINGS, CAMERA, Hold.PLATE_UNSURE),
        (Plate("QQ1", 0.95, character_confidences=(0.99, 0.8)), READINGS, CAMERA,
         Hold.PLATE_UNSURE),
        (Plate("QQ1", 0.95), READINGS, CAMERA, Hold.NONE),
    ],
)  # fmt: skip
def test_the_gravest_reason_holds_back(
    plate: Plate, readings: Readings, camera: Camera, hold: Hold
) -> None:
    assert hold_of(plate, readings, camera, RULES) is hold


def test_the_verification_in_force_at_the_measurement_is_the_one_named() -> None:
    assert CAMERA.device_at(NOW).verification_number == "V-2"
    assert CAMERA.device_at(NOW - timedelta(days=36)).verification_number == "V-1"
    assert CAMERA.device_at(NOW + timedelta(days=331)).verification_number == ""


def test_a_day_without_a_table_is_refused_by_name() -> None:
    before = datetime(2024, 12, 3, 18, 59, tzinfo=UTC)  # 23:59 in Almaty
    with pytest.raises(RulesMissing) as caught:
        BOOK.at(before)
    assert caught.value.args == ("2024-12-03",)
    assert BOOK.at(before + timedelta(minutes=1)) is RULES


def test_a_decision_can_be_traced_to_the_table_by_version_and_hash() -> None:
    offence = RULES.offence("RED_LIGHT")
    assert offence.rules_version == "2024-12-04.1" and len(offence.rules_sha256) == 64


def test_cyrillic_twins_spaces_and_case_make_no_other_plate() -> None:
    assert normalised_plate(" 453 а в с-02 ") == "453ABC02"
