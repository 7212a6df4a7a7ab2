"""The ledger against a plain dictionary: whatever happens in whatever order, it sums to zero."""

from datetime import timedelta

import hypothesis.strategies as st
from chassis.refusals import Refusal
from fines.model import ledger
from fines.model.fine import PAYABLE, Fine, State
from fines.model.ledger import Entry, EntryKind
from fines.model.refusals import MoveNotAllowed
from fines.model.tariff import Amount
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from .samples import ARTICLES, DATES, LAW, NOW, SEALED, fine_in

BANKS = ("kaspi", "halyk")
AFTER_DISCOUNT = DATES.discount_until + timedelta(days=1)

TERMS = LAW.terms.at(NOW)


class Ledger(RuleBasedStateMachine):
    """Fines move by the real rules; `truth` holds what each account must show."""

    def __init__(self) -> None:
        super().__init__()
        self.fines: dict[str, Fine] = {}
        self.entries: list[Entry] = []
        self.paid: dict[str, tuple[str, int]] = {}
        self.clearing = dict.fromkeys(BANKS, 0)
        self.let_off = self.cancelled = self.issued = 0

    @rule(amount=st.integers(2, 10**9))
    def issue(self, amount: int) -> None:
        number = f"{len(self.fines):015d}"
        article = ARTICLES["RED_LIGHT"]
        fine = fine_in(State.AWAITING, number=number).issue(
            article, Amount(amount, TERMS.discounted(amount), 1, 1, "t"), SEALED, NOW
        )
        self.fines[number] = fine
        self.entries += ledger.on_issue(fine, NOW)
        self.issued += amount

    @rule(pick=st.integers(0, 10**6))
    def deliver(self, pick: int) -> None:
        self._move(pick, lambda fine: fine.deliver(NOW, DATES))

    @rule(pick=st.integers(0, 10**6))
    def come_into_force(self, pick: int) -> None:
        self._move(pick, Fine.come_into_force)

    @rule(pick=st.integers(0, 10**6))
    def fall_overdue(self, pick: int) -> None:
        self._move(pick, Fine.fall_overdue)

    @rule(pick=st.integers(0, 10**6), bank=st.sampled_from(BANKS), late=st.booleans())
    def pay(self, pick: int, bank: str, late: bool) -> None:
        fine = self._pick(pick)
        if fine is None:
            return
        was_payable = fine.state in PAYABLE
        try:
            paid = fine.pay()
        except Refusal:
            assert not was_payable
            return
        assert was_payable and fine.amount
        due = fine.due_on(AFTER_DISCOUNT if late else DATES.discount_until)
        self.entries += ledger.on_payment(fine, paid_minor=due, bank=bank, now=NOW)
        self.fines[fine.number] = paid
        self.paid[fine.number] = (bank, due)
        self.clearing[bank] += due
        self.let_off += fine.amount.full_minor - due

    @rule(pick=st.integers(0, 10**6))
    def cancel(self, pick: int) -> None:
        fine = self._pick(pick)
        if fine is None or fine.state is State.CANCELLED:
            return
        posted = [entry for entry in self.entries if entry.number == fine.number]
        reversal = ledger.on_cancellation(fine, posted, NOW)
        assert fine.amount
        if fine.number in self.paid:
            bank, due = self.paid[fine.number]
            self.clearing[bank] -= due
            self.let_off -= fine.amount.full_minor - due
            assert [entry.amount_minor for entry in reversal if entry.kind is EntryKind.REFUND] == [
                due
            ]
        self.cancelled += fine.amount.full_minor
        self.entries += reversal
        self.fines[fine.number] = fine.cancel()

    @invariant()
    def sums_to_zero(self) -> None:
        accounts = {entry.debit_account for entry in self.entries}
        accounts |= {entry.credit_account for entry in self.entries}
        assert sum(ledger.balance(account, self.entries) for account in accounts) == 0

    @invariant()
    def a_receivable_is_what_its_fine_owes(self) -> None:
        for fine in self.fines.values():
            account = ledger.receivable(fine.number)
            assert ledger.balance(account, self.entries) == ledger.owed(fine)

    @invariant()
    def accounts_show_what_happened(self) -> None:
        for bank, held in self.clearing.items():
            assert ledger.balance(f"clearing:{bank}", self.entries) == held
        assert ledger.balance("discounts", self.entries) == self.let_off
        assert ledger.balance("cancellations", self.entries) == self.cancelled
        assert ledger.balance("treasury:KZ-75", self.entries) == -self.issued

    @invariant()
    def an_entry_is_taken_back_at_most_once(self) -> None:
        reversed_ids = [entry.reverses for entry in self.entries if entry.reverses]
        assert len(reversed_ids) == len(set(reversed_ids))

    def _pick(self, pick: int) -> Fine | None:
        numbers = sorted(self.fines)
        return self.fines[numbers[pick % len(numbers)]] if numbers else None

    def _move(self, pick: int, move: object) -> None:
        fine = self._pick(pick)
        if fine is None:
            return
        try:
            self.fines[fine.number] = move(fine)  # type: ignore[operator]
        except MoveNotAllowed:
            return


Ledger.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestLedger = Ledger.TestCase
