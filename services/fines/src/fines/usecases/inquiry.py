"""What the peers know of a fine: the facts from violations, the owner from the vehicle register.

Asked outside of any transaction; the same questions when a fine is issued and when it is rechecked.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from law.guards import EditionMissing, Editions, Guards
from law.owners import OwnerRules
from law.zone import almaty_day

from fines.lawbooks import Lawbooks
from fines.model.guards import contradicts, fact_holds
from fines.model.holds import Hold
from fines.model.identifiers import normalised_plate
from fines.model.ownership import Registration, owner_holds
from fines.model.refusals import RegisterAway, RegisterRecordWrong, ViolationMissing
from fines.model.tariff import Article
from fines.model.violation import ConfirmedViolation


class ViolationsPeer(Protocol):
    async def violation(self, violation_id: str, purpose: str) -> ConfirmedViolation:
        """Raises ViolationMissing."""
        ...


class VehicleRegister(Protocol):
    async def registrations(self, plate: str, at: datetime) -> tuple[Registration, ...]:
        """Those that held at that moment. Raises RegisterAway or RegisterRecordWrong."""
        ...


@dataclass(frozen=True)
class Facts:
    """A violation, the article and the guards in force when it happened, all that forbids it."""

    violation: ConfirmedViolation
    article: Article | None
    guards: Guards | None
    holds: tuple[Hold, ...]


@dataclass(frozen=True)
class Ownership:
    """Whose the vehicle was; without a registration the holds say why."""

    registration: Registration | None
    holds: tuple[Hold, ...]


class Inquiry:
    def __init__(
        self,
        violations: ViolationsPeer,
        register: VehicleRegister,
        lawbooks: Lawbooks,
        guards: Editions[Guards],
        owners: OwnerRules,
    ) -> None:
        self._violations = violations
        self._register = register
        self._lawbooks = lawbooks
        self._guards = guards
        self._owners = owners

    async def facts(self, violation_id: str, purpose: str) -> Facts:
        """Raises ViolationMissing."""
        violation = await self._violations.violation(violation_id, purpose)
        assert violation.violation_id == violation_id
        article = self._lawbooks.tariff.article_on(
            violation.offence_code, almaty_day(violation.occurred_at)
        )
        guards = self._guards_at(violation.occurred_at)
        holds = tuple(fact_holds(violation, article, guards))
        if guards is not None and await self._is_contradicted(violation, guards, purpose):
            holds = (*holds, Hold.IMPOSSIBLE_JOURNEY)
        return Facts(violation, article, guards, holds)

    async def _is_contradicted(
        self, violation: ConfirmedViolation, guards: Guards, purpose: str
    ) -> bool:
        """By a record that the violations service holds: no fine of it is there to compare."""
        for violation_id in violation.conflicting:
            try:
                other = await self._violations.violation(violation_id, purpose)
            except ViolationMissing:
                continue
            if contradicts(other, violation, guards):
                return True
        return False

    async def owner_at_offence(self, violation: ConfirmedViolation) -> Ownership:
        """The register is asked for the moment of the offence, not for today's owner."""
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

    def _guards_at(self, moment: datetime) -> Guards | None:
        try:
            return self._guards.at(moment)
        except EditionMissing:
            return None
