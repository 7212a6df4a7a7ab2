"""The letter states what the law demands in both languages, and nothing untrue."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from fines.letters import SIGNATURE_PLACE, LetterTerms, discount_notice, prescription, tenge
from fines.model.fine import State
from fines.model.prescription import Particulars, particulars_of
from law.fine_dates import DayCount
from law.guards import Measured
from law.plates import normalised_plate
from law.regions import REGIONS

from .samples import ARTICLES, LAW, NOW, REGISTRATION, fine_in, red_light, violation

WORKING, CALENDAR = (LetterTerms(LAW.terms.at(NOW), count) for count in DayCount)


def test_particulars_survive_json() -> None:
    particulars = particulars_of(violation(), REGISTRATION)
    assert Particulars.from_json(particulars.as_json()) == particulars


def test_the_letter_states_what_the_law_demands_in_both_languages() -> None:
    particulars = particulars_of(violation(), REGISTRATION)
    fine = fine_in(State.ISSUED, offence_code="SPEED_20_40", article="592(2)")
    letter = prescription(
        fine, particulars, ARTICLES["SPEED_20_40"], LAW.authorities["KZ-75"], WORKING
    )
    stated = [
        "Департамент полиции города Алматы",
        "Алматы қаласы Полиция департаменті",
        "г. Алматы",
        "Test Owner",
        "900101300017",
        "1990-01-01",
        "Almaty, Abai 1",
        "Toyota Camry",
        "453DXA12",
        "2026-06-03 11:00:00",
        "Almaty, Dostyk 5",
        "592(2)",
        "Превышение установленной скорости",
        "93 км/сағ, рұқсат етілгені 60 км/сағ, қателік шегерілгендегі асыру 31 км/сағ",
        "93 км/ч, разрешено 60 км/ч, превышение за вычетом погрешности 31 км/ч",
        "Sergek S2",
        "SN-1",
        "KZ.C.1",
        "V-1",
        "2026-02-23",
        "inspector-almaty",
        tenge(1_297_501),
        tenge(648_750),
        "7 рабочих дней",
        "7 жұмыс күні",
        "7-й рабочий день",
        "кейінгі 7-жұмыс күні",
        "обжаловать",
        "шағымдануға",
        "ab" * 32,
        "30 рабочих дней",
        fine.number,
    ]
    assert [text for text in stated if text not in letter] == []
    assert letter.count(SIGNATURE_PLACE) == 1


@pytest.mark.parametrize(
    ("read", "kk", "ru"),
    [
        (
            {"signal_phase": "RED", "signal_age_seconds": 2.4, "past_stop_line": True},
            "қызыл сигнал, 2,4 с; тоқтау сызығынан кейін",
            "красный сигнал, 2,4 с; за стоп-линией",
        ),
        (
            {"signal_phase": "YELLOW", "past_stop_line": False},
            "сары сигнал; тоқтау сызығына дейін",
            "жёлтый сигнал; до стоп-линии",
        ),
        (
            {"signal_phase": "GREEN", "speed_kmh": 61.5},
            "61,5 км/сағ; жасыл сигнал",
            "61,5 км/ч; зелёный сигнал",
        ),
        ({}, "–", "–"),
    ],
)
def test_the_letter_states_what_the_device_read_of_the_light(
    read: dict[str, Any], kk: str, ru: str
) -> None:
    red = red_light(Measured(**read))
    letter = prescription(
        fine_in(State.ISSUED),
        particulars_of(red, REGISTRATION),
        ARTICLES["RED_LIGHT"],
        LAW.authorities["KZ-75"],
        WORKING,
    )
    kazakh, russian = letter.split('<section lang="ru">')
    assert f"<td>{kk}</td>" in kazakh and f"<td>{ru}</td>" in russian


def test_what_a_register_holds_cannot_change_the_letter() -> None:
    owner = replace(REGISTRATION.owner, name="<script>x</script>")
    particulars = particulars_of(violation(), replace(REGISTRATION, owner=owner))
    letter = prescription(
        fine_in(State.ISSUED),
        particulars,
        ARTICLES["RED_LIGHT"],
        LAW.authorities["KZ-75"],
        CALENDAR,
    )
    assert "<script>" not in letter and "&lt;script&gt;" in letter
    assert "7 календарных дней" in letter


@pytest.mark.parametrize(
    ("moment", "stated"),
    [
        (datetime(2024, 2, 29, 17, 30, tzinfo=UTC), "2024-02-29 23:30:00"),
        (datetime(2024, 2, 29, 19, 30, tzinfo=UTC), "2024-03-01 00:30:00"),
    ],
)
def test_the_letter_states_the_time_of_almaty_as_it_was_then(moment: datetime, stated: str) -> None:
    letter = prescription(
        fine_in(State.ISSUED, occurred_at=moment),
        particulars_of(violation(), REGISTRATION),
        ARTICLES["RED_LIGHT"],
        LAW.authorities["KZ-75"],
        WORKING,
    )
    assert letter.count(stated) == 2


def test_amounts_are_written_with_tiyn() -> None:
    assert tenge(1_297_501) == "12 975,01 ₸"
    assert tenge(648_750) in discount_notice(fine_in(State.DELIVERED, amount=half_amount()))


def half_amount() -> Any:
    return replace(fine_in(State.DELIVERED).amount, full_minor=648_750)  # type: ignore[type-var]


def test_samples_are_right() -> None:
    assert normalised_plate(violation().plate) == "453DXA12"


def test_every_region_has_its_authority_named_after_it() -> None:
    assert LAW.authorities.keys() == REGIONS.keys()
    for code, authority in LAW.authorities.items():
        assert REGIONS[code].kk.removesuffix(" облысы") in authority.name_kk, code
