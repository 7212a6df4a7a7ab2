"""What holds a fine back, by name, in order of precedence; and that the letter states it all."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fines.letters import SIGNATURE_PLACE, discount_notice, prescription, tenge
from fines.model.days import DayCount
from fines.model.fine import State
from fines.model.identifiers import normalised_plate
from fines.model.holds import LOOKED_AT_AGAIN, Hold
from fines.model.prescription import (
    ConfirmedViolation,
    Particulars,
    particulars_of,
    prescription_holds,
    time_hold,
)

from .samples import LAWBOOKS, NOW, REGISTRATION, fine_in, violation

ARTICLES = LAWBOOKS.tariff.articles
DEVICE = violation().device
UNVERIFIED = replace(
    DEVICE, verification_number="", verification_from=None, verification_until=None
)


def first_hold(told: ConfirmedViolation) -> str:
    return next(prescription_holds(told, ARTICLES.get(told.offence_code)), Hold.NONE)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"is_confirmed": False, "from_device": False}, "VIOLATION_NOT_CONFIRMED"),
        ({"from_device": False}, "CITIZEN_EVIDENCE_NEEDS_PROTOCOL"),
        ({"hold_reason": "military"}, "VIOLATION_HELD"),
        ({"offence_code": "UNKNOWN"}, "ARTICLE_UNKNOWN"),
        ({"article": "592(3)"}, "ARTICLE_DIFFERS"),
        ({"offence_code": "NO_SIGNAL", "article": "595(1)"}, "ARTICLE_NOT_AUTOMATIC"),
        ({"offence_code": "ONCOMING", "article": "596(3)"}, "ARTICLE_NOT_AUTOMATIC"),
        ({"plate": "???"}, "PLATE_WRONG"),
        ({"plate": "123KP02"}, "PLATE_NOT_AUTOMATIC"),
        ({"device": replace(DEVICE, serial="")}, "DEVICE_INCOMPLETE"),
        ({"speed_kmh": None}, "READINGS_MISSING"),
        ({"over_kmh": None}, "READINGS_MISSING"),
        ({"speed_limit_kmh": None}, "READINGS_MISSING"),
        ({"over_kmh": 40.5, "speed_kmh": 103.0}, "READINGS_DIFFER"),  # another bracket
        ({"over_kmh": 34.0}, "READINGS_DIFFER"),  # more than measured less limit
        ({"over_kmh": 40.0, "speed_kmh": 102.0}, ""),
        ({"device": UNVERIFIED}, "DEVICE_NOT_VERIFIED"),
        ({"device": replace(DEVICE, verification_until=NOW - timedelta(seconds=1))},
         "DEVICE_NOT_VERIFIED"),
        ({"device": replace(DEVICE, verification_from=NOW + timedelta(seconds=1))},
         "DEVICE_NOT_VERIFIED"),
        ({"device": replace(DEVICE, verification_from=NOW, verification_until=NOW)}, ""),
    ],
)  # fmt: skip
def test_holds(changes: dict[str, Any], reason: str) -> None:
    told = violation(**changes)
    assert first_hold(told) == reason


def test_a_device_that_measures_nothing_needs_no_verification_but_no_expired_one_either() -> None:
    red = {"offence_code": "RED_LIGHT", "article": "599(1)", "speed_kmh": None, "over_kmh": None}
    assert first_hold(violation(**red, device=UNVERIFIED)) == ""
    expired = replace(DEVICE, verification_until=NOW - timedelta(days=1))
    assert first_hold(violation(**red, device=expired)) == "DEVICE_NOT_VERIFIED"


def test_phone_before_march_2026_is_not_automatic() -> None:
    phone = {"offence_code": "PHONE", "article": "591(1)", "speed_kmh": None, "over_kmh": None}
    early = datetime(2026, 3, 11, tzinfo=UTC)
    device = replace(DEVICE, verification_from=early)
    told = violation(**phone, occurred_at=early, device=device)
    assert first_hold(told) == "ARTICLE_NOT_AUTOMATIC"
    assert first_hold(violation(**phone)) == ""


@pytest.mark.parametrize(
    ("days", "reason"),
    [(0, ""), (10, ""), (11, "SENT_TOO_LATE"), (61, "SENT_TOO_LATE"), (62, "LIMITATION_EXPIRED")],
)
def test_ten_days_to_send_and_two_months_of_liability(days: int, reason: str) -> None:
    assert time_hold(NOW, NOW + timedelta(days=days)) == reason


def test_an_offence_of_the_future_waits() -> None:
    assert time_hold(NOW + timedelta(seconds=1), NOW) == "OCCURRED_IN_FUTURE"
    assert "OCCURRED_IN_FUTURE" in LOOKED_AT_AGAIN


def test_particulars_survive_json() -> None:
    particulars = particulars_of(violation(), REGISTRATION)
    assert Particulars.from_json(particulars.as_json()) == particulars


def test_the_letter_states_what_the_law_demands_in_both_languages() -> None:
    particulars = particulars_of(violation(), REGISTRATION)
    fine = fine_in(State.ISSUED, offence_code="SPEED_20_40", article="592(2)")
    letter = prescription(
        fine, particulars, ARTICLES["SPEED_20_40"], LAWBOOKS.authorities["KZ-75"], DayCount.WORKING
    )
    stated = [
        "Департамент полиции города Алматы", "Алматы қаласы Полиция департаменті", "г. Алматы",
        "Test Owner", "900101300017", "1990-01-01", "Almaty, Abai 1", "Toyota Camry", "453DXA12",
        "2026-06-03 11:00:00", "Almaty, Dostyk 5", "592(2)", "Превышение установленной скорости",
        "93 км/сағ, рұқсат етілгені 60 км/сағ, қателік шегерілгендегі асыру 31 км/сағ",
        "93 км/ч, разрешено 60 км/ч, превышение за вычетом погрешности 31 км/ч",
        "Sergek S2", "SN-1", "KZ.C.1", "V-1", "2026-02-23",
        "inspector-almaty", tenge(1_297_501), tenge(648_750), "7 рабочих дней", "7 жұмыс күні",
        "7-й рабочий день", "кейінгі 7-жұмыс күні", "обжаловать", "шағымдануға", "ab" * 32,
        "30 рабочих дней", fine.number,
    ]  # fmt: skip
    assert [text for text in stated if text not in letter] == []
    assert letter.count(SIGNATURE_PLACE) == 1


@pytest.mark.parametrize(
    ("read", "kk", "ru"),
    [
        ({"signal_phase": "RED", "signal_age_seconds": 2.4, "past_stop_line": True},
         "қызыл сигнал, 2,4 с; тоқтау сызығынан кейін", "красный сигнал, 2,4 с; за стоп-линией"),
        ({"signal_phase": "YELLOW", "past_stop_line": False},
         "сары сигнал; тоқтау сызығына дейін", "жёлтый сигнал; до стоп-линии"),
        ({"signal_phase": "GREEN", "speed_kmh": 61.5},
         "61,5 км/сағ; жасыл сигнал", "61,5 км/ч; зелёный сигнал"),
        ({}, "–", "–"),
    ],
)  # fmt: skip
def test_the_letter_states_what_the_device_read_of_the_light(
    read: dict[str, Any], kk: str, ru: str
) -> None:
    nothing = {"speed_kmh": None, "speed_limit_kmh": None, "over_kmh": None}
    red = violation(**{**nothing, "offence_code": "RED_LIGHT", "article": "599(1)", **read})
    letter = prescription(
        fine_in(State.ISSUED), particulars_of(red, REGISTRATION), ARTICLES["RED_LIGHT"],
        LAWBOOKS.authorities["KZ-75"], DayCount.WORKING,
    )  # fmt: skip
    kazakh, russian = letter.split('<section lang="ru">')
    assert f"<td>{kk}</td>" in kazakh and f"<td>{ru}</td>" in russian


def test_what_a_register_holds_cannot_change_the_letter() -> None:
    owner = replace(REGISTRATION.owner, name="<script>x</script>")
    particulars = particulars_of(violation(), replace(REGISTRATION, owner=owner))
    letter = prescription(
        fine_in(State.ISSUED), particulars, ARTICLES["RED_LIGHT"], LAWBOOKS.authorities["KZ-75"],
        DayCount.CALENDAR,
    )  # fmt: skip
    assert "<script>" not in letter and "&lt;script&gt;" in letter
    assert "7 календарных дней" in letter


def test_amounts_are_written_with_tiyn() -> None:
    assert tenge(1_297_501) == "12 975,01 ₸"
    assert tenge(648_750) in discount_notice(fine_in(State.DELIVERED, amount=half_amount()))


def half_amount() -> Any:
    return replace(fine_in(State.DELIVERED).amount, full_minor=648_750)  # type: ignore[type-var]


def test_samples_are_right() -> None:
    assert normalised_plate(violation().plate) == "453DXA12"
