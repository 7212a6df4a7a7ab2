"""Who owned the vehicle at the moment of the offence, and which owners a person must review."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fines.model.holds import Hold
from fines.model.ownership import Registration, owner_holds
from law.owners import owner_rules

from .samples import CHILD, FIRM, NOW, PERSON, REGISTRATION

RULES = owner_rules()
FOREIGNER = "200101000011"  # century 0: its date of birth is not relied on
PERSONS_PLATE, FIRMS_PLATE, MOTORCYCLE = "453DXA12", "389BK01", "12AB02"
SALE = datetime(2026, 3, 10, 7, 0, tzinfo=UTC)


def owned_by(number: str, **changes: Any) -> Registration:
    return replace(REGISTRATION, owner=replace(REGISTRATION.owner, number=number, **changes))


def holds(*found: Registration, plate: str = PERSONS_PLATE, at: datetime = NOW) -> list[Hold]:
    return list(owner_holds(found, plate, at, RULES))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ((), Hold.OWNER_NOT_FOUND),
        ((REGISTRATION, REGISTRATION), Hold.OWNER_NOT_UNIQUE),
        ((owned_by("900101300018"),), Hold.OWNER_NUMBER_WRONG),
        ((owned_by(""),), Hold.OWNER_NUMBER_WRONG),
        ((owned_by(PERSON, name=" "),), Hold.OWNER_INCOMPLETE),
        ((owned_by(PERSON, address=" "),), Hold.OWNER_INCOMPLETE),
    ],
)
def test_exactly_one_owner_who_can_be_written_to(
    found: tuple[Registration, ...], reason: Hold
) -> None:
    assert holds(*found) == [reason]


@pytest.mark.parametrize(
    ("plate", "number", "held"),
    [
        (PERSONS_PLATE, PERSON, False),
        (PERSONS_PLATE, FIRM, True),
        (FIRMS_PLATE, FIRM, False),
        (FIRMS_PLATE, PERSON, True),
        (MOTORCYCLE, PERSON, False),
        (MOTORCYCLE, FIRM, False),
    ],
)
def test_a_persons_plate_is_a_persons_and_a_firms_a_firms(
    plate: str, number: str, held: bool
) -> None:
    assert holds(owned_by(number), plate=plate) == [Hold.OWNER_KIND_DIFFERS] * held


def test_an_owner_born_in_2020_is_too_young() -> None:
    assert holds(owned_by(CHILD)) == [Hold.OWNER_TOO_YOUNG]


def test_age_is_that_at_the_offence_by_the_day_in_almaty() -> None:
    midnight = datetime(2038, 1, 1, tzinfo=UTC) - timedelta(hours=5)  # the eighteenth birthday
    assert holds(owned_by(CHILD), at=midnight) == []
    assert holds(owned_by(CHILD), at=midnight - timedelta(seconds=1)) == [Hold.OWNER_TOO_YOUNG]


def test_a_foreigners_iin_tells_no_age_and_a_bin_no_birth() -> None:
    assert holds(owned_by(FOREIGNER)) == []
    assert holds(owned_by(FIRM), plate=FIRMS_PLATE) == []


def test_all_that_is_wrong_with_an_owner_is_named() -> None:
    found = owned_by(CHILD, address="")
    assert holds(found, plate=FIRMS_PLATE) == [
        Hold.OWNER_INCOMPLETE,
        Hold.OWNER_KIND_DIFFERS,
        Hold.OWNER_TOO_YOUNG,
    ]


def test_an_ownership_begins_with_its_first_moment_and_ends_before_its_last() -> None:
    seller = replace(REGISTRATION, until=SALE)
    buyer = replace(REGISTRATION, since=SALE)
    just_before = SALE - timedelta(microseconds=1)
    assert (seller.holds_at(just_before), buyer.holds_at(just_before)) == (True, False)
    assert (seller.holds_at(SALE), buyer.holds_at(SALE)) == (False, True)
