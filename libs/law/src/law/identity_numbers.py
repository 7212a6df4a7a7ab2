"""Identification numbers of people (IIN) and firms (BIN): decree No. 565 of 11.06.2003."""

import re
from datetime import date

_WEIGHTS = (tuple(range(1, 12)), (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2))
_CENTURIES = {"1": 1800, "2": 1800, "3": 1900, "4": 1900, "5": 2000, "6": 2000}


def has_check_digit(number: str) -> bool:
    """Whether a number has twelve digits and a correct check digit; IIN and BIN share the rule."""
    if not re.fullmatch(r"[0-9]{12}", number):
        return False
    digits = [int(digit) for digit in number]
    for weights in _WEIGHTS:
        key = sum(d * w for d, w in zip(digits, weights, strict=False)) % 11
        if key < 10:
            return key == digits[11]
    return False


def is_bin(number: str) -> bool:
    """Whether a number of twelve digits is a BIN, not an IIN: its fifth digit is 4, 5 or 6.

    In an IIN the fifth digit is the first of the day of birth, 0 to 3.
    """
    return number[4] in "456"


def is_owner_number(number: str) -> bool:
    """Whether a number is a valid BIN, or a valid IIN with an existing date of birth."""
    if not has_check_digit(number):
        return False
    if is_bin(number):
        return "01" <= number[2:4] <= "12"
    # The century digit of some foreigners' IINs is 0; their date is not reliable.
    return number[6] == "0" or birth_date(number) is not None


def birth_date(iin: str) -> date | None:
    """The date of birth in an IIN; None for a foreigner's number or a date that does not exist."""
    century = _CENTURIES.get(iin[6])
    if century is None:
        return None
    try:
        return date(century + int(iin[:2]), int(iin[2:4]), int(iin[4:6]))
    except ValueError:
        return None


def masked(number: str) -> str:
    """Return the number for display, with all but its first four and last two digits hidden."""
    return f"{number[:4]}••••••{number[-2:]}"
