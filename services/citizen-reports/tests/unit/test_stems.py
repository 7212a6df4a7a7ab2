"""Forms of one word have a stem in common, in three languages and mixtures; others have none."""

import pytest
from citizen_reports.model.stems import STEMS_MAX, kazakh_stem, stems_of, words_of

# Forms of one word a line, the languages as the lines begin.
FORMS = """
kk мектеп мектепте мектептен мектебі мектептің мектебіміз мектептер мектептеріне
kk көше көшеде көшеден көшесі көшесінде көшелер көшелерде көшеге коше кошеде
kk бала балалар баланы балаға баласы баласын балалардың балам балаларымыз балаларымен
kk көлік көлігі көлікті көліктер көлігінде көлігімен колик колигинде
kk машина машинаны машинаға машинасы машиналар машинамен машинаның машинада
kk есік есігі есікті есігін есіктен есиги
kk келді келеді келген келіп келсе
kk ұрлады ұрлап ұрлаған ұрлайды ұрлау
kk адам адамдар адамды адамның адамнан адамға
kk жол жолы жолда жолдар жолында жолдың
kk үйлер үйлерде үйлердің үйлерді
ru собака собаки собаку собакой собаками собак собаке
ru машина машину машины машиной машине машинами
ru стена стены стену стеной стенах
ru сломал сломали сломала сломать
ru драка драку драки дракой
ru мусор мусора мусором мусоре
ru автобус автобусы автобуса автобусом
ru подъезд подъезде подъезда подъезды
ru ёлка елка елки елку
en dog dogs
en accident accidents
en parked parking parks park
en burning burned burns burn
"""
LINES = [line.split()[1:] for line in FORMS.strip().splitlines()]
APART = """
мектеп мешіт
көше көлік
собака собор
машина машинист
стена стекло
мусор мусульманин
accident access
балалар балкон
""".strip().splitlines()


def alike(one: str, other: str) -> bool:
    return bool(stems_of(one) & stems_of(other))


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[0])
def test_forms_of_one_word_are_alike(line: list[str]) -> None:
    assert [form for form in line if not alike(line[0], form)] == []


@pytest.mark.parametrize("pair", APART)
def test_other_words_are_not_alike(pair: str) -> None:
    one, other = pair.split()
    assert not alike(one, other)


def test_a_word_of_one_language_with_the_endings_of_another_is_found() -> None:
    """People mix: Russian words with Kazakh endings are the same words."""
    assert alike("подъездде", "подъезд") and alike("автобуста", "автобусы")
    assert alike("машиналарды", "машину") and alike("собакасы", "собакой")


def test_endings_that_do_not_harmonise_stay() -> None:
    assert kazakh_stem("баладе") == "баладе"
    assert kazakh_stem("балада") == "бала"
    assert kazakh_stem("көшеда") == "кошеда"
    assert kazakh_stem("есігімізде") == "есик"


def test_stop_words_and_short_words_are_left_out() -> None:
    assert words_of("и не на он бұл мен және the of an as үй я") == ()


def test_numbers_and_plates_stay_in_latin_letters() -> None:
    assert stems_of("дом 44, квартира 7") >= {"44"}
    assert "7" not in stems_of("квартира 7")
    plate = {"777abc02"}
    for written in ("777 ABC 02", "777abc02", "777 АВС 02", "777-abc-02"):
        assert stems_of(f"номер {written}!") >= plate
        assert words_of(written) == (frozenset(plate),)


def test_letters_that_look_alike_are_those_of_the_word() -> None:
    assert stems_of("мaшинa") == stems_of("машина"), "with Latin a"
    assert stems_of("аccident") == stems_of("accident"), "with a Cyrillic а"
    assert stems_of("МАШИНААААА") == stems_of("машина")


def test_each_word_is_there_once_and_a_text_has_so_many_at_most() -> None:
    assert len(words_of("собака, собаку! СОБАКИ")) <= 2
    many = " ".join(f"{number}{number}" for number in range(1000, 2000))
    assert len(stems_of(many)) == STEMS_MAX
