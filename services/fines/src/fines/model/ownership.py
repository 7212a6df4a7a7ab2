"""Whose a vehicle was at a moment, and why that owner may not be fined without a person's look.

Liable is who owned the vehicle when the offence happened (KoAP Art. 31(2)), not who owns it when
the fine is written.
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
    """A person (IIN) or a firm (BIN)."""

    number: str
    name: str
    address: str
    phone: str

    @property
    def kind(self) -> OwnerKind:
        return OwnerKind.ENTITY if is_bin(self.number) else OwnerKind.PERSON


@dataclass(frozen=True)
class Registration:
    """A vehicle and whose it was from `since` on (that moment included) to `until` (excluded; None
    where it still is), as the vehicle register has it."""

    make: str
    model: str
    owner: Owner
    since: datetime
    until: datetime | None = None

    def holds_at(self, moment: datetime) -> bool:
        return self.since <= moment and (self.until is None or moment < self.until)


def owner_holds(
    found: tuple[Registration, ...], plate: str, occurred_at: datetime, rules: OwnerRules
) -> Iterator[Hold]:
    """What forbids to fine the owner; `found` are the registrations that held at the offence."""
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
    """An IIN of century 0 (a foreigner's) and a BIN hold no date of birth to rely on."""
    born = None if owner.kind is OwnerKind.ENTITY else birth_date(owner.number)
    return born is not None and rules.is_too_young(born, almaty_day(occurred_at))
