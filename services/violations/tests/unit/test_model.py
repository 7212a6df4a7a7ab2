"""The transition table row by row, holds, and the bytes that are signed."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from chassis.clock import new_id
from chassis.refusals import Refusal
from violations.model import (
    TRANSITIONS,
    Caution,
    Decision,
    Device,
    Hold,
    NotAutomatic,
    Offence,
    Place,
    Plate,
    PlateUnsure,
    Readings,
    ReasonRequired,
    Source,
    State,
    Verdict,
    Violation,
    ViolationAlreadyDecided,
    ViolationChangedMeanwhile,
    ViolationNotConfirmed,
    required_reason,
)
from violations.signing import canonical_decision

NOW = datetime(2026, 6, 3, 7, 0, 0, 123456, tzinfo=UTC)
VIOLATION = Violation(
    violation_id=new_id(),
    source=Source.DEVICE,
    camera_id=new_id(),
    place=Place(43.24, 76.95, "KZ-75", "Abai 1"),
    occurred_at=NOW,
    plate=Plate("453DXA02", 0.99),
    offence=Offence("SPEED_20_40", "592(2)", "v1", "ab" * 32),
    readings=Readings("SN-1", NOW, 7, "cd" * 32, 92.0, 60.0),
    over_kmh=Decimal("30"),
    device=Device("Sergek S2", "SN-1", "KZ.C.1", "V-1", NOW, NOW, "SPEED_POINT", 2.0),
    evidence_sha256=("ef" * 32,),
    models_fingerprint="sha256:1",
    hold=Hold.NONE,
    report_id=None,
    story="1" * 32,
)
DEVICE, READINGS = VIOLATION.device, VIOLATION.readings
assert DEVICE is not None and READINGS is not None
DECISION = Decision(new_id(), "inspector-almaty", NOW, "")

ROWS: list[tuple[State, Verdict, State | type[Refusal]]] = [
    (State.REVIEW, Verdict.CONFIRM, State.CONFIRMED),
    (State.REVIEW, Verdict.REJECT, State.REJECTED),
    (State.REVIEW, Verdict.ANNUL, ViolationNotConfirmed),
    (State.CONFIRMED, Verdict.CONFIRM, ViolationAlreadyDecided),
    (State.CONFIRMED, Verdict.REJECT, ViolationAlreadyDecided),
    (State.CONFIRMED, Verdict.ANNUL, State.ANNULLED),
    (State.REJECTED, Verdict.CONFIRM, ViolationAlreadyDecided),
    (State.REJECTED, Verdict.REJECT, ViolationAlreadyDecided),
    (State.REJECTED, Verdict.ANNUL, ViolationNotConfirmed),
    (State.ANNULLED, Verdict.CONFIRM, ViolationAlreadyDecided),
    (State.ANNULLED, Verdict.REJECT, ViolationAlreadyDecided),
    (State.ANNULLED, Verdict.ANNUL, ViolationNotConfirmed),
]


@pytest.mark.parametrize(("state", "verdict", "expected"), ROWS)
def test_a_verdict_moves_a_violation_as_its_row_says(
    state: State, verdict: Verdict, expected: State | type[Refusal]
) -> None:
    violation = replace(VIOLATION, state=state)
    if isinstance(expected, State):
        decided = violation.decide(verdict, DECISION)
        assert (decided.state, decided.version, decided.decision) == (expected, 2, DECISION)
    else:
        with pytest.raises(expected):
            violation.decide(verdict, DECISION)


def test_the_table_has_a_row_for_each_state_and_verdict() -> None:
    assert set(TRANSITIONS) == {(state, verdict) for state in State for verdict in Verdict}
    assert len(ROWS) == len(TRANSITIONS)


@pytest.mark.parametrize(
    "hold", [hold for hold in Hold if hold not in (Hold.NONE, Hold.PLATE_UNSURE)]
)
def test_what_is_held_is_not_confirmed_but_may_be_rejected(hold: Hold) -> None:
    held = replace(VIOLATION, hold=hold)
    with pytest.raises(NotAutomatic) as caught:
        held.decide(Verdict.CONFIRM, DECISION)
    assert caught.value.facts == {"hold_reason": hold.value}
    assert held.decide(Verdict.REJECT, DECISION).state is State.REJECTED


def test_an_unsure_plate_has_a_refusal_of_its_own() -> None:
    with pytest.raises(PlateUnsure):
        replace(VIOLATION, hold=Hold.PLATE_UNSURE).decide(Verdict.CONFIRM, DECISION)


def test_what_is_signed_names_plate_offence_law_evidence_officer_and_version() -> None:
    signed = canonical_decision(VIOLATION, Verdict.CONFIRM, officer="inspector-almaty", reason="")
    told = json.loads(signed)
    assert told["plate"] == "453DXA02" and told["officer"] == "inspector-almaty"
    assert told["offence"]["rules_sha256"] == "ab" * 32 and told["version"] == 1
    assert told["evidence_sha256"] == ["ef" * 32] and told["over_kmh"] == "30"
    assert told["occurred_at"] == "2026-06-03T07:00:00.123456Z"
    assert signed == json.dumps(
        told, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode().replace(b"92.0", b"92").replace(b"60.0", b"60").replace(b":2.0", b":2")


@pytest.mark.parametrize(
    "other",
    [
        replace(VIOLATION, version=2),
        replace(VIOLATION, plate=Plate("453DXB02")),
        replace(VIOLATION, offence=replace(VIOLATION.offence, code="SPEED_10_20")),
        replace(VIOLATION, evidence_sha256=("00" * 32,)),
        replace(VIOLATION, over_kmh=Decimal("31")),
        replace(VIOLATION, violation_id=new_id()),
        replace(VIOLATION, camera_id=new_id()),
        replace(VIOLATION, report_id=new_id()),
        replace(VIOLATION, source=Source.CITIZEN),
        replace(VIOLATION, occurred_at=NOW + timedelta(microseconds=1)),
        replace(VIOLATION, offence=replace(VIOLATION.offence, article="592(1)")),
        replace(VIOLATION, offence=replace(VIOLATION.offence, rules_version="v2")),
        replace(VIOLATION, offence=replace(VIOLATION.offence, rules_sha256="00" * 32)),
        replace(VIOLATION, place=replace(VIOLATION.place, region="KZ-71")),
        replace(VIOLATION, place=replace(VIOLATION.place, latitude=43.25)),
        replace(VIOLATION, place=replace(VIOLATION.place, longitude=76.96)),
        replace(VIOLATION, place=replace(VIOLATION.place, address="Abai 2")),
        replace(VIOLATION, device=None),
        *(
            replace(VIOLATION, device=replace(DEVICE, **one))
            for one in (
                {"name": "S3"},
                {"serial": "SN-2"},
                {"certificate_number": "KZ.C.2"},
                {"verification_number": "V-2"},
                {"verification_from": None},
                {"verification_until": None},
                {"kind": "SPEED_SECTION"},
                {"tolerance_kmh": 3.0},
            )
        ),
        *(
            replace(VIOLATION, readings=replace(READINGS, **one))
            for one in (
                {"device_serial": "SN-2"},
                {"device_time": NOW + timedelta(seconds=1)},
                {"counter": 8},
                {"frame_sha256": "00" * 32},
                {"speed_kmh": 93.0},
                {"speed_limit_kmh": 50.0},
                {"signal_phase": "RED"},
                {"signal_age_seconds": 1.0},
                {"past_stop_line": True},
            )
        ),
        replace(VIOLATION, readings=None),
        replace(VIOLATION, models_fingerprint="sha256:2"),
        replace(VIOLATION, caution=Caution.READ_WHILE_DEGRADED),
        replace(VIOLATION, caution=Caution.PLATE_NOT_SURE),
        replace(VIOLATION, conflicting=(new_id(),)),
    ],
)
def test_another_violation_is_signed_with_other_bytes(other: Violation) -> None:
    ours, theirs = (
        canonical_decision(one, Verdict.CONFIRM, officer="a", reason="")
        for one in (VIOLATION, other)
    )
    assert ours != theirs


@pytest.mark.parametrize(
    ("verdict", "officer", "reason"),
    [(Verdict.REJECT, "a", "r"), (Verdict.CONFIRM, "b", "r"), (Verdict.CONFIRM, "a", "s")],
)
def test_another_decision_is_signed_with_other_bytes(
    verdict: Verdict, officer: str, reason: str
) -> None:
    ours = canonical_decision(VIOLATION, Verdict.CONFIRM, officer="a", reason="r")
    assert ours != canonical_decision(VIOLATION, verdict, officer=officer, reason=reason)


def test_rejecting_and_annulling_need_a_reason() -> None:
    assert required_reason(Verdict.CONFIRM, "") == ""
    assert required_reason(Verdict.REJECT, " misread ") == "misread"
    assert required_reason(Verdict.REJECT, "x" * 500) == "x" * 500
    assert required_reason(Verdict.CONFIRM, f" {'x' * 500} ") == "x" * 500
    for verdict, reason in (
        (Verdict.REJECT, " "),
        (Verdict.ANNUL, ""),
        (Verdict.CONFIRM, "x" * 501),
        (Verdict.REJECT, "x" * 501),
        (Verdict.REJECT, "a\x00b"),
    ):
        with pytest.raises(ReasonRequired):
            required_reason(verdict, reason)


INSPECTOR, SUPERVISOR = {"inspector"}, {"supervisor"}


@pytest.mark.parametrize(
    ("state", "hold", "roles", "verdicts"),
    [
        (State.REVIEW, Hold.NONE, INSPECTOR, (Verdict.CONFIRM, Verdict.REJECT)),
        (State.REVIEW, Hold.IMPOSSIBLE_JOURNEY, INSPECTOR, (Verdict.REJECT,)),
        (State.REVIEW, Hold.PLATE_UNSURE, INSPECTOR, (Verdict.REJECT,)),
        (State.REVIEW, Hold.NONE, SUPERVISOR, ()),
        (State.CONFIRMED, Hold.NONE, INSPECTOR, ()),
        (State.CONFIRMED, Hold.NONE, SUPERVISOR, (Verdict.ANNUL,)),
        (State.CONFIRMED, Hold.NONE, INSPECTOR | SUPERVISOR, (Verdict.ANNUL,)),
        (State.REJECTED, Hold.NONE, INSPECTOR | SUPERVISOR, ()),
        (State.ANNULLED, Hold.NONE, INSPECTOR | SUPERVISOR, ()),
        (State.REVIEW, Hold.NONE, {"auditor", "dispatcher"}, ()),
    ],
)
def test_each_role_is_offered_what_it_may_decide_now(
    state: State, hold: Hold, roles: set[str], verdicts: tuple[Verdict, ...]
) -> None:
    assert replace(VIOLATION, state=state, hold=hold).verdicts_of(roles) == verdicts


def test_a_version_is_compared_where_it_is_told() -> None:
    changed = replace(VIOLATION, version=3)
    changed.check_version(0)
    changed.check_version(3)
    for shown in (2, 4):
        with pytest.raises(ViolationChangedMeanwhile) as caught:
            changed.check_version(shown)
        assert caught.value.facts == {"version": "3"}
