"""What a cancellation posts, and what the notice to the payer says."""

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from fines.letters import cancellation_notice, tenge
from fines.model import ledger
from fines.model.fine import State
from fines.model.ledger import Entry, EntryKind, Payment, PaymentState, Refund, RefundReason

from .samples import AMOUNT, NOW, fine_in

FINE = fine_in(State.DELIVERED)
PAYMENT = Payment(
    payment_id=UUID(int=1),
    partner="kaspi",
    number=FINE.number,
    region=FINE.region,
    amount_minor=AMOUNT.discounted_minor,
    bank_reference="RRN123456",
    value_date=date(2026, 6, 5),
    posted_at=NOW,
    entry_id=UUID(int=2),
)
# An hour before midnight in Greenwich it is the next day in Almaty.
REFUND = Refund(
    UUID(int=3),
    AMOUNT.discounted_minor,
    datetime(2026, 6, 9, 23, tzinfo=UTC),
    RefundReason.FINE_CANCELLED,
)


def posted() -> tuple[Entry, ...]:
    paid = ledger.on_payment(FINE, paid_minor=AMOUNT.discounted_minor, bank="kaspi", now=NOW)
    return (*ledger.on_issue(fine_in(State.ISSUED), NOW), *paid)


def test_what_was_posted_last_is_taken_back_first() -> None:
    entries = posted()
    reversal = ledger.on_cancellation(FINE, entries, NOW)
    assert [entry.reverses for entry in reversal] == [entry.entry_id for entry in entries[::-1]]
    assert [entry.kind for entry in reversal] == [
        EntryKind.DISCOUNT,
        EntryKind.REFUND,
        EntryKind.CANCELLATION,
    ]


def test_the_refund_is_the_entry_that_takes_the_payment_back() -> None:
    reversal = ledger.on_cancellation(FINE, posted(), NOW)
    refund = ledger.refund_in(reversal, RefundReason.VIOLATION_ANNULLED)
    entry = reversal[1]
    assert refund == Refund(
        entry.entry_id, AMOUNT.discounted_minor, NOW, RefundReason.VIOLATION_ANNULLED
    )
    assert (entry.debit_account, entry.credit_account) == (
        f"receivable:{FINE.number}",
        "clearing:kaspi",
    )


def test_a_payment_is_refunded_once_it_has_a_refund() -> None:
    assert PAYMENT.state is PaymentState.POSTED
    assert replace(PAYMENT, refund=REFUND).state is PaymentState.REFUNDED


@pytest.mark.parametrize("language", ["kk", "ru"])
def test_the_payers_letter_names_amount_bank_moment_and_number_of_the_refund(
    language: str,
) -> None:
    letter = cancellation_notice(fine_in(State.CANCELLED), replace(PAYMENT, refund=REFUND))
    (paragraph,) = [line for line in letter.splitlines() if f'<p lang="{language}">' in line]
    for stated in (
        FINE.number,
        tenge(AMOUNT.discounted_minor),
        "«kaspi»",
        "2026-06-05",
        "RRN123456",
        "2026-06-10",
        str(REFUND.refund_id),
    ):
        assert stated in paragraph


def test_who_has_paid_nothing_is_told_of_no_refund() -> None:
    letter = cancellation_notice(fine_in(State.CANCELLED), None)
    assert FINE.number in letter
    assert "возвра" not in letter and "қайтар" not in letter
