"""Whose a plate is, and who is too young to be fined without an officer."""

from datetime import date

import pytest
from law.owners import OwnerKind, age_years, owner_rules

RULES = owner_rules()


@pytest.mark.parametrize(
    ("plate", "kind"),
    [
        ("453DXA12", OwnerKind.PERSON),
        ("389BK01", OwnerKind.ENTITY),
        ("F123402", OwnerKind.PERSON),
        ("H123402", OwnerKind.ENTITY),
        ("A123BCD", OwnerKind.PERSON),
        ("A123BC", OwnerKind.ENTITY),
        ("12AB02", None),  # a motorcycle: anybody's
        ("12ABC02", None),  # a trailer
        ("K123402", None),  # a foreign plate whose letter is not confirmed
        ("453DXA21", None),  # no such region
        ("", None),
    ],
)
def test_a_plate_tells_whose_it_is_where_its_class_is_one_owners_alone(
    plate: str, kind: OwnerKind | None
) -> None:
    assert RULES.kind_for(plate) is kind


@pytest.mark.parametrize(
    ("born", "too_young"),
    [
        ("2020-01-01", True),
        ("2008-06-04", True),
        ("2008-06-03", False),
        ("1990-01-01", False),
        ("2030-01-01", True),
    ],
)
def test_an_owner_is_fined_automatically_from_the_eighteenth_birthday_on(
    born: str, too_young: bool
) -> None:
    assert RULES.is_too_young(date.fromisoformat(born), date(2026, 6, 3)) is too_young


def test_who_was_born_on_29_february_grows_older_on_1_march() -> None:
    assert age_years(date(2008, 2, 29), date(2026, 2, 28)) == 17
    assert age_years(date(2008, 2, 29), date(2026, 3, 1)) == 18
    assert age_years(date(2008, 2, 29), date(2028, 2, 29)) == 20
