"""IIN and BIN. All numbers here are made up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from law.identity_numbers import birth_date, has_check_digit, is_bin, is_owner_number, masked


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


@pytest.mark.parametrize("number", ["061211600012", "900101300017", "100140000003"])
def test_a_firm_and_a_person_are_told_apart_by_the_fifth_digit(number: str) -> None:
    assert is_bin(number) is (number == "100140000003")
    assert (birth_date(number) is None) is is_bin(number)
