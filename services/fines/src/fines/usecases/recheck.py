"""Checks whether issued fines would still be issued today, without changing any of them.

Rules may be added, and registers corrected, after fines were issued. A supervisor decides about the
results; no fine is cancelled automatically.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from chassis.db import Database
from chassis.identity import Caller
from chassis.transaction import Scope

from fines.model.fine import Fine
from fines.model.holds import Hold
from fines.model.refusals import VehicleRegisterAway, ViolationMissing
from fines.storage import fines
from fines.usecases.conflicts import Conflict, Record, conflicts_of
from fines.usecases.inquiry import Facts, Inquiry, Ownership

PURPOSE = "recheck-fine"
# Fines are compared over all regions; the caller is shown only those of his own.
COMPARING = Scope("system", "system", ("*",), purpose=PURPOSE)
PAGE_SIZE = 20
AT_ONCE = 4


@dataclass(frozen=True)
class Rechecked:
    """An issued fine, the holds (reasons why it would not be issued today) and the numbers of the
    fines that it conflicts with. `remaining` is the number of fines that the run has not yet
    checked."""

    fine: Fine
    holds: tuple[Hold, ...]
    conflicts: tuple[str, ...]
    remaining: int = 0


class Recheck:
    """Checks issued fines again by the present rules against wrong fines."""

    def __init__(self, db: Database, inquiry: Inquiry) -> None:
        self._db = db
        self._inquiry = inquiry

    async def issued(self, region: str, after: str, caller: Caller) -> AsyncIterator[Rechecked]:
        """Check every fine that was issued and is not cancelled, and yield the results. Only fines
        with a number above `after` are checked, in order of number. A region of "" means all
        regions. Raises VehicleRegisterAway if the vehicle register is unavailable."""
        async with self._db.begin(caller.scope) as tx:
            remaining = await fines.count_issued(tx, region, after)
        while page := await self._page(region, after, caller):
            for start in range(0, len(page), AT_ONCE):
                batch = page[start : start + AT_ONCE]
                for found in await asyncio.gather(*map(self._check, batch)):
                    remaining = max(0, remaining - 1)
                    yield replace(found, remaining=remaining)
            after = page[-1].number

    async def _page(self, region: str, after: str, caller: Caller) -> list[Fine]:
        """Return the next fines and record in the audit log that each is rechecked."""
        async with self._db.begin(caller.scope) as tx:
            page = await fines.issued_from(tx, region, after, PAGE_SIZE)
            for fine in page:
                tx.audit("recheck", f"fine:{fine.number}", region=fine.region)
        return page

    async def _check(self, fine: Fine) -> Rechecked:
        try:
            facts = await self._inquiry.facts(fine.violation_id, PURPOSE)
        except ViolationMissing:
            return Rechecked(fine, (Hold.VIOLATION_NOT_CONFIRMED,), ())
        ownership = await self._inquiry.owner_at_offence(facts.violation)
        if Hold.REGISTER_AWAY in ownership.holds:  # nothing can be said of this fine or the next
            raise VehicleRegisterAway
        differs, conflicts = await self._compare(fine, facts, ownership)
        beside = (found.hold for found in conflicts)
        holds = dict.fromkeys((*facts.holds, *ownership.holds, *differs, *beside))
        numbers = dict.fromkeys(number for found in conflicts for number in found.numbers)
        return Rechecked(fine, tuple(holds), tuple(numbers))

    async def _compare(
        self, fine: Fine, facts: Facts, ownership: Ownership
    ) -> tuple[tuple[Hold, ...], list[Conflict]]:
        """Compare the owner with the fined owner, and the violation with fines issued earlier.
        Returns holds and conflicts."""
        assert fine.particulars
        owner = ownership.registration
        async with self._db.begin(COMPARING) as tx:
            differs = owner is not None and (
                fines.owner_index(tx, owner.owner.number) != fine.particulars.owner_index
            )
            conflicts = []
            if facts.guards is not None:
                record = Record(
                    fine.number, fine.particulars.plate_index, facts.violation, facts.guards
                )
                conflicts = await conflicts_of(tx, record, lambda other: _came_before(other, fine))
        return (Hold.OWNER_DIFFERS,) * differs, conflicts


def _came_before(other: Fine, fine: Fine) -> bool:
    assert other.issued_at and fine.issued_at
    return (other.issued_at, other.number) < (fine.issued_at, fine.number)
