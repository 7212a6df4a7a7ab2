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


def test_a_short_name_is_found_whole() -> None:
    kim = Officer(UUID(int=2), ru=OfficerName("Ким"), kk=OfficerName("Ким"))
    assert meant("майор Ким", kim) and meant("майору Киму", kim)
    assert not meant("майору Ли", kim)


def test_what_an_officer_lacks_means_nobody() -> None:
    nobody = Officer(UUID(int=3))
    assert words_of_officer(nobody) == frozenset()


def test_a_letter_with_two_spellings_is_one() -> None:
    officer = Officer(UUID(int=4), ru=OfficerName("Королёв"))
    assert meant("Королев", officer) and meant("КОРОЛЁВА", officer)


def test_the_longest_text_is_compared_in_a_moment() -> None:
    text = "слово " * 660
    assert len(words_of_text(text)) < 20
