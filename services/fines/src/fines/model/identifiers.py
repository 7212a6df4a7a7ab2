"""Numbers that name people, vehicles and fines: IIN, BIN, plates, a fine's own number."""

import re
import secrets
from datetime import date

from law.regions import PLATE_CODE

_WEIGHTS = (tuple(range(1, 12)), (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2))
_CENTURIES = {"1": 1800, "2": 1800, "3": 1900, "4": 1900, "5": 2000, "6": 2000}
_LOOK_ALIKES = str.maketrans("АВЕКМНОРСТУХ", "ABEKMHOPCTYX")
_PLATE = re.compile(r"[A-Z0-9]{4,10}")
# Immunity, service and police plates: never an automatic fine (KoAP Arts. 810(2)(3), 807(1)(2)).
_NOT_AUTOMATIC = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\d{{3}}KP{PLATE_CODE}?",
        rf"KP\d{{3,4}}{PLATE_CODE}?",
        rf"CMD\d{{3,6}}{PLATE_CODE}?",
        rf"HC\d{{3,6}}{PLATE_CODE}?",
        rf"[DT]\d{{3,6}}{PLATE_CODE}?",
        rf"[A-Z]{{2}}\d{{3,4}}{PLATE_CODE}?",
    )
)
NUMBER_DIGITS = 15


def has_check_digit(number: str) -> bool:
    """Whether twelve digits end in their check digit; the same rule for IIN and BIN."""
    if not re.fullmatch(r"[0-9]{12}", number):
        return False
    digits = [int(digit) for digit in number]
    for weights in _WEIGHTS:
        key = sum(d * w for d, w in zip(digits, weights, strict=False)) % 11
        if key < 10:
            return key == digits[11]
    return False


def is_bin(number: str) -> bool:
    return number[4] in "456"


def is_owner_number(number: str) -> bool:
    """An IIN with a date that exists, or a BIN; either with its check digit."""
    if not has_check_digit(number):
        return False
    if is_bin(number):
        return "01" <= number[2:4] <= "12"
    # Century 0 is seen on foreigners' IINs, whose date is not to be relied on.
    return number[6] == "0" or birth_date(number) is not None


def birth_date(iin: str) -> date | None:
    century = _CENTURIES.get(iin[6])
    if century is None:
        return None
    try:
        return date(century + int(iin[:2]), int(iin[2:4]), int(iin[4:6]))
    except ValueError:
        return None


def masked(number: str) -> str:
    return f"{number[:4]}••••••{number[-2:]}"


def normalised_plate(text: str) -> str | None:
    """Upper-case Latin without spaces, dashes or a leading KZ; None where it is no plate."""
    plate = re.sub(r"[\s\-]", "", text.upper()).translate(_LOOK_ALIKES)
    if plate.startswith("KZ") and _is_plate(plate[2:]):
        plate = plate[2:]
    return plate if _is_plate(plate) else None


def _is_plate(plate: str) -> bool:
    return bool(_PLATE.fullmatch(plate)) and not plate.isalpha() and not plate.isdigit()


def may_be_fined_automatically(plate: str) -> bool:
    return not any(pattern.fullmatch(plate) for pattern in _NOT_AUTOMATIC)


def new_number() -> str:
    """Opaque: 14 random digits and a check digit, so that a mistyped one is nobody else's."""
    body = "".join(secrets.choice("0123456789") for _ in range(NUMBER_DIGITS - 1))
    return body + _luhn(body)


def is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]{15}", text) is not None and _luhn(text[:-1]) == text[-1]


def _luhn(body: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (1 if place % 2 else 2)
        total += value - 9 if value > 9 else value
    return str(-total % 10)
