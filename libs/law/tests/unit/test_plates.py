"""How plates are written, compared and told apart."""

from datetime import date

import pytest
from law.articles import read_articles
from law.plates import (
    classes_of,
    letters_and_digits,
    normalised_plate,
    plate_as_read,
    plate_classes,
)

NOT_AUTOMATIC = read_articles().on(date(2026, 6, 3)).plates.not_automatic


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("453DXA12", "453DXA12"),
        ("453 dxa-12", "453DXA12"),
        ("KZ 453 DXA 12", "453DXA12"),
        ("453АВЕ02", "453ABE02"),  # Cyrillic look-alikes
        ("A123BCD", "A123BCD"),
    ],
)
def test_plates_are_normalised(text: str, expected: str) -> None:
    assert normalised_plate(text) == expected


@pytest.mark.parametrize("text", ["", "ABC", "12345678", "ABCDEFGH", "453DXA12345", "453;X12"])
def test_what_is_no_plate(text: str) -> None:
    assert normalised_plate(text) is None


@pytest.mark.parametrize(
    "plate", ["453DXA12", "389BK01", "12AB02", "12ABC02", "H123402", "A123BCD"]
)
def test_civil_plates_may_be_fined(plate: str) -> None:
    assert classes_of(plate).isdisjoint(NOT_AUTOMATIC)


@pytest.mark.parametrize(
    "plate", ["123KP02", "KP12302", "CMD12301", "HC12301", "D123401", "T12301", "AB123402"]
)
def test_service_and_diplomatic_plates_may_not(plate: str) -> None:
    assert not classes_of(plate).isdisjoint(NOT_AUTOMATIC)


def test_cyrillic_twins_spaces_and_case_make_no_other_plate() -> None:
    assert letters_and_digits(" 453 а в с-02 ") == "453ABC02"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("453·dxa·12", "453DXA12"),
        ("KZ 453 DXA 12", "453DXA12"),
        ("453.АВЕ.02", "453ABE02"),
        ("KZ1234AB", "KZ1234AB"),  # too short for a country before a plate
        ("12345678", ""),
        ("ABCDEFGH", ""),
    ],
)
def test_a_plate_that_somebody_reads_may_be_written_with_dots(text: str, expected: str) -> None:
    assert plate_as_read(text) == expected


@pytest.mark.parametrize(
    ("plate", "classes"),
    [
        ("453DXA12", {"car_person"}),
        ("123KP02", {"police", "car_entity"}),
        ("A123BCD", {"car_person_1993"}),
        ("D123402", {"diplomat", "foreign_owner_other"}),
        ("F123402", {"foreign_owner", "foreign_owner_other"}),
        ("453DXA21", set()),  # no such region
    ],
)
def test_a_plate_may_be_of_every_class_whose_layout_it_has(plate: str, classes: set[str]) -> None:
    assert classes_of(plate) == classes


def test_every_class_that_is_not_fined_automatically_is_known_but_that_without_a_layout() -> None:
    assert NOT_AUTOMATIC - {row.name for row in plate_classes()} == {"military"}
