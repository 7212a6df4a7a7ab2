"""The banks' use cases: ask for the amount due, pay a fine at most once, and read the bank's own
payments."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from audit_log.decisions import Decision
from chassis import telemetry
from chassis.clock import Clock
from chassis.db import Database, RowExists, canonical_json
from chassis.identity import Caller
from chassis.pages import PageSpec
from chassis.refusals import checks
from law.zone import almaty_day

from fines import events
from fines.model import ledger as rules
from fines.model.fine import Fine
from fines.model.ledger import Entry, EntryKind, Payment
from fines.model.refusals import (
    AmountDiffers,
    BankReferenceReused,
    FineNotFound,
)
from fines.storage import fines, ledger

# A bank posts within two working days; the longest holidays and an outage fit in between.
VALUE_DATE_AGE_DAYS_MAX = 10  # tidy: what this system takes from banks, not a term


@dataclass(frozen=True)
class Quote:
    """What a fine costs, in tiyn: `now_minor` up to and including the day `until`, then
    `later_minor`. `until` is None if no discount applies."""

    number: str
    now_minor: int
    until: date | None
    later_minor: int
    quoted_at: datetime


@dataclass(frozen=True)
class PaymentOrder:
    """A bank's order to pay a fine. A repeated payment id is accepted only with identical
    content."""

    payment_id: UUID
    number: str
    amount_minor: int
    currency: str
    bank_reference: str
    value_date: date

    def content(self) -> bytes:
        """Return all fields except the payment id as canonical JSON."""
        return canonical_json(
            {
                "rpc": "PayFine",
                "number": self.number,
                "amount_minor": str(self.amount_minor),
                "currency": self.currency,
                "bank_reference": self.bank_reference,
                "value_date": self.value_date.isoformat(),
            }
        )


class PaymentDesk:
    """The use cases of banks that pay fines."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def quote(self, number: str, caller: Caller) -> Quote:
        """Return the amount due now and the full amount, in tiyn. While a discount applies, also
        return its last day. Raises FineNotFound, FineAlreadyPaid, FineCancelled or
        FineNotPayable."""
        fine = await fines.find_alone(
            self._db, fines.scope_of_key(caller.scope, "number", number), number
        )
        async with self._db.begin(caller.scope, shared=True) as tx:
            facts = {"found": "1" if fine else "0"}
            tx.audit("quote", f"fine:{number}", region=fine.region if fine else "", facts=facts)
        if fine is None:
            raise FineNotFound
        telemetry.bind_story(fine.story)
        fine.pay()  # raises what stands against a payment now
        assert fine.amount and fine.dates
        now = self._clock()
        due, full = fine.due_on(almaty_day(now)), fine.amount.full_minor
        until = fine.dates.discount_until if due < full else None
        return Quote(number, due, until, full, now)

    async def pay(self, order: PaymentOrder, caller: Caller) -> Payment:
        """Post the payment and return it; a repeated order returns the first payment.

        The checks raise, in this order: IdReused, FineNotFound, FineAlreadyPaid, FineCancelled,
        FineNotPayable, BadRequest (value date), AmountDiffers, BankReferenceReused.
        """
        scope = fines.scope_of_key(caller.scope, "number", order.number)
        try:
            async with self._db.begin(scope) as tx:
                if not await tx.once(caller.key, order.payment_id, order.content()):
                    return await ledger.get_payment(tx, caller.name, order.payment_id)
                fine = await fines.get_for_update(tx, order.number)
                telemetry.bind_story(fine.story)
                paid = fine.pay()
                self._check_due(fine, order)
                earlier = await ledger.entries_of(tx, fine.number)
                posted = self._entries(fine, order, caller.name, earlier)
                payment = _payment(fine, order, caller.name, posted[0])
                beside = ledger.of_entries((*earlier, *posted))
                beside[rules.PAYMENT] = ledger.payment_row(payment)
                facts = {"payment": str(order.payment_id)}
                audited = await fines.save(tx, paid, Decision("pay", facts, beside))
                ledger.post(tx, posted, audited)
                ledger.add_payment(tx, payment, audited)
                tx.emit(events.fine_paid(paid, payment))
        except RowExists as error:
            if error.key != ledger.BANK_REFERENCE_KEY:
                raise
            raise BankReferenceReused from None
        return payment

    async def payment(self, payment_id: UUID, caller: Caller) -> Payment:
        """Return the caller's payment. Raises PaymentNotFound, also for a payment of another
        bank."""
        async with self._db.begin(caller.scope) as tx:
            payment = await ledger.get_payment(tx, caller.name, payment_id)
            tx.audit("read_payment", f"payment:{payment_id}", region=payment.region)
        return payment

    async def payments(
        self, spec: PageSpec, wanted: ledger.PaymentFilter, caller: Caller
    ) -> tuple[list[Payment], list[tuple[str, ...]]]:
        """Return a page of the caller's payments that meet `wanted`, the latest posted first. Also
        return each payment's key for keyset pagination."""
        async with self._db.begin(caller.scope) as tx:
            found, keys = await ledger.payments_page(tx, spec, caller.name, wanted)
            tx.audit("list_payments", "payments", facts={"found": str(len(found))})
        return found, keys

    def _check_due(self, fine: Fine, order: PaymentOrder) -> None:
        assert fine.dates
        today = almaty_day(self._clock())
        earliest = max(fine.dates.delivered_on, today - timedelta(days=VALUE_DATE_AGE_DAYS_MAX))
        with checks() as check:
            check.that(
                earliest <= order.value_date <= today,
                "value_date",
                f"must be between {earliest} and {today}",
                code="VALUE_DATE_WRONG",
            )
        due = fine.due_on(order.value_date)
        if order.amount_minor != due:
            raise AmountDiffers(facts={"amount_due_minor": str(due)})

    def _entries(
        self, fine: Fine, order: PaymentOrder, bank: str, earlier: tuple[Entry, ...]
    ) -> tuple[Entry, ...]:
        posted = rules.on_payment(fine, paid_minor=order.amount_minor, bank=bank, now=self._clock())
        assert posted[0].kind is EntryKind.PAYMENT
        assert rules.balance(rules.receivable(fine.number), (*earlier, *posted)) == 0
        return posted


def _payment(fine: Fine, order: PaymentOrder, bank: str, entry: Entry) -> Payment:
    """Return the payment that carries out `order`; `entry` is the ledger entry of the money."""
    return Payment(
        payment_id=order.payment_id,
        partner=bank,
        number=fine.number,
        region=fine.region,
        amount_minor=order.amount_minor,
        bank_reference=order.bank_reference,
        value_date=order.value_date,
        posted_at=entry.posted_at,
        entry_id=entry.entry_id,
    )
