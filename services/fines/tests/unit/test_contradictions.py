"""Where a fine, its ledger and its payments do not add up, the difference is said with sums."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from fines.model import ledger as rules
from fines.model.fine import Fine, State
from fines.model.ledger import Entry, Payment, contradictions

from .samples import AMOUNT, DATES, NOW, fine_in

Case = tuple[Fine, list[Entry], list[Payment]]


@pytest.fixture
def paid() -> Case:
    """A fine that was paid with the discount."""
    fine = fine_in(State.ISSUED)
    money = rules.on_payment(fine, paid_minor=AMOUNT.discounted_minor, bank="kaspi", now=NOW)
    payment = Payment(
        payment_id=UUID(int=1),
        partner="kaspi",
        number=fine.number,
        region=fine.region,
        amount_minor=AMOUNT.discounted_minor,
        bank_reference="RRN1",
        value_date=DATES.delivered_on,
        posted_at=NOW,
        entry_id=money[0].entry_id,
    )
    entries = [*rules.on_issue(fine, NOW), *money]
    return replace(fine, state=State.PAID), entries, [payment]


def test_what_adds_up_contradicts_nothing(paid: Case) -> None:
    fine, entries, payments = paid
    assert list(contradictions(*paid)) == []
    assert list(contradictions(replace(fine, state=State.ISSUED), entries[:1], [])) == []
    reversal = rules.on_cancellation(fine, entries, NOW)
    refund = rules.refund_in(reversal, rules.RefundReason.FINE_CANCELLED)
    cancelled = replace(fine, state=State.CANCELLED)
    refunded = [replace(payments[0], refund=refund)]
    assert list(contradictions(cancelled, [*entries, *reversal], refunded)) == []


FORGERIES: dict[str, tuple[Callable[[Case], Case], str]] = {
    "doubled": (
        lambda case: (case[0], case[1], case[2] * 2),
        "paid: 6487.50 KZT in the ledger, its records say 12975.00 KZT",
    ),
    "gone": (
        lambda case: (case[0], case[1], []),
        "paid: 6487.50 KZT in the ledger, its records say 0.00 KZT",
    ),
    "other bank": (
        lambda case: (case[0], case[1], [replace(case[2][0], partner="halyk")]),
        f"payment {UUID(int=1)} has no entry of its amount and bank",
    ),
    "unpaid": (
        lambda case: (replace(case[0], state=State.IN_FORCE), case[1], case[2]),
        "the receivable: 0.00 KZT in the ledger, the fine says 12975.01 KZT",
    ),
    "smaller": (
        lambda case: (replace(case[0], amount=replace(AMOUNT, full_minor=700_000)), *case[1:]),
        "issued: 12975.01 KZT in the ledger, the fine says 7000.00 KZT",
    ),
}


@pytest.mark.parametrize(("forge", "said"), FORGERIES.values(), ids=FORGERIES)
def test_a_forgery_is_said_with_its_sums(
    paid: Case, forge: Callable[[Case], Case], said: str
) -> None:
    assert said in list(contradictions(*forge(paid)))
