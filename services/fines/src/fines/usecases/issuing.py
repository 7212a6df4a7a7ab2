"""From a confirmed violation to a delivered fine, and what its dates bring by themselves.

A consumer only writes down that there is something to do; a worker asks the peers outside of any
transaction; one transaction decides. Each step may run again: the state says whether it is done.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from chassis import telemetry
from chassis.clock import Clock
from chassis.db import SYSTEM, Database, Scope, Tx
from chassis.scheduler import WaitUntilDue

from fines import events
from fines.lawbooks import Lawbooks
from fines.letters import cancellation_notice, discount_notice, prescription
from fines.model import ledger as rules
from fines.model.days import DayCount, LegalDates, almaty_day, legal_dates, start_of
from fines.model.fine import Fine, State
from fines.model.identifiers import new_number, normalised_plate
from fines.model.prescription import (
    ASKED_AGAIN,
    REGISTER_AWAY,
    ConfirmedViolation,
    Particulars,
    Registration,
    particulars_of,
    why_not_in_time,
    why_not_prescribed,
    why_not_the_owner,
)
from fines.model.prescription import TABLE_YEAR_MISSING as YEAR_MISSING_HOLD
from fines.model.refusals import RegisterAway, TableYearMissing
from fines.model.tariff import Amount, Article
from fines.storage import fines, ledger
from fines.usecases.cancelling import cancel_in

ASKED_AGAIN_FIRST, ASKED_AGAIN_LAST = timedelta(seconds=30), timedelta(hours=1)
ISSUING = Scope("system", "system", ("*",), purpose="issue-fine")
DELIVERING = Scope("system", "system", ("*",), purpose="deliver-fine")


class ViolationsPeer(Protocol):
    async def violation(self, violation_id: str) -> ConfirmedViolation: ...


class VehicleRegister(Protocol):
    async def registrations(self, plate: str) -> tuple[Registration, ...]:
        """Raises RegisterAway."""
        ...


class Post(Protocol):
    async def deliver(self, name: str, letter: str) -> datetime:
        """When it was delivered; the same letter again is the same delivery."""
        ...


class Seal(Protocol):
    def sign(self, content: str) -> str: ...


@dataclass(frozen=True)
class Confirmed:
    """What the event of a confirmation tells."""

    violation_id: str
    report_id: str
    region: str
    offence_code: str
    occurred_at: datetime
    confirmed_at: datetime


@dataclass(frozen=True)
class _Finding:
    """What the peers answered: a hold by name, or everything that issuing needs."""

    hold: str
    article: Article | None = None
    particulars: Particulars | None = None


class Issuing:
    def __init__(
        self,
        db: Database,
        clock: Clock,
        lawbooks: Lawbooks,
        day_count: DayCount,
        *,
        violations: ViolationsPeer,
        register: VehicleRegister,
        post: Post,
        seal: Seal,
    ) -> None:
        self._db = db
        self._clock = clock
        self._lawbooks = lawbooks
        self._day_count = day_count
        self._violations = violations
        self._register = register
        self._post = post
        self._seal = seal

    async def note_confirmed(self, tx: Tx, confirmed: Confirmed, story: str) -> None:
        """A violation has one fine, however often it is told, and none after an annulment."""
        fine = Fine(
            number=new_number(),
            violation_id=confirmed.violation_id,
            report_id=confirmed.report_id,
            region=confirmed.region,
            story=story,
            offence_code=confirmed.offence_code,
            occurred_at=confirmed.occurred_at,
        )
        if await fines.add(tx, fine, confirmed.confirmed_at):
            await tx.schedule("issue", fine.number, due_at=self._clock())

    async def note_annulled(
        self, tx: Tx, violation_id: str, *, region: str, report_id: str, annulled_at: datetime,
        story: str,
    ) -> None:  # fmt: skip
        fine = await fines.of_violation_for_update(tx, violation_id)
        if fine is None:
            await self._bury_before_birth(
                tx, violation_id, region=region, report_id=report_id, at=annulled_at, story=story
            )
        elif fine.state is not State.CANCELLED:
            await cancel_in(tx, fine, self._clock())
            facts = {"cause": "annulled"}
            tx.audit("cancel", f"fine:{fine.number}", region=fine.region, facts=facts)

    async def _bury_before_birth(
        self, tx: Tx, violation_id: str, *, region: str, report_id: str, at: datetime, story: str
    ) -> None:
        """A tombstone: should the confirmation come after all, it finds the place taken."""
        tombstone = Fine(
            number=new_number(),
            violation_id=violation_id,
            report_id=report_id,
            region=region,
            story=story,
            offence_code="",
            occurred_at=at,
            state=State.CANCELLED,
        )
        if not await fines.add(tx, tombstone, at):  # the confirmation came at the same moment
            fine = await fines.of_violation_for_update(tx, violation_id)
            assert fine is not None
            if fine.state is not State.CANCELLED:
                await cancel_in(tx, fine, self._clock())

    async def issue(self, number: str) -> None:
        """Work: asks the peers, then issues or holds by name."""
        fine = await self._read(number)
        if fine.state is not State.AWAITING:
            return
        hold = why_not_in_time(fine.occurred_at, self._clock())
        finding = _Finding(hold) if hold else await self._ask_peers(fine)
        # Asking took its time: the day that counts is the one on which the fine is issued.
        now = self._clock()
        hold = finding.hold or why_not_in_time(fine.occurred_at, now)
        if hold:
            await self._hold(number, hold)
        else:
            assert finding.article and finding.particulars
            await self._issue(number, finding.article, finding.particulars, now)

    async def deliver(self, number: str) -> None:
        """Work: sends the letter; the moment of delivery starts every term."""
        async with self._db.begin(DELIVERING) as tx:
            fine = await fines.get(tx, number)
            particulars = await fines.open_particulars(tx, fine)
            tx.audit("deliver", f"fine:{number}", region=fine.region)
        if fine.state is not State.ISSUED:
            return
        if particulars is None:
            raise LookupError("the owner was erased before the letter went")
        telemetry.annotate(fine=number, violation=fine.violation_id)
        late = why_not_in_time(fine.occurred_at, self._clock())
        if late:
            await self._withdraw(number, late)
            return
        # A table that lacks the year is found before the letter goes.
        foreseen = replace(fine, dates=self._dates_of(self._clock()))
        letter = prescription(
            fine,
            particulars,
            self._lawbooks.tariff.articles[fine.offence_code],
            self._lawbooks.authorities[fine.region],
            self._day_count,
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
            await fines.save(tx, delivered)
            tx.emit(events.fine_delivered(delivered))
            the_day_after = start_of(dates.discount_until + timedelta(days=1))
            await tx.schedule("tell_discount_ended", number, due_at=the_day_after)
            await tx.schedule("come_into_force", number, due_at=start_of(dates.in_force_on))

    async def _withdraw(self, number: str, reason: str) -> None:
        """Art. 822-1(3) counts until it is sent: what could not go in time is taken back unsent."""
        async with self._db.begin(DELIVERING) as tx:
            fine = await fines.get_for_update(tx, number)
            if fine.state is not State.ISSUED:
                return
            await cancel_in(tx, fine, self._clock())
            # A letter may have gone although nobody could write that down any more.
            await tx.schedule("tell_cancelled", number, due_at=self._clock())
            facts = {"cause": reason}
            tx.audit("cancel", f"fine:{number}", region=fine.region, facts=facts)

    async def come_into_force(self, number: str) -> None:
        """Work, at the start of the day on which the appeal term has run out."""
        async with self._db.begin(SYSTEM) as tx:
            fine = await fines.get_for_update(tx, number)
            if fine.state is not State.DELIVERED:
                return
            in_force = fine.come_into_force()
            assert in_force.dates
            self._not_before(start_of(in_force.dates.in_force_on))
            await fines.save(tx, in_force)
            tx.emit(events.fine_in_force(in_force))
            after = start_of(in_force.dates.voluntary_until + timedelta(days=1))
            await tx.reschedule("fall_overdue", number, due_at=after)

    async def fall_overdue(self, number: str) -> None:
        """Work, when the term of voluntary payment is over."""
        async with self._db.begin(SYSTEM) as tx:
            fine = await fines.get_for_update(tx, number)
            if fine.state is not State.IN_FORCE:
                return
            overdue = fine.fall_overdue()
            assert overdue.dates
            self._not_before(start_of(overdue.dates.voluntary_until + timedelta(days=1)))
            await fines.save(tx, overdue)
            tx.emit(events.fine_overdue(overdue))

    async def tell_discount_ended(self, number: str) -> None:
        """Work: Art. 823(1), the owner is told that the whole sum is due again."""
        fine = await self._read(number)
        if fine.state is State.DELIVERED:
            await self._post.deliver(f"{number}.discount-ended", discount_notice(fine))

    async def tell_cancelled(self, number: str) -> None:
        """Work: whoever had the letter learns that nothing is owed."""
        fine = await self._read(number)
        await self._post.deliver(f"{number}.cancelled", cancellation_notice(fine))

    def work(self) -> dict[str, Callable[[str], Awaitable[None]]]:
        return {
            "issue": self.issue,
            "deliver": self.deliver,
            "come_into_force": self.come_into_force,
            "fall_overdue": self.fall_overdue,
            "tell_discount_ended": self.tell_discount_ended,
            "tell_cancelled": self.tell_cancelled,
        }

    async def _read(self, number: str) -> Fine:
        async with self._db.begin(SYSTEM) as tx:
            fine = await fines.get(tx, number)
        telemetry.annotate(fine=number, violation=fine.violation_id)
        return fine

    async def _ask_peers(self, fine: Fine) -> _Finding:
        violation = await self._violations.violation(fine.violation_id)
        assert violation.violation_id == fine.violation_id
        occurred_on = almaty_day(violation.occurred_at)
        article = self._lawbooks.tariff.article_on(violation.offence_code, occurred_on)
        hold = why_not_in_time(violation.occurred_at, self._clock()) or why_not_prescribed(
            violation, article
        )
        if hold:
            return _Finding(hold)
        plate = normalised_plate(violation.plate)
        assert plate is not None
        try:
            found = await self._register.registrations(plate)
        except RegisterAway:
            return _Finding(REGISTER_AWAY)
        hold = why_not_the_owner(found)
        if hold:
            return _Finding(hold)
        return _Finding("", article, particulars_of(violation, found[0]))

    async def _hold(self, number: str, reason: str) -> None:
        async with self._db.begin(ISSUING) as tx:
            fine = await fines.get_for_update(tx, number)
            if fine.state is not State.AWAITING:
                return
            if fine.hold_reason != reason:
                await fines.save(tx, fine.held(reason))
                tx.audit("hold", f"fine:{number}", region=fine.region, facts={"reason": reason})
        if reason in ASKED_AGAIN:
            age = self._clock() - fine.occurred_at
            raise WaitUntilDue(min(max(age / 20, ASKED_AGAIN_FIRST), ASKED_AGAIN_LAST))

    async def _issue(
        self, number: str, article: Article, particulars: Particulars, now: datetime
    ) -> None:
        amount = self._amount_on(article, now)
        if amount is None:
            await self._hold(number, YEAR_MISSING_HOLD)
            return
        async with self._db.begin(ISSUING) as tx:
            fine = await fines.get_for_update(tx, number)
            if fine.state is not State.AWAITING:
                return
            sealed = await fines.seal(tx, number, particulars)
            issued = fine.issue(article, amount, sealed, now)
            await fines.save(tx, issued)
            await ledger.post(tx, rules.on_issue(issued, now))
            tx.emit(events.fine_issued(issued))
            facts = {"article": article.article, "tariff": amount.tariff_version}
            tx.audit("issue", f"fine:{number}", region=fine.region, facts=facts)
            await tx.schedule("deliver", number, due_at=now)

    def _amount_on(self, article: Article, now: datetime) -> Amount | None:
        """None where a yearly table that this fine will need is missing."""
        try:
            self._dates_of(now)
            return self._lawbooks.tariff.amount(article, almaty_day(now))
        except TableYearMissing:
            return None

    def _dates_of(self, moment: datetime) -> LegalDates:
        return legal_dates(almaty_day(moment), self._lawbooks.calendar, self._day_count)

    def _not_before(self, moment: datetime) -> None:
        if self._clock() < moment:
            raise WaitUntilDue(moment - self._clock())
