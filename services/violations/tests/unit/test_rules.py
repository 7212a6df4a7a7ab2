"""The rule tables: brackets with their ties, red light with its grace, and what holds back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from chassis.clock import new_id
from law import guards
from law.articles import read_articles
from violations.model import Caution, Hold, Place, Plate, Readings
from violations.rules import (
    Camera,
    Finding,
    Verification,
    caution_of,
    findings,
    hold_of,
    offence_of,
)

NOW = datetime(2026, 6, 3, 7, tzinfo=UTC)
ARTICLES = read_articles().at(NOW)
GUARDS = guards.load().at(NOW)
CAMERA = Camera(
    camera_id=new_id(),
    kind="SPEED_POINT",
    place=Place(43.24, 76.95, "KZ-75", ""),
    device_name="Sergek S2",
    serial="SN-1",
    certificate_number="KZ.C.1",
    verifications=(
        Verification("V-1", NOW - timedelta(days=400), NOW - timedelta(days=35)),
        Verification("V-2", NOW - timedelta(days=34), NOW + timedelta(days=330)),
    ),
    speed_tolerance_kmh=2.0,
    dedupe_seconds=600,
)
READINGS = Readings("SN-1", NOW, 1, "00" * 32)
SPEEDING = replace(READINGS, speed_kmh=92.0, speed_limit_kmh=60.0)
RED = replace(READINGS, signal_phase="RED", signal_age_seconds=2.4, past_stop_line=True)
PLATE = Plate("453DXA02", 0.95, country="KZ", plate_type="car_person")


def found_by(readings: Readings, camera: Camera = CAMERA) -> list[Finding]:
    return findings(readings, camera, ARTICLES, GUARDS)


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
    camera = replace(CAMERA, speed_tolerance_kmh=5.0)
    speed = float(Decimal(over) + 5 + 60)
    found = found_by(replace(READINGS, speed_kmh=speed, speed_limit_kmh=60.0), camera)
    assert [one.offence.code for one in found] == ([code] if code else [])
    if found:
        assert found[0].over_kmh == Decimal(over)


def test_tenths_are_counted_as_written_and_not_in_binary() -> None:
    readings = replace(READINGS, speed_kmh=82.3, speed_limit_kmh=60.0)
    camera = replace(CAMERA, speed_tolerance_kmh=2.3)
    assert found_by(readings, camera)[0].offence.code == "SPEED_10_20"  # exactly 20


def test_a_camera_that_gives_no_tolerance_has_that_of_its_kind() -> None:
    camera = replace(CAMERA, speed_tolerance_kmh=0.0)
    [found] = found_by(replace(SPEEDING, speed_kmh=81.0), camera)
    assert found.offence.code == "SPEED_10_20"
    assert (found.over_kmh, found.tolerance_kmh) == (Decimal(19), Decimal(2))
    device = camera.device_at(NOW, found.tolerance_kmh)
    assert (device.kind, device.tolerance_kmh) == ("SPEED_POINT", 2.0)


@pytest.mark.parametrize(
    ("phase", "age", "past", "offends"),
    [
        ("RED", 0.51, True, True),
        ("RED", 0.5, True, False),
        ("RED", 30.0, False, False),
        ("RED", 30.0, None, False),
        ("RED", None, True, False),
        ("RED", 0.0, True, False),
        ("RED", -0.1, True, True),  # a device at fault: found, and held
        ("YELLOW", 3.0, True, False),
        ("GREEN", 3.0, True, False),
        ("", 3.0, True, False),
    ],
)
def test_red_light_is_passing_the_line_on_red_after_the_grace(
    phase: str, age: float | None, past: bool | None, offends: bool
) -> None:
    readings = replace(READINGS, signal_phase=phase, signal_age_seconds=age, past_stop_line=past)
    found = found_by(readings)
    assert [one.offence.article for one in found] == (["599(1)"] if offends else [])


def test_one_read_may_show_two_offences() -> None:
    readings = replace(RED, speed_kmh=100.0, speed_limit_kmh=60.0)
    assert {one.rule for one in found_by(readings)} == {"SPEED", "RED_LIGHT"}


def test_nothing_measured_is_no_offence() -> None:
    assert found_by(READINGS) == []
    assert found_by(replace(READINGS, speed_kmh=200.0)) == []


def held(
    *,
    plate: Plate = PLATE,
    readings: Readings = SPEEDING,
    camera: Camera = CAMERA,
    late: timedelta = timedelta(),
) -> Hold:
    [finding] = found_by(readings, camera)
    return hold_of(
        plate,
        readings,
        NOW + late,
        finding=finding,
        camera=camera,
        articles=ARTICLES,
        guards=GUARDS,
    )


def test_a_drive_without_fault_is_not_held() -> None:
    assert held() is Hold.NONE
    assert held(readings=RED) is Hold.NONE


@pytest.mark.parametrize(
    ("differs", "hold"),
    [
        ({"readings": replace(SPEEDING, device_serial="SN-2")}, Hold.DEVICE_DIFFERS),
        (
            {
                "readings": replace(SPEEDING, device_time=NOW + timedelta(days=331)),
                "late": timedelta(days=331),
            },
            Hold.DEVICE_NOT_VERIFIED,
        ),
        ({"camera": replace(CAMERA, verifications=())}, Hold.DEVICE_NOT_VERIFIED),
        ({"camera": replace(CAMERA, certificate_number="")}, Hold.DEVICE_NOT_CERTIFIED),
        ({"late": timedelta(days=9)}, Hold.DEVICE_CLOCK_BEHIND),
        ({"late": timedelta(seconds=-6)}, Hold.DEVICE_CLOCK_AHEAD),
        (
            {"readings": replace(SPEEDING, speed_kmh=71.0, speed_limit_kmh=0.0)},
            Hold.SPEED_LIMIT_IMPLAUSIBLE,
        ),
        ({"readings": replace(SPEEDING, speed_limit_kmh=-40.0)}, Hold.SPEED_LIMIT_IMPLAUSIBLE),
        ({"readings": replace(SPEEDING, speed_kmh=999.0)}, Hold.SPEED_IMPLAUSIBLE),
        ({"readings": replace(RED, signal_age_seconds=-1.0)}, Hold.SIGNAL_IMPLAUSIBLE),
        ({"readings": replace(RED, signal_age_seconds=7_200.0)}, Hold.SIGNAL_IMPLAUSIBLE),
        ({"plate": replace(PLATE, plate_type="police")}, Hold.PLATE_NOT_AUTOMATIC),
        ({"plate": replace(PLATE, plate_type="diplomat")}, Hold.PLATE_NOT_AUTOMATIC),
        ({"plate": replace(PLATE, plate_type="military")}, Hold.PLATE_NOT_AUTOMATIC),
        ({"plate": Plate("QQ1", 0.4)}, Hold.PLATE_UNSURE),
        ({"plate": Plate("QQ1", 0.95, character_confidences=(0.99, 0.8))}, Hold.PLATE_UNSURE),
        ({"plate": Plate("QQ1", 0.95)}, Hold.NONE),
    ],
)
def test_what_is_in_doubt_is_held_by_name(differs: dict[str, Any], hold: Hold) -> None:
    assert held(**differs) is hold


def test_the_gravest_reason_holds_back() -> None:
    camera = replace(CAMERA, verifications=(), certificate_number="")
    readings = replace(SPEEDING, speed_limit_kmh=0.0, device_serial="SN-2")
    plate = Plate("QQ1", 0.4, plate_type="police")
    late = timedelta(days=9)
    seen = []
    for _ in range(6):
        seen.append(held(plate=plate, readings=readings, camera=camera, late=late))
        match seen[-1]:
            case Hold.DEVICE_DIFFERS:
                readings = replace(readings, device_serial="SN-1")
            case Hold.DEVICE_CLOCK_BEHIND:
                late = timedelta()
            case Hold.DEVICE_NOT_VERIFIED:
                camera = replace(camera, verifications=CAMERA.verifications)
            case Hold.DEVICE_NOT_CERTIFIED:
                camera = replace(camera, certificate_number="KZ.C.1")
            case Hold.SPEED_LIMIT_IMPLAUSIBLE:
                readings = replace(readings, speed_limit_kmh=60.0)
    assert seen == [
        Hold.DEVICE_DIFFERS,
        Hold.DEVICE_CLOCK_BEHIND,
        Hold.DEVICE_NOT_VERIFIED,
        Hold.DEVICE_NOT_CERTIFIED,
        Hold.SPEED_LIMIT_IMPLAUSIBLE,
        Hold.PLATE_NOT_AUTOMATIC,
    ]


@pytest.mark.parametrize("plate", [replace(PLATE, country=""), replace(PLATE, plate_type="")])
def test_a_country_or_a_type_makes_a_known_form(plate: Plate) -> None:
    """What is read with doubt in a known form is left to the officer, who is warned."""
    doubted = replace(plate, character_confidences=(0.99, 0.4))
    assert held(plate=doubted) is Hold.NONE
    assert caution_of(doubted, ARTICLES, doubtful=False) is Caution.PLATE_NOT_SURE
    assert caution_of(plate, ARTICLES, doubtful=False) is Caution.NONE


def test_the_weakest_character_decides_whether_a_plate_is_sure() -> None:
    at_the_bound = replace(PLATE, character_confidences=(0.99, 0.9))
    assert caution_of(at_the_bound, ARTICLES, doubtful=False) is Caution.NONE
    below = replace(PLATE, character_confidences=(0.99, 0.899))
    assert caution_of(below, ARTICLES, doubtful=False) is Caution.PLATE_NOT_SURE
    assert caution_of(replace(PLATE, confidence=0.8), ARTICLES, doubtful=False) is (
        Caution.PLATE_NOT_SURE
    )
    assert caution_of(below, ARTICLES, doubtful=True) is Caution.READ_WHILE_DEGRADED


def test_whatever_guards_answer_about_readings_and_clocks_is_a_hold() -> None:
    about_others = {"SAME_PASSAGE", "CAMERA_KIND_UNFIT", "TOLERANCE_TOO_SMALL"}  # those of fines
    assert {reason.value for reason in guards.HoldReason} - about_others <= {
        hold.value for hold in Hold
    }


def test_the_verification_in_force_at_the_measurement_is_the_one_named() -> None:
    assert CAMERA.device_at(NOW).verification_number == "V-2"
    assert CAMERA.device_at(NOW - timedelta(days=36)).verification_number == "V-1"
    assert CAMERA.device_at(NOW + timedelta(days=330)).verification_number == "V-2"  # its last day
    assert CAMERA.device_at(NOW + timedelta(days=331)).verification_number == ""


def test_a_decision_can_be_traced_to_the_table_by_version_and_hash() -> None:
    offence = offence_of("RED_LIGHT", ARTICLES)
    assert offence.rules_version == "koap-2026-03-12.2" and len(offence.rules_sha256) == 64
