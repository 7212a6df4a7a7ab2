"""Issues the fine for a confirmed violation, delivers it, and takes the later steps that are due on
its legal dates.

Event consumers reserve or cancel a fine, and schedule its next step. For a step, a worker queries
other services outside of transactions and then decides in a single transaction. Each step is
idempotent: the fine's state shows whether the step is done.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from audit_log.decisions import Decision
from chassis import telemetry
from chassis.clock import Clock
from chassis.db import Database
from chassis.transaction import SYSTEM, Scope, Tx
from host.scheduler import WaitUntilDue
from law.articles import Article
from law.fine_dates import DayCount, LegalDates
from law.guards import Guards
from law.zone import almaty_day, start_of

from fines import events
from fines.letters import LetterTerms, cancellation_notice, discount_notice, prescription
from fines.model import ledger as rules
from fines.model.fine import Fine, State, new_number
from fines.model.guards import time_hold
from fines.model.holds import LOOKED_AT_AGAIN, Hold
from fines.model.law import Law
from fines.model.prescription import Particulars, particulars_of
from fines.model.refusals import OwnerErased, TableYearMissing, ViolationMissing
from fines.model.tariff import Amount
from fines.model.violation import ConfirmedViolation
from fines.storage import fines, ledger
from fines.storage.conflicts import claim_evidence
from fines.usecases.cancelling import ANNULLED, Cancellation, cancel_in
from fines.usecases.conflicts import ConflictFound, Record, claim
from fines.usecases.inquiry import Inquiry

LOOKED_AT_AGAIN_FIRST, LOOKED_AT_AGAIN_LAST = timedelta(seconds=30), timedelta(hours=1)
PURPOSE = "issue-fine"
ISSUING = Scope("system", "system", ("*",), purpose=PURPOSE)
DELIVERING = Scope("system", "system", ("*",), purpose="deliver-fine")


class Post(Protocol):
    async def deliver(self, name: str, letter: str) -> datetime:
        """Deliver the letter and return the time of delivery. `name` identifies the letter: a
        repeated call with the same name returns the time of the first delivery."""
        ...


class Seal(Protocol):
    def sign(self, content: str) -> str:
        """Return the letter with the authority's electronic signature inserted."""
        ...


@dataclass(frozen=True)
class Confirmed:
    """The event that a violation was confirmed, with the fields that this service reads.
    `report_id` is the citizen's report from which the violation comes, "" if a device detected it.
    """

    violation_id: str
    report_id: str
    region: str
    offence_code: str
    occurred_at: datetime
    confirmed_at: datetime


@dataclass(frozen=True)
class _Case:
    """The facts with which a fine without holds is issued."""

    violation: ConfirmedViolation
    article: Article
    guards: Guards
    particulars: Particulars


class Issuing:
    def __init__(
        self,
        db: Database,
        clock: Clock,
        law: Law,
        day_count: DayCount,
        *,
        inquiry: Inquiry,
        post: Post,
        seal: Seal,
    ) -> None:
        self._db = db
        self._clock = clock
        self._law = law
        self._day_count = day_count
        self._inquiry = inquiry
        self._post = post
        self._seal = seal

    async def note_confirmed(self, tx: Tx, confirmed: Confirmed, story: str) -> None:
        """Create the violation's fine and schedule its issue; do nothing if the violation already
        has a fine. `story` is the trace id of the whole case."""
        fine = Fine(
            number=new_number(),
            violation_id=confirmed.violation_id,
            report_id=confirmed.report_id,
            region=confirmed.region,
            story=story,
            offence_code=confirmed.offence_code,
            occurred_at=confirmed.occurred_at,
            confirmed_at=confirmed.confirmed_at,
        )
        if await fines.add(tx, fine, Decision("reserve")):
            await tx.schedule("issue", fine.number, due_at=self._clock())

    async def note_annulled(
        self,
        tx: Tx,
        violation_id: str,
        *,
        region: str,
        report_id: str,
        annulled_at: datetime,
        story: str,
    ) -> None:
        """Cancel the violation's fine. If there is no fine yet, store a cancelled one, so that a
        later confirmation creates none.

        `report_id` is as in `Confirmed`; `story` is the trace id of the whole case.
        """
        fine = await fines.get_of_violation_for_update(tx, violation_id)
        if fine is None:
            await self._add_tombstone(
                tx, violation_id, region=region, report_id=report_id, at=annulled_at, story=story
            )
        elif fine.state is not State.CANCELLED:
            await cancel_in(tx, fine, self._clock(), ANNULLED)

    async def _add_tombstone(
        self, tx: Tx, violation_id: str, *, region: str, report_id: str, at: datetime, story: str
    ) -> None:
        """Store a cancelled fine, so that a later confirmation creates no fine."""
        tombstone = Fine(
            number=new_number(),
            violation_id=violation_id,
            report_id=report_id,
            region=region,
            story=story,
            offence_code="",
            occurred_at=at,
            confirmed_at=at,
            state=State.CANCELLED,
        )
        annulled = Decision("cancel", {"cause": ANNULLED.cause})
        if not await fines.add(tx, tombstone, annulled):  # the confirmation came at the same moment
            fine = await fines.get_of_violation_for_update(tx, violation_id)
            assert fine is not None
            if fine.state is not State.CANCELLED:
                await cancel_in(tx, fine, self._clock(), ANNULLED)

    async def issue(self, number: str) -> None:
        """Scheduled step: query the other services, then issue the fine or store why it is not
        issued. If the stored reason may pass (LOOKED_AT_AGAIN), raises WaitUntilDue, so that the
        step is repeated."""
        fine = await self._read(number)
        if fine.state is not State.AWAITING:
            return
        case = await self._ask_peers(fine)
        # Asking took its time: the day that counts is the one on which the fine is issued.
        now = self._clock()
        late = self._time_hold(fine.occurred_at, now)
        if isinstance(case, Hold):
            await self._hold(number, case)
        elif late:
            await self._hold(number, late)
        else:
            await self._issue(number, case, now)

    async def deliver(self, number: str) -> None:
        """Scheduled step: send the letter and store the time of its delivery, from which all time
        limits are counted. If the letter is too late by law, cancel the fine instead."""
        async with self._db.begin(DELIVERING) as tx:
            fine = await fines.get(tx, number)
            particulars = await fines.open_particulars(tx, fine)
            tx.audit("deliver", f"fine:{number}", region=fine.region)
        if fine.state is not State.ISSUED:
            return
        telemetry.annotate(fine=number, violation=fine.violation_id)
        late = self._time_hold(fine.occurred_at, self._clock())
        if late:
            await self._withdraw(number, late)
            return
        if particulars is None:  # tried again until it is too late for a letter
            raise LookupError("the owner was erased before the letter was sent")
        # A table that lacks the year is found before the letter goes.
        foreseen = replace(fine, dates=self._dates_of(self._clock()))
        letter = prescription(
            fine,
            particulars,
            self._law.articles.at(fine.occurred_at).by_code[fine.offence_code],
            self._law.authorities[fine.region],
            LetterTerms(self._law.terms.at(self._clock()), self._day_count),
            foreseen.assumed_years,
        )
        delivered_at = await self._post.deliver(number, self._seal.sign(letter))
        async with self._db.begin(SYSTEM) as tx:
            fine = await fines.get_for_update(tx, number)
            if fine.state is State.CANCELLED:  # while the letter was on its way
                await tx.schedule("tell_cancelled", number, due_at=self._clock())
            if fine.state is not State.ISSUED:
                return
            dates = self._dates_of(delivered_at)
            delivered = fine.deliver(delivered_at, dates)
            await fines.save(tx, delivered, Decision("record_delivery"))
            tx.emit(events.fine_delivered(delivered))
            await tx.schedule("tell_discount_ended", number, dates.discount_over_at)
            await tx.schedule("come_into_force", number, due_at=start_of(dates.in_force_on))

    async def _withdraw(self, number: str, reason: str) -> None:
        """Cancel a fine whose letter was not sent within the term of KoAP Art. 822-1(3)."""
        async with self._db.begin(DELIVERING) as tx:
            fine = await fines.get_for_update(tx, number)
            if fine.state is not State.ISSUED:
                return
            await cancel_in(tx, fine, self._clock(), Cancellation(reason))
            # A letter may have gone although nobody could write that down any more.
            await tx.schedule("tell_cancelled", number, due_at=self._clock())

    async def come_into_force(self, number: str) -> None:
        """Scheduled step: mark the fine as in force. Raises WaitUntilDue until the last day for an
        appeal is over."""
        async with self._db.begin(SYSTEM) as tx:
            fine = await fines.get_for_update(tx, number)
            if fine.state is not State.DELIVERED:
                return
            in_force = fine.come_into_force()
            assert in_force.dates
            self._not_before(start_of(in_force.dates.in_force_on))
            await fines.save(tx, in_force, Decision("come_into_force"))
            tx.emit(events.fine_in_force(in_force))
            after = start_of(in_force.dates.voluntary_until + timedelta(days=1))
            await tx.reschedule("fall_overdue", number, due_at=after)

    async def fall_overdue(self, number: str) -> None:
        """Scheduled step: mark the fine as overdue. Raises WaitUntilDue until the last day for
        voluntary payment is over."""
        async with self._db.begin(SYSTEM) as tx:
            fine = await fines.get_for_update(tx, number)
            if fine.state is not State.IN_FORCE:
                return
            overdue = fine.fall_overdue()
            assert overdue.dates
            self._not_before(start_of(overdue.dates.voluntary_until + timedelta(days=1)))
            await fines.save(tx, overdue, Decision("fall_overdue"))
            tx.emit(events.fine_overdue(overdue))

    async def tell_discount_ended(self, number: str) -> None:
        """Scheduled step: if the fine is still DELIVERED, send the notice of KoAP Art. 823(1) that
        the discount has ended. Raises WaitUntilDue until the last day of the discount is over."""
        fine = await self._read(number)
        if fine.state is State.DELIVERED and fine.dates:
            self._not_before(fine.dates.discount_over_at)
            await self._post.deliver(f"{number}.discount-ended", discount_notice(fine))

    async def tell_cancelled(self, number: str) -> None:
        """Scheduled step: notify the owner that the fine is cancelled and nothing is owed.
        Scheduled only if the letter with the fine was sent or may have been sent."""
        async with self._db.begin(SYSTEM) as tx:
            fine = await fines.get(tx, number)
            payment = await ledger.payment_of_fine(tx, number)
        telemetry.annotate(fine=number, violation=fine.violation_id)
        await self._post.deliver(f"{number}.cancelled", cancellation_notice(fine, payment))

    async def record_evidence(self, number: str) -> None:
        """Scheduled step for old fines, issued before this service recorded frames as evidence:
        record the fine's frames, except those already recorded for another fine."""
        async with self._db.begin(ISSUING) as tx:
            particulars = await fines.open_particulars(tx, await fines.get(tx, number))
            if particulars is not None:
                await claim_evidence(tx, number, particulars.evidence_sha256)

    def work(self) -> dict[str, Callable[[str], Awaitable[None]]]:
        """Return the handlers of the scheduled steps by the step's name; each handler takes the
        number of a fine."""
        return {
            "issue": self.issue,
            "deliver": self.deliver,
            "come_into_force": self.come_into_force,
            "fall_overdue": self.fall_overdue,
            "tell_discount_ended": self.tell_discount_ended,
            "tell_cancelled": self.tell_cancelled,
            "record_evidence": self.record_evidence,
        }

    async def _read(self, number: str) -> Fine:
        async with self._db.begin(SYSTEM) as tx:
            fine = await fines.get(tx, number)
        telemetry.annotate(fine=number, violation=fine.violation_id)
        return fine

    async def _ask_peers(self, fine: Fine) -> _Case | Hold:
        """Return the first hold found or, without holds, the case. The first hold ends the
        queries."""
        hold = self._time_hold(fine.occurred_at, self._clock())
        if hold:
            return hold
        try:
            facts = await self._inquiry.facts(fine.violation_id, PURPOSE)
        except ViolationMissing:
            return Hold.VIOLATION_NOT_CONFIRMED
        hold = self._time_hold(facts.violation.occurred_at, self._clock()) or _first(facts.holds)
        if hold:
            return hold
        ownership = await self._inquiry.owner_at_offence(facts.violation)
        if ownership.holds:
            return ownership.holds[0]
        assert facts.article and facts.guards and ownership.registration
        particulars = particulars_of(facts.violation, ownership.registration)
        return _Case(facts.violation, facts.article, facts.guards, particulars)

    async def _hold(self, number: str, reason: Hold, conflicts: tuple[str, ...] = ()) -> None:
        async with self._db.begin(ISSUING) as tx:
            fine = await fines.get_for_update(tx, number)
            if fine.state is not State.AWAITING:
                return
            if (fine.hold_reason, fine.conflicts) != (reason, conflicts):
                await self._note_hold(tx, fine.held(reason, conflicts))
        if reason in LOOKED_AT_AGAIN:
            age = self._clock() - fine.occurred_at
            raise WaitUntilDue(min(max(age / 20, LOOKED_AT_AGAIN_FIRST), LOOKED_AT_AGAIN_LAST))

    async def _note_hold(self, tx: Tx, held: Fine) -> None:
        """Save the hold. A hold that needs a person is published, so that the region's
        supervisors are informed."""
        needs_a_person = held.conflicts or held.hold_reason not in LOOKED_AT_AGAIN
        if needs_a_person:
            held = held.next_version()
            tx.emit(events.fine_held(held, self._clock()))
        facts = {"reason": held.hold_reason, "conflicts": " ".join(held.conflicts)}
        await fines.save(tx, held, Decision("hold", facts))

    async def _issue(self, number: str, case: _Case, now: datetime) -> None:
        amount = self._amount_on(case.article, now)
        if amount is None:
            await self._hold(number, Hold.TABLE_YEAR_MISSING)
            return
        try:
            async with self._db.begin(ISSUING) as tx:
                fine = await fines.get_for_update(tx, number)
                if fine.state is State.AWAITING:
                    await self._issue_in(tx, fine, case, amount, now)
        except ConflictFound as found:
            await self._hold(number, found.conflict.hold, found.conflict.numbers)
        except OwnerErased:
            await self._hold(number, Hold.OWNER_ERASED)

    async def _issue_in(
        self, tx: Tx, fine: Fine, case: _Case, amount: Amount, now: datetime
    ) -> None:
        """Issue the fine in the caller's transaction. Raises ConflictFound or OwnerErased."""
        sealed = await fines.seal(tx, fine.number, case.particulars)
        await claim(tx, Record(fine.number, sealed.plate_index, case.violation, case.guards))
        issued = fine.issue(case.article, amount, sealed, now)
        posted = rules.on_issue(issued, now)
        tables = {
            "article": case.article.article,
            "tariff": amount.tariff_version,
            "guards": f"{case.guards.version}@sha256:{case.guards.sha256}",
        }
        decision = Decision("issue", tables, ledger.of_entries(posted))
        ledger.post(tx, posted, await fines.save(tx, issued, decision))
        tx.emit(events.fine_issued(issued))
        await tx.schedule("deliver", fine.number, due_at=now)

    def _time_hold(self, occurred_at: datetime, now: datetime) -> Hold:
        return time_hold(occurred_at, now, self._law.terms.at(now))

    def _amount_on(self, article: Article, now: datetime) -> Amount | None:
        """The amount if sent at `now`; None where a yearly table that the fine needs is missing."""
        try:
            self._dates_of(now)
            return self._law.amount(article, almaty_day(now))
        except TableYearMissing:
            return None

    def _dates_of(self, moment: datetime) -> LegalDates:
        return self._law.dates(moment, self._day_count)

    def _not_before(self, moment: datetime) -> None:
        if self._clock() < moment:
            raise WaitUntilDue(moment - self._clock())


def _first(holds: tuple[Hold, ...]) -> Hold:
    return holds[0] if holds else Hold.NONE
