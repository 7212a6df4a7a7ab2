"""Every fact is checked again before anybody is fined: the holds, in order of precedence."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fines.model.guards import fact_holds, time_hold
from fines.model.holds import LOOKED_AT_AGAIN, Hold
from fines.model.violation import ConfirmedViolation, Decision
from law.guards import HoldReason, Measured, load

from .samples import DEVICE, LAW, NOW, RED, SPEEDING, readings, red_light, violation

ARTICLES = LAW.articles.at(NOW)
TERMS = LAW.terms.at(NOW)
GUARDS = load().at(NOW)
UNVERIFIED = replace(
    DEVICE, verification_number="", verification_from=None, verification_until=None
)
ALMATY_MIDNIGHT = datetime(2026, 6, 3, 19, tzinfo=UTC)


def holds(found: ConfirmedViolation) -> list[str]:
    return [hold.value for hold in fact_holds(found, ARTICLES, GUARDS)]


def speeding(over: float | None = 31.0, **measured: Any) -> ConfirmedViolation:
    return violation(readings=readings(replace(SPEEDING, **measured)), over_kmh=over)


def test_facts_without_fault_are_not_held() -> None:
    assert holds(violation()) == []
    assert holds(red_light()) == []


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (violation(is_confirmed=False, from_device=False), "VIOLATION_NOT_CONFIRMED"),
        (violation(from_device=False), "CITIZEN_EVIDENCE_NEEDS_PROTOCOL"),
        (violation(hold_reason="military"), "VIOLATION_HELD"),
        (violation(offence_code="UNKNOWN"), "ARTICLE_UNKNOWN"),
        (violation(article="592(3)"), "ARTICLE_DIFFERS"),
        (violation(plate="???"), "PLATE_WRONG"),
        (violation(plate="123KP02"), "PLATE_NOT_AUTOMATIC"),
        (violation(decision=Decision("decision", "", NOW)), "DECISION_MISSING"),
        (violation(decision=Decision("decision", "inspector", None)), "DECISION_MISSING"),
        (violation(decision=Decision("", "inspector", NOW)), "DECISION_MISSING"),
        (violation(evidence_sha256=(), original_sha256=()), "EVIDENCE_MISSING"),
        (violation(original_sha256=("ef" * 32,)), "EVIDENCE_DIFFERS"),  # not what was signed
        (violation(device=replace(DEVICE, serial="")), "DEVICE_INCOMPLETE"),
        (violation(device=replace(DEVICE, certificate_number="")), "DEVICE_INCOMPLETE"),
        (violation(device=replace(DEVICE, serial="SN-2")), "DEVICE_DIFFERS"),
        (violation(device=UNVERIFIED), "DEVICE_NOT_VERIFIED"),
        (violation(device=replace(DEVICE, kind="OVERVIEW")), "CAMERA_KIND_UNFIT"),
        (violation(device=replace(DEVICE, kind="RED_LIGHT")), "CAMERA_KIND_UNFIT"),
        (violation(readings=None), "SPEED_MISSING"),
    ],
)
def test_a_fact_with_a_fault_is_held_by_its_name(found: ConfirmedViolation, reason: str) -> None:
    assert holds(found)[:1] == [reason]


@pytest.mark.parametrize(("code", "article"), [("NO_SIGNAL", "595(1)"), ("ONCOMING", "596(3)")])
def test_an_article_that_needs_a_protocol_is_held(code: str, article: str) -> None:
    assert holds(violation(offence_code=code, article=article))[0] == "ARTICLE_NOT_AUTOMATIC"


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (speeding(speed_kmh=None), "SPEED_MISSING"),
        (speeding(speed_limit_kmh=None), "SPEED_MISSING"),
        (speeding(over=None), "SPEED_MISSING"),
        (speeding(speed_limit_kmh=0.0), "SPEED_LIMIT_IMPLAUSIBLE"),
        (speeding(speed_limit_kmh=-40.0), "SPEED_LIMIT_IMPLAUSIBLE"),
        (speeding(speed_limit_kmh=63.0), "SPEED_LIMIT_IMPLAUSIBLE"),
        (speeding(speed_kmh=999.0), "SPEED_IMPLAUSIBLE"),
        (speeding(speed_kmh=float("nan")), "SPEED_IMPLAUSIBLE"),
        (violation(offence_code="SPEED_40_60", article="592(3)"), "READINGS_DIFFER"),
        (speeding(over=32.0), "READINGS_DIFFER"),  # more than measured less tolerance less limit
        (speeding(over=19.0), "READINGS_DIFFER"),
    ],
)
def test_readings_that_cannot_carry_the_bracket_are_held(
    found: ConfirmedViolation, reason: str
) -> None:
    assert holds(found) == [reason]


def test_an_excess_in_the_drivers_favour_is_his() -> None:
    assert holds(speeding(over=21.0)) == []
    fast = replace(DEVICE, tolerance_kmh=0.02 * 103)  # from 100 km/h on, two per cent
    measured = readings(replace(SPEEDING, speed_kmh=103.0))
    assert holds(violation(device=fast, readings=measured, over_kmh=40.0)) == []


def test_a_tolerance_below_that_of_the_devices_type_is_held() -> None:
    generous = violation(device=replace(DEVICE, tolerance_kmh=0.0), over_kmh=33.0)
    assert holds(generous) == ["TOLERANCE_TOO_SMALL"]
    assert holds(speeding(over=39.0, speed_kmh=103.0)) == ["TOLERANCE_TOO_SMALL"]
    wide = violation(device=replace(DEVICE, tolerance_kmh=5.0))
    assert holds(wide) == ["READINGS_DIFFER"]  # 31 was reckoned with less than was told


def test_what_was_recorded_before_kinds_and_tolerances_were_told_has_the_widest_tolerance() -> None:
    old = replace(DEVICE, kind="", tolerance_kmh=None)
    assert holds(violation(device=old)) == []
    assert holds(violation(device=old, over_kmh=33.0)) == ["READINGS_DIFFER"]


@pytest.mark.parametrize(
    ("measured", "reason"),
    [
        (Measured(), "SIGNAL_MISSING"),
        (replace(RED, signal_age_seconds=None), "SIGNAL_MISSING"),
        (replace(RED, past_stop_line=None), "SIGNAL_MISSING"),
        (replace(RED, signal_phase="GREEN"), "SIGNAL_ALLOWED_PASSING"),
        (replace(RED, signal_phase="YELLOW"), "SIGNAL_ALLOWED_PASSING"),
        (replace(RED, signal_age_seconds=-1.0), "SIGNAL_IMPLAUSIBLE"),
        (replace(RED, signal_age_seconds=100_000.0), "SIGNAL_IMPLAUSIBLE"),
        (replace(RED, past_stop_line=False), "STOP_LINE_NOT_PASSED"),
        (replace(RED, signal_age_seconds=0.5), "READINGS_DIFFER"),  # only just red
    ],
)
def test_a_red_light_needs_a_red_light_that_was_passed(measured: Measured, reason: str) -> None:
    assert holds(red_light(measured)) == [reason]
    assert holds(red_light(replace(RED, signal_age_seconds=0.51))) == []


def test_a_red_light_without_readings_officer_and_evidence_names_all_three() -> None:
    bare = red_light(
        readings=None, decision=Decision("", "", None), evidence_sha256=(), original_sha256=()
    )
    assert holds(bare) == ["DECISION_MISSING", "EVIDENCE_MISSING", "SIGNAL_MISSING"]


def test_a_device_that_measures_nothing_needs_no_verification_but_no_expired_one_either() -> None:
    unverified = replace(UNVERIFIED, kind="RED_LIGHT", tolerance_kmh=None)
    assert holds(red_light(device=unverified)) == []
    expired = replace(DEVICE, kind="RED_LIGHT", verification_until=NOW - timedelta(days=1))
    assert holds(red_light(device=expired)) == ["DEVICE_NOT_VERIFIED"]


@pytest.mark.parametrize(
    ("since", "until", "held"),
    [
        (NOW, NOW, False),
        (NOW + timedelta(seconds=1), NOW + timedelta(days=1), True),
        # Through its last day in Almaty, whatever the hour: one convention with violations.
        (NOW - timedelta(days=9), ALMATY_MIDNIGHT - timedelta(days=1), False),
        (NOW - timedelta(days=9), ALMATY_MIDNIGHT - timedelta(days=1, seconds=1), True),
    ],
)
def test_papers_are_valid_at_the_moment_of_measurement(
    since: datetime, until: datetime, held: bool
) -> None:
    device = replace(DEVICE, verification_from=since, verification_until=until)
    assert holds(violation(device=device)) == ["DEVICE_NOT_VERIFIED"] * held


def test_a_fact_is_dated_by_when_it_was_measured() -> None:
    for seconds, expected in ((60, []), (61, ["READINGS_DIFFER"]), (-61, ["READINGS_DIFFER"])):
        measured_at = NOW + timedelta(seconds=seconds)
        assert holds(violation(readings=readings(measured_at=measured_at))) == expected


def test_before_an_edition_of_the_law_was_in_force_nobody_is_fined() -> None:
    assert [*fact_holds(violation(), ARTICLES, None)] == ["ARTICLE_UNKNOWN"]


def test_phone_before_march_2026_is_not_automatic() -> None:
    early = datetime(2026, 3, 11, tzinfo=UTC)
    phone = violation(
        offence_code="PHONE",
        article="591(1)",
        readings=None,
        over_kmh=None,
        device=replace(DEVICE, kind="", verification_from=early),
    )
    assert holds(replace(phone, occurred_at=early)) == ["ARTICLE_NOT_AUTOMATIC"]
    assert holds(phone) == []


@pytest.mark.parametrize(
    ("days", "reason"),
    [(0, ""), (10, ""), (11, "SENT_TOO_LATE"), (61, "SENT_TOO_LATE"), (62, "LIMITATION_EXPIRED")],
)
def test_ten_days_to_send_and_two_months_of_liability(days: int, reason: str) -> None:
    assert time_hold(NOW, NOW + timedelta(days=days), TERMS) == reason


def test_an_offence_of_the_future_waits() -> None:
    assert time_hold(NOW + timedelta(seconds=1), NOW, TERMS) == "OCCURRED_IN_FUTURE"
    assert "OCCURRED_IN_FUTURE" in LOOKED_AT_AGAIN


def test_every_name_that_the_guards_of_the_law_give_is_a_hold_of_fines() -> None:
    assert {reason.value for reason in HoldReason} <= {hold.value for hold in Hold}
