"""Spellings of one serial number are one, and a digit is never a letter."""

import pytest
from camera_registry.serials import folded

SPELLINGS = (
    "DS-2CD7A26",
    "ds-2cd7a26",
    "DS-2CD7A26 ",
    "DS -2CD 7A26",
    "DS-2CD7A26\u200b",
    "DS-2\u0421D7\u041026",  # Cyrillic Es and A
    "\uff24\uff33-2CD7A26",  # full width
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings_of_one_number(spelling: str) -> None:
    assert folded(spelling) == "DS-2CD7A26"


@pytest.mark.parametrize(
    ("one", "other"), [("A0", "AO"), ("B8", "BB"), ("1I", "II"), ("A-1", "A1"), ("Ж1", "X1")]
)
def test_different_numbers_stay_different(one: str, other: str) -> None:
    assert folded(one) != folded(other)


def test_nothing_visible_is_nothing() -> None:
    assert folded(" \u200b\u2060\u0301") == ""
