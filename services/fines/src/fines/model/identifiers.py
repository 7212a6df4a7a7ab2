"""The number of a fine."""

import re
import secrets

NUMBER_DIGITS = 15


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
