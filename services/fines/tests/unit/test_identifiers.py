"""IIN, BIN, plates and fine numbers. All numbers here are made up."""

import pytest
from fines.model.identifiers import (
    has_check_digit,
    is_number,
    is_owner_number,
    masked,
    may_be_fined_automatically,
    new_number,
    normalised_plate,
)
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("number", ["061211600012", "900101300017", "100140000003"])
def test_valid_numbers(number: str) -> None:
    assert is_owner_number(number)


@pytest.mark.parametrize(
    "number",
    [
        "900101300018",  # check digit
        "90010130001",  # eleven digits
        "9001013000170",
        "９００１０１３０００１７",  # digits, but not ASCII
        "",
        "abcdefghijkl",
    ],
)
def test_numbers_that_are_none(number: str) -> None:
    assert not is_owner_number(number)


@settings(max_examples=30)
@given(st.integers(0, 10**11 - 1).map("{:011d}".format))
def test_at_most_one_check_digit_fits(body: str) -> None:
    assert sum(has_check_digit(f"{body}{digit}") for digit in range(10)) <= 1


def test_a_number_without_possible_check_digit_is_invalid() -> None:
    bodies = (f"{number:011d}" for number in range(1, 800))
    without = [b for b in bodies if not any(has_check_digit(f"{b}{d}") for d in range(10))]
    assert without, "some bodies give ten twice"


def test_an_iin_needs_a_date_that_exists() -> None:
    right = [f"9002313000{n:01d}" for n in range(10)]
    assert not any(is_owner_number(f"{body}{d}") for body in right for d in range(10))


def test_masked_keeps_year_and_check_digit() -> None:
    assert masked("900101300017") == "9001••••••17"


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
    assert may_be_fined_automatically(plate)


@pytest.mark.parametrize(
    "plate", ["123KP02", "KP12302", "CMD12301", "HC12301", "D123401", "T12301", "AB123402"]
)
def test_service_and_diplomatic_plates_may_not(plate: str) -> None:
    assert not may_be_fined_automatically(plate)


def test_fine_numbers_carry_a_check_digit() -> None:
    number = new_number()
    assert is_number(number)
    for place in range(15):
        wrong = str((int(number[place]) + 1) % 10)
        assert not is_number(number[:place] + wrong + number[place + 1 :])
