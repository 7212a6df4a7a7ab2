"""Recomputes the legal dates of open fines (delivered, in force or overdue) with today's calendars.
Each fine has a transaction of its own.

Run this (`tartip fines redate`) after a calendar was corrected. The run may be interrupted and
repeated.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from audit_log.decisions import Decision
from chassis.clock import Clock
from chassis.db import Database
from chassis.identity import Caller
from chassis.transaction import Scope, Tx
from law.refusals import TableYearMissing
from law.zone import almaty_day, start_of

from fines import events
from fines.model.fine import Fine, State
from fines.model.law import Law
from fines.model.redating import changed_terms, redated
from fines.storage import fines, open_fines

PURPOSE = "redate-fines"
PAGE = 200


@dataclass(frozen=True)
class Redated:
    """A fine before and after its legal dates were recomputed. If that failed, `refusal` is the
    reason, otherwise "". `remaining` is the number of fines that the run has not yet processed."""

    before: Fine
    after: Fine
    remaining: int
    refusal: str = ""


class Redating:
    """Recomputes the legal dates of open fines by the present calendars."""

    def __init__(self, db: Database, clock: Clock, law: Law) -> None:
        self._db = db
        self._clock = clock
        self._law = law

    async def run(self, after: str, caller: Caller, *, dry_run: bool) -> AsyncIterator[Redated]:
        """Recompute the legal dates of every open fine with a number above `after`, in order of
        number. Yield a result for each fine; fines paid or cancelled meanwhile are left out. With
        `dry_run`, nothing is saved."""
        scope = Scope("system", caller.name, ("*",), purpose=caller.purpose or PURPOSE)
        async with self._db.begin(scope) as tx:
            remaining = await open_fines.count(tx, after)
        while page := await self._page(after, scope):
            for number in page:
                remaining = max(0, remaining - 1)
                found = await self._redate(number, scope, remaining, dry_run=dry_run)
                if found:
                    yield found
            after = page[-1]

    async def _page(self, after: str, scope: Scope) -> list[str]:
        async with self._db.begin(scope) as tx:
            return await open_fines.numbers(tx, after, PAGE)

    async def _redate(
        self, number: str, scope: Scope, remaining: int, *, dry_run: bool
    ) -> Redated | None:
        async with self._db.begin(scope) as tx:
            fine = await open_fines.get_for_update(tx, number)
            if fine is None:  # paid or cancelled since
                return None
            today = almaty_day(self._clock())
            try:
                again = redated(fine, self._law.calendar, self._law.terms, today)
            except TableYearMissing as missing:
                return Redated(fine, fine, remaining, refusal=missing.reason)
            if again is not fine and not dry_run:
                await self._save(tx, fine, again)
            return Redated(fine, again, remaining)

    async def _save(self, tx: Tx, before: Fine, after: Fine) -> None:
        assert before.dates and after.dates
        facts = changed_terms(before.dates, after.dates)
        facts |= {"calendar": after.dates.calendar_version, "state": after.state.value}
        await fines.save(tx, after, Decision("redate", facts))
        tx.emit(events.fine_redated(after, self._clock()))
        await self._schedule(tx, after)

    async def _schedule(self, tx: Tx, fine: Fine) -> None:
        """Reschedule the steps that depend on the dates, including steps that have already run."""
        assert fine.dates
        if fine.state is State.IN_FORCE:
            over = start_of(fine.dates.voluntary_until + timedelta(days=1))
            await tx.reschedule("fall_overdue", fine.number, due_at=over)
        if fine.state is State.DELIVERED:
            in_force = start_of(fine.dates.in_force_on)
            await tx.reschedule("come_into_force", fine.number, due_at=in_force)
            whole_sum = fine.dates.discount_over_at
            if whole_sum > self._clock():
                await tx.reschedule("tell_discount_ended", fine.number, due_at=whole_sum)
