"""The table of forms, row by row, and the rule that nothing foreign is bent into it."""

import pytest
from vision.plates.grammar import (
    Owner,
    normalised,
    two_rows,
    understood,
)


@pytest.mark.parametrize(
    ("text", "plate_type", "owner", "region"),
    [
        ("453DXA12", "car_person", Owner.PERSON, "12"),
        ("389 BK 01", "car_entity", Owner.ENTITY, "01"),
        ("KZ098PAS05", "car_person", Owner.PERSON, "05"),
        ("А 161 ВСТ", "car_person_1993", Owner.PERSON, "02"),
        ("D914PCA", "car_person_1993", Owner.PERSON, "04"),
        ("Z345AB", "car_entity_1993", Owner.ENTITY, "01"),
        ("29BK04", "motorcycle", Owner.EITHER, "04"),
        ("F1234-05", "foreign_owner", Owner.FOREIGN, "05"),
        ("123KP02", "police", Owner.SERVICE, "02"),
    ],
)
def test_kazakh_forms(text: str, plate_type: str, owner: Owner, region: str) -> None:
    reading = understood(text)
    assert (reading.country, reading.plate_type) == ("KZ", plate_type)
    assert (reading.owner, reading.region) == (owner, region)


@pytest.mark.parametrize(
    ("text", "country"),
    [("AB1234CE", "UA"), ("A123BC77", "RU"), ("01KG123ABC", "KG"), ("1B98339", "CZ")],
)
def test_foreign_stays_foreign(text: str, country: str) -> None:
    reading = understood(text)
    assert (reading.text, reading.country, reading.automatic_fine) == (text, country, False)


def test_region_that_does_not_exist_is_not_kazakh() -> None:
    assert understood("123ABC21").country == ""
    assert understood("123ABC00").country == ""


def test_unproven_forms_need_a_kz_mark() -> None:
    assert understood("AB1234").country == ""
    assert understood("AB1234", marked_kz=True).plate_type == "special"
    assert understood("KZAB1234").plate_type == "special"


def test_police_and_diplomats_never_go_to_automatic_fines() -> None:
    assert not understood("123KP02").automatic_fine
    assert not understood("KZD123401").automatic_fine
    assert understood("123ABC02").automatic_fine


def test_twins_are_exchanged_only_where_a_form_asks_for_it() -> None:
    reading = understood("O98PAS05")
    assert (reading.text, reading.exchanged) == ("098PAS05", (0,))
    assert understood("RK1O2AO").text == "RK102AO"
    assert understood("QO1XYZW").text == "QO1XYZW"


def test_text_that_fits_stays_as_it_was_read() -> None:
    assert understood("BB135BO").text == "BB135BO"
    assert understood("100OOO01").text == "100OOO01"


def test_sticker_read_as_a_character_is_dropped() -> None:
    reading = understood("1B889839")
    assert (reading.text, reading.dropped) == ("1B89839", 3)


def test_unknown_form_has_no_country() -> None:
    reading = understood("GWAGEN")
    assert (reading.text, reading.country, reading.fits) == ("GWAGEN", "", False)


def test_square_plates_are_written_in_the_order_of_one_line() -> None:
    reading = two_rows("02 ABC", "123")
    assert reading is not None
    assert reading.text == "123ABC02"
    assert two_rows("99 ABC", "123") is None


def test_normalising_takes_cyrillic_twins_and_separators() -> None:
    assert normalised("кz 098-рas 05") == "KZ098PAS05"


def test_no_sticker_is_seen_in_what_may_be_a_kazakh_plate() -> None:
    assert understood("XV312215").text == "XV312215"
    assert understood("KE855123").dropped == 2


def test_round_letters_of_a_kazakh_plate_are_for_the_reader_alone_to_tell() -> None:
    assert understood("588OE18").doubtful == understood("588QE18").doubtful == (3,)
    assert understood("588AE18").doubtful == ()


@pytest.mark.parametrize(
    ("read", "place", "meant"),
    [
        ("6822FZ02", 3, "682ZFZ02"),
        ("68ZZFZ02", 2, "682ZFZ02"),
        ("4988DZ08", 3, "498BDZ08"),
        ("49BVDZ08", 2, "498VDZ08"),
        ("4985DZ08", 3, "498SDZ08"),
        ("49SVDZ08", 2, "495VDZ08"),
        ("4986DZ08", 3, "498GDZ08"),
        ("49GVDZ08", 2, "496VDZ08"),
        ("498VDZ0B", 7, "498VDZ08"),
        ("8123ABC", 0, "B123ABC"),
    ],
)
def test_a_look_alike_is_exchanged_by_position_where_the_reader_held_it_possible(
    read: str, place: int, meant: str
) -> None:
    reading = understood(read, possible=frozenset({place}))
    assert (reading.text, reading.country, reading.mended) == (meant, "KZ", (place,))
    for elsewhere in (frozenset(), frozenset({5})):
        assert understood(read, possible=elsewhere).text == read


def test_twins_and_look_alikes_may_both_be_exchanged_but_no_more_than_two() -> None:
    everywhere = frozenset(range(8))
    reading = understood("O822FZ02", possible=everywhere)
    assert (reading.text, reading.exchanged, reading.mended) == ("082ZFZ02", (0,), (3,))
    assert understood("OB22FZ02", possible=everywhere).text == "OB22FZ02"


@pytest.mark.parametrize("text", ["29SLF02", "88ZJG02", "SB1234"])
def test_what_may_be_an_unproven_form_is_never_mended_into_another(text: str) -> None:
    assert understood(text, possible=frozenset(range(len(text)))).text == text


@pytest.mark.parametrize("text", ["S52SB0Z", "8625G0S", "6552G0S", "B208G06"])
def test_where_look_alikes_make_two_plates_of_a_text_it_stays_as_it_was_read(text: str) -> None:
    assert understood(text, possible=frozenset(range(len(text)))).text == text


@pytest.mark.parametrize("text", ["AB1234CE", "A123BC77", "BB135BO", "498VDZ08", "1B98339"])
def test_a_text_that_fits_is_not_mended(text: str) -> None:
    assert understood(text, possible=frozenset(range(len(text)))) == understood(text)


def test_a_square_plate_is_mended_by_position_too() -> None:
    reading = two_rows("02 2BC", "123", possible=frozenset({2}))
    assert reading is not None
    assert (reading.text, reading.mended) == ("123ZBC02", (2,))
    marked = two_rows("KZ02 2BC", "123", possible=frozenset({4}))
    assert marked is not None and marked.text == "123ZBC02"
    assert two_rows("02 2BC", "123") is None
