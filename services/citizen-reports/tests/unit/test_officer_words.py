"""The words of a complaint mean an officer by badge, log-in and family name, with their endings."""

from uuid import UUID

import pytest
from citizen_reports.model.officer_words import words_of_officer, words_of_text
from citizen_reports.model.personnel import Officer, OfficerName

SERIK = Officer(
    UUID(int=1),
    log_in="inspector-almaty",
    badge="KZ-4711",
    kk=OfficerName("Сериков", "Марат"),
    ru=OfficerName("Серикова", "Марат"),
)


def meant(text: str, officer: Officer = SERIK) -> bool:
    return bool(words_of_officer(officer) & words_of_text(text))


@pytest.mark.parametrize(
    "text",
    [
        "Сериков",
        "инспектор СЕРИКОВ М.",
        "жаловаться на Серикова",
        "Сериковым было сказано",
        "Сериковой",
        "Сериковтың",
        "о Серикове-старшем",
        "badge kz-4711",
        "жетон KZ-4711.",
        "he is inspector-almaty",
        "Se\u0435rik, Сериков",
    ],
)
def test_an_officer_is_meant_in_any_case_and_case_ending(text: str) -> None:
    assert meant(text)


@pytest.mark.parametrize(
    "text",
    ["", "Марат", "4711", "серийный номер", "inspector", "Ермеков", "a policeman", "KZ-47"],
)
def test_others_are_not_meant(text: str) -> None:
    assert not meant(text)


@pytest.mark.parametrize(
    ("log_in", "badge", "text"),
    [
        ("a.ivanov_1", "", "офицер a.ivanov_1, взял деньги"),
        ("a.ivanov_1", "", "officer/A-Ivanov-1"),
        ("a.ivanov@police.gov.kz", "", "пишите: a.ivanov@police.gov.kz."),
        ("a.very.long.log.in.of.many.parts", "", "it was a.very.long.log.in.of.many.parts"),
        ("", "KZ 4711", "жетон KZ 4711"),
        ("", "KZ 4711", "жетон № KZ4711"),
        ("", "KZ 4711", "жетон KZ - 4711"),
        ("", "KZ4711", "жетон kz-4711"),
        ("", "47/11-КА", "жетон 47/11-ка"),
    ],
)
def test_a_log_in_or_badge_is_found_however_its_parts_are_separated(
    log_in: str, badge: str, text: str
) -> None:
    assert meant(text, Officer(UUID(int=5), log_in=log_in, badge=badge))


def test_words_that_were_stored_before_are_found_as_they_are_written() -> None:
    for stored in ("login:inspector-almaty", "badge:kz 4711", "login:a.ivanov_1"):
        assert stored in words_of_text(f"It was {stored.partition(':')[2].upper()}.")


def test_parts_far_from_each_other_are_no_badge() -> None:
    assert not meant("KZ .... 4711", Officer(UUID(int=6), badge="KZ 4711"))


def test_a_short_name_is_found_whole() -> None:
    kim = Officer(UUID(int=2), ru=OfficerName("Ким"), kk=OfficerName("Ким"))
    assert meant("майор Ким", kim) and meant("майору Киму", kim)
    assert not meant("майору Ли", kim)


def test_what_an_officer_lacks_means_nobody() -> None:
    for nobody in (Officer(UUID(int=3)), Officer(UUID(int=3), log_in="", badge="-")):
        assert not words_of_officer(nobody) & words_of_text("- . слово")
    assert words_of_officer(Officer(UUID(int=3))) == frozenset()


def test_a_letter_with_two_spellings_is_one() -> None:
    officer = Officer(UUID(int=4), ru=OfficerName("Королёв"))
    assert meant("Королев", officer) and meant("КОРОЛЁВА", officer)


def test_the_longest_text_is_compared_in_a_moment() -> None:
    text = "слово " * 660
    assert len(words_of_text(text)) < 30
