"""Queries to other services: the facts from the violations service, the owner from the vehicle
register.

The queries run outside of transactions. The issue of a fine and a later recheck share them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from law.articles import Article, Articles
from law.editions import Edition, EditionMissing, Editions
from law.guards import Guards
from law.owners import OwnerRules
from law.plates import normalised_plate

from fines.model.guards import contradicts, fact_holds
from fines.model.holds import Hold
from fines.model.law import Law
from fines.model.ownership import Registration, owner_holds
from fines.model.refusals import RegisterAway, RegisterRecordWrong, ViolationMissing
from fines.model.violation import ConfirmedViolation

E = TypeVar("E", bound=Edition)


class ViolationsPeer(Protocol):
    """The violations service."""

    async def violation(self, violation_id: str, purpose: str) -> ConfirmedViolation:
        """Return the violation. `purpose` states why personal data are read, for the audit log of
        the violations service. Raises ViolationMissing."""
        ...


class VehicleRegister(Protocol):
    """The state's register of vehicles."""

    async def registrations(self, plate: str, at: datetime) -> tuple[Registration, ...]:
        """Return the registrations of a plate that were valid at the time `at`. Raises RegisterAway
        if the register is unavailable, or RegisterRecordWrong."""
        ...


@dataclass(frozen=True)
class Facts:
    """A violation, with the article and the guards (rules against wrong fines) in force at the time
    of the offence. `holds` are the reasons found why no fine may be issued."""

    violation: ConfirmedViolation
    article: Article | None
    guards: Guards | None
    holds: tuple[Hold, ...]


@dataclass(frozen=True)
class Ownership:
    """The owner of a vehicle at the time of an offence. `registration` is None if the vehicle then
    had no registration or more than one. `holds` are the reasons found why no fine may be issued.
    """

    registration: Registration | None
    holds: tuple[Hold, ...]


class Inquiry:
    """Gathers the facts on which a fine depends: the violation, the law at that time, the owner."""

    def __init__(
        self,
        violations: ViolationsPeer,
        register: VehicleRegister,
        law: Law,
        guards: Editions[Guards],
        owners: OwnerRules,
    ) -> None:
        self._violations = violations
        self._register = register
        self._law = law
        self._guards = guards
        self._owners = owners

    async def facts(self, violation_id: str, purpose: str) -> Facts:
        """Return a violation, the rules that apply to it and the resulting holds (reasons why no
        fine may be issued). Raises ViolationMissing."""
        violation = await self._violations.violation(violation_id, purpose)
        assert violation.violation_id == violation_id
        articles: Articles | None = _at(violation.occurred_at, self._law.articles)
        guards: Guards | None = _at(violation.occurred_at, self._guards)
        holds = tuple(fact_holds(violation, articles, guards))
        if guards is not None and await self._is_contradicted(violation, guards, purpose):
            holds = (*holds, Hold.IMPOSSIBLE_JOURNEY)
        article = articles.by_code.get(violation.offence_code) if articles else None
        return Facts(violation, article, guards, holds)

    async def _is_contradicted(
        self, violation: ConfirmedViolation, guards: Guards, purpose: str
    ) -> bool:
        """Whether a violation listed as conflicting contradicts this violation, even if that
        violation has no fine."""
        for violation_id in violation.conflicting:
            try:
                other = await self._violations.violation(violation_id, purpose)
            except ViolationMissing:
                continue
            if contradicts(other, violation, guards):
                return True
        return False

    async def owner_at_offence(self, violation: ConfirmedViolation) -> Ownership:
        """Return the vehicle's registration at the time of the offence; the owner may be another
        today. Problems are returned as holds (reasons why no fine may be issued). An unavailable
        register is one of them."""
        plate = normalised_plate(violation.plate)
        if plate is None:
            return Ownership(None, (Hold.PLATE_WRONG,))
        try:
            found = await self._register.registrations(plate, violation.occurred_at)
        except RegisterAway:
            return Ownership(None, (Hold.REGISTER_AWAY,))
        except RegisterRecordWrong:
            return Ownership(None, (Hold.REGISTER_RECORD_WRONG,))
        holds = tuple(owner_holds(found, plate, violation.occurred_at, self._owners))
        return Ownership(found[0] if len(found) == 1 else None, holds)


def _at(moment: datetime, editions: Editions[E]) -> E | None:
    """The edition in force at `moment`, or None, in which case the fine is held."""
    try:
        return editions.at(moment)
    except EditionMissing:
        return None
