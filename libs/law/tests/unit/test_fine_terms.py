"""How long terms are, by edition, and what is left to pay with the discount."""

import json
from datetime import date
from importlib import resources
from typing import Any

import pytest
from law.fine_terms import FineTerms, read_fine_terms

EDITIONS = read_fine_terms()
TERMS = EDITIONS.on(date(2026, 6, 3))
RAW = (resources.files("law") / "tables" / "fine-terms-2015-01-01.json").read_bytes()


def test_the_terms_of_2026() -> None:
    assert (TERMS.sent_within_calendar_days, TERMS.limitation_months) == (10, 2)
    assert (TERMS.discount_days, TERMS.discount_percent) == (7, 50)
    assert (TERMS.considered_days, TERMS.appeal_days, TERMS.voluntary_days) == (15, 10, 30)
    assert TERMS.enforcement_calendar_days == 10


@pytest.mark.parametrize("day", ["2015-01-01", "2024-02-29", "2024-03-01", "2099-12-31"])
def test_one_edition_has_held_since_the_code_came_into_force(day: str) -> None:
    assert EDITIONS.on(date.fromisoformat(day)) is TERMS


@pytest.mark.parametrize(
    ("full", "expected"), [(0, 0), (1, 0), (2, 1), (3, 1), (1_297_501, 648_750), (999, 499)]
)
def test_half_a_tiyn_falls_to_the_payer(full: int, expected: int) -> None:
    assert TERMS.discounted(full) == expected
    assert TERMS.discounted(full) <= full - TERMS.discounted(full)


@pytest.mark.parametrize(
    ("term", "changed"),
    [
        ("discount", {"source": " "}),
        ("discount", {"percent": 0}),
        ("discount", {"percent": 100}),
        ("appeal", {"days": 0}),
        ("limitation", {"months": -2}),
    ],
)
def test_a_term_without_source_or_length_does_not_load(term: str, changed: dict[str, Any]) -> None:
    table = json.loads(RAW)
    table["terms"][term] |= changed
    with pytest.raises(ValueError):
        FineTerms.parse(json.dumps(table).encode())


def test_a_term_that_is_not_there_does_not_load() -> None:
    table = json.loads(RAW)
    del table["terms"]["voluntary"]
    with pytest.raises(KeyError):
        FineTerms.parse(json.dumps(table).encode())
