"""The ledger: immutable double entries in integer tiyn (1/100 tenge), corrected only by reversal.

Accounts: `receivable:<number>` is what is owed for the fine with this number. `treasury:<region>`
is the revenue from fines. `clearing:<bank>` is what a bank has collected and owes the treasury.
`discounts` and `cancellations` are the amounts that need not be paid.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from audit_log.record_kinds import RecordKind
from chassis.clock import new_id

from fines.model.fine import OWED, Fine

# What decisions about a fine's money cover: a payment, its refund, and all the fine's entries.
PAYMENT = RecordKind(
    "payment",
    (
        *("partner", "payment_id", "number", "region", "amount_minor", "bank_reference"),
        *("value_date", "posted_at", "entry_id"),
    ),
)
REFUND = RecordKind(
    "refund",
    ("partner", "payment_id", "region", "refund_id", "amount_minor", "refunded_at", "reason"),
)
LEDGER = RecordKind("ledger", ("entries",))
ENTRY_FIELDS = (
    *("entry_id", "number", "region", "kind", "debit_account", "credit_account"),
    *("amount_minor", "posted_at", "reverses"),
)


class EntryKind(Enum):
    """What an entry of the ledger records."""

    ISSUE = "issue"
    PAYMENT = "payment"
    DISCOUNT = "discount"
    CANCELLATION = "cancellation"
    REFUND = "refund"


@dataclass(frozen=True)
class Entry:
    """An entry of the double-entry ledger: an amount in tiyn, which is debited to one account and
    credited to another."""

    entry_id: UUID
    number: str
    region: str
    kind: EntryKind
    debit_account: str
    credit_account: str
    amount_minor: int
    posted_at: datetime
    # The entry that this one reverses.
    reverses: UUID | None = None

    def __post_init__(self) -> None:
        assert self.amount_minor > 0
        assert self.debit_account != self.credit_account


class RefundReason(Enum):
    """Why a payment was refunded; the values are codes of the contract with banks."""

    VIOLATION_ANNULLED = "VIOLATION_ANNULLED"
    FINE_CANCELLED = "FINE_CANCELLED"


@dataclass(frozen=True)
class Refund:
    """The repayment of a fine to the payer, through the bank that took the payment."""

    refund_id: UUID
    amount_minor: int
    refunded_at: datetime
    reason: RefundReason


class PaymentState(Enum):
    """Whether the money of a payment was kept, or given back."""

    POSTED = "posted"
    REFUNDED = "refunded"


@dataclass(frozen=True)
class Payment:
    """The payment of a fine through a bank, `partner`. The amount is in tiyn, and `value_date` is
    the day on which the payer's money was taken."""

    payment_id: UUID
    partner: str
    number: str
    region: str
    amount_minor: int
    bank_reference: str
    value_date: date
    posted_at: datetime
    entry_id: UUID
    refund: Refund | None = None

    @property
    def state(self) -> PaymentState:
        """REFUNDED if there is a refund, else POSTED."""
        return PaymentState.REFUNDED if self.refund else PaymentState.POSTED


def receivable(number: str) -> str:
    """Return the name of the ledger account for what is owed for the fine with this number."""
    return f"receivable:{number}"


def balance(account: str, entries: Iterable[Entry]) -> int:
    """Return the account's debits less its credits, in tiyn."""
    return sum(
        entry.amount_minor * ((entry.debit_account == account) - (entry.credit_account == account))
        for entry in entries
    )


def owed(fine: Fine) -> int:
    """Return the balance in tiyn that the fine's receivable account must have. If the fine's state
    is in `OWED`, it is the full amount, otherwise 0."""
    return fine.amount.full_minor if fine.amount and fine.state in OWED else 0


def on_issue(fine: Fine, now: datetime) -> tuple[Entry, ...]:
    """Return the entry for the issue of a fine. The full amount is debited to the fine's receivable
    account and credited to the region's treasury account."""
    return (
        _entry(
            fine,
            EntryKind.ISSUE,
            receivable(fine.number),
            f"treasury:{fine.region}",
            owed(fine),
            now,
        ),
    )


def on_payment(fine: Fine, *, paid_minor: int, bank: str, now: datetime) -> tuple[Entry, ...]:
    """Return the entries of a payment of `paid_minor` tiyn. They bring the fine's receivable
    account to zero. One entry is for the money. If less than the full amount was paid, a second one
    is for the discount (KoAP Art. 811)."""
    assert fine.amount is not None
    let_off = fine.amount.full_minor - paid_minor
    assert paid_minor > 0 and let_off >= 0
    account = receivable(fine.number)
    money = _entry(fine, EntryKind.PAYMENT, f"clearing:{bank}", account, paid_minor, now)
    if let_off == 0:
        return (money,)
    return (money, _entry(fine, EntryKind.DISCOUNT, "discounts", account, let_off, now))


def on_cancellation(fine: Fine, posted: Iterable[Entry], now: datetime) -> tuple[Entry, ...]:
    """Return the entries that reverse `posted`, the last posted first. `posted` must be all entries
    of the fine, in the order of posting. The reversal of a payment is a refund."""
    standing = list(posted)
    assert not any(entry.reverses for entry in standing)
    return tuple(_reversal(fine, entry, now) for entry in reversed(standing))


def refund_in(reversal: Iterable[Entry], reason: RefundReason) -> Refund:
    """Return the refund of a paid fine that is cancelled. `reversal` has the entries that reverse
    the fine's ledger entries."""
    (entry,) = (entry for entry in reversal if entry.kind is EntryKind.REFUND)
    return Refund(entry.entry_id, entry.amount_minor, entry.posted_at, reason)


def decided_entries(posted: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the ledger entries of a fine in the form for the audit log: {"entries": [...]}.
    `posted` has the fields of each entry, in the order of posting."""
    return {"entries": [{name: each[name] for name in ENTRY_FIELDS} for each in posted]}


def contradictions(
    fine: Fine, entries: Sequence[Entry], payments: Sequence[Payment]
) -> Iterator[str]:
    """Yield an English description of each contradiction between a fine, its ledger entries and its
    payments."""
    totals = (
        ("the receivable", balance(receivable(fine.number), entries), owed(fine)),
        ("issued", _total(entries, EntryKind.ISSUE), fine.amount.full_minor if fine.amount else 0),
        ("paid", _total(entries, EntryKind.PAYMENT), sum(each.amount_minor for each in payments)),
        (
            "refunded",
            _total(entries, EntryKind.REFUND),
            sum(each.refund.amount_minor for each in payments if each.refund),
        ),
    )
    for name, in_ledger, expected in totals:
        if in_ledger != expected:
            records = "the fine says" if name in ("the receivable", "issued") else "its records say"
            yield f"{name}: {_money(in_ledger)} in the ledger, {records} {_money(expected)}"
    posted = {entry.entry_id: entry for entry in entries}
    for payment in payments:
        entry = posted.get(payment.entry_id)
        clearing = f"clearing:{payment.partner}"
        if entry is None or (entry.amount_minor, entry.debit_account) != (
            payment.amount_minor,
            clearing,
        ):
            yield f"payment {payment.payment_id} has no entry of its amount and bank"


def _total(entries: Iterable[Entry], kind: EntryKind) -> int:
    """The sum of a fine's entries of one kind, in tiyn."""
    return sum(entry.amount_minor for entry in entries if entry.kind is kind)


def _money(minor: int) -> str:
    sign = "-" if minor < 0 else ""
    return f"{sign}{abs(minor) // 100}.{abs(minor) % 100:02d} KZT"


def _reversal(fine: Fine, entry: Entry, now: datetime) -> Entry:
    if entry.kind is EntryKind.ISSUE:
        # An account of its own shows how much was let off by cancelling.
        return _entry(
            fine,
            EntryKind.CANCELLATION,
            "cancellations",
            entry.debit_account,
            entry.amount_minor,
            now,
            reverses=entry.entry_id,
        )
    kind = EntryKind.REFUND if entry.kind is EntryKind.PAYMENT else EntryKind.DISCOUNT
    return _entry(
        fine,
        kind,
        entry.credit_account,
        entry.debit_account,
        entry.amount_minor,
        now,
        reverses=entry.entry_id,
    )


def _entry(
    fine: Fine,
    kind: EntryKind,
    debit: str,
    credit: str,
    amount_minor: int,
    now: datetime,
    *,
    reverses: UUID | None = None,
) -> Entry:
    return Entry(
        entry_id=new_id(),
        number=fine.number,
        region=fine.region,
        kind=kind,
        debit_account=debit,
        credit_account=credit,
        amount_minor=amount_minor,
        posted_at=now,
        reverses=reverses,
    )
