"""The owner of a vehicle at the time of an offence, and the reasons why the owner may not be fined
automatically.

The owner at the time of the offence is liable (KoAP Art. 31(2)), not the owner at the time of
issue.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from law.identity_numbers import birth_date, is_bin, is_owner_number
from law.owners import OwnerKind, OwnerRules
from law.zone import almaty_day

from fines.model.holds import Hold


@dataclass(frozen=True)
class Owner:
    """The owner of a vehicle: a person or a legal entity.

    `number` is a person's IIN (individual identification number) or a legal entity's BIN (business
    identification number).
    """

    number: str
    name: str
    address: str
    phone: str

    @property
    def kind(self) -> OwnerKind:
        """ENTITY if the number is a BIN, else PERSON."""
        return OwnerKind.ENTITY if is_bin(self.number) else OwnerKind.PERSON


@dataclass(frozen=True)
class Registration:
    """A record of the vehicle register: a vehicle and its owner from `since` (included) to
    `until` (excluded; None while the ownership lasts)."""

    make: str
    model: str
    owner: Owner
    since: datetime
    until: datetime | None = None

    def holds_at(self, moment: datetime) -> bool:
        """Whether the registration is valid at `moment`."""
        return self.since <= moment and (self.until is None or moment < self.until)


def owner_holds(
    found: tuple[Registration, ...], plate: str, occurred_at: datetime, rules: OwnerRules
) -> Iterator[Hold]:
    """Yield the reasons why the owner may not be fined automatically.

    `found` has the registrations of `plate` that were valid at the time of the offence. If there is
    not exactly one, this is the only reason.
    """
    if len(found) != 1:
        yield Hold.OWNER_NOT_UNIQUE if found else Hold.OWNER_NOT_FOUND
        return
    owner = found[0].owner
    if not is_owner_number(owner.number):
        yield Hold.OWNER_NUMBER_WRONG
        return
    if not (owner.name.strip() and owner.address.strip()):
        yield Hold.OWNER_INCOMPLETE
    if rules.kind_for(plate) not in (None, owner.kind):
        yield Hold.OWNER_KIND_DIFFERS
    if _is_too_young(owner, occurred_at, rules):
        yield Hold.OWNER_TOO_YOUNG


def _is_too_young(owner: Owner, occurred_at: datetime, rules: OwnerRules) -> bool:
    """Whether the owner was under age at the offence. False for a BIN and for a foreigner's IIN
    (century digit 0), which contain no date of birth."""
    born = None if owner.kind is OwnerKind.ENTITY else birth_date(owner.number)
    return born is not None and rules.is_too_young(born, almaty_day(occurred_at))
