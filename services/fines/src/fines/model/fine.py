"""A fine: its states, the transitions between them, and the amount that is due on a day.

    AWAITING → ISSUED → DELIVERED → IN_FORCE → OVERDUE
    DELIVERED, IN_FORCE, OVERDUE → PAID          any state except CANCELLED → CANCELLED

A fine begins as AWAITING when its violation is confirmed: its number is reserved, but nothing is
owed yet. A correction of the calendar can take it back to an earlier state; see `redating`.
"""

import re
import secrets
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import Enum
from uuid import UUID

from audit_log.record_kinds import RecordKind
from law.articles import Article
from law.fine_dates import LegalDates
from law.zone import almaty_day

from fines.model.refusals import (
    FineAlreadyCancelled,
    FineAlreadyPaid,
    FineCancelled,
    FineNotFound,
    FineNotPayable,
    MoveNotAllowed,
)
from fines.model.tariff import Amount

NUMBER_DIGITS = 15


class State(Enum):
    """The states of a fine; `TRANSITIONS` has the moves between them."""

    AWAITING = "awaiting"
    ISSUED = "issued"
    DELIVERED = "delivered"
    PAID = "paid"
    CANCELLED = "cancelled"
    IN_FORCE = "in_force"
    OVERDUE = "overdue"


class Move(Enum):
    """What changes the state of a fine."""

    ISSUE = "issue"
    DELIVER = "deliver"
    PAY = "pay"
    COME_INTO_FORCE = "come_into_force"
    FALL_OVERDUE = "fall_overdue"
    # Where its terms turned out to be longer; see `redating`.
    REOPEN_APPEAL = "reopen_appeal"
    REOPEN_PAYMENT = "reopen_payment"
    CANCEL = "cancel"


TRANSITIONS: dict[tuple[State, Move], State] = {
    (State.AWAITING, Move.ISSUE): State.ISSUED,
    (State.AWAITING, Move.CANCEL): State.CANCELLED,
    (State.ISSUED, Move.DELIVER): State.DELIVERED,
    (State.ISSUED, Move.CANCEL): State.CANCELLED,
    (State.DELIVERED, Move.PAY): State.PAID,
    (State.DELIVERED, Move.COME_INTO_FORCE): State.IN_FORCE,
    (State.DELIVERED, Move.CANCEL): State.CANCELLED,
    (State.IN_FORCE, Move.PAY): State.PAID,
    (State.IN_FORCE, Move.FALL_OVERDUE): State.OVERDUE,
    (State.IN_FORCE, Move.REOPEN_APPEAL): State.DELIVERED,
    (State.IN_FORCE, Move.CANCEL): State.CANCELLED,
    (State.OVERDUE, Move.PAY): State.PAID,
    (State.OVERDUE, Move.REOPEN_PAYMENT): State.IN_FORCE,
    (State.OVERDUE, Move.REOPEN_APPEAL): State.DELIVERED,
    (State.OVERDUE, Move.CANCEL): State.CANCELLED,
    (State.PAID, Move.CANCEL): State.CANCELLED,
}
PAYABLE = frozenset(state for state, move in TRANSITIONS if move is Move.PAY)
# The owner owes the amount; the ledger's receivable says the same.
OWED = frozenset({State.ISSUED}) | PAYABLE
# Issued at some time, and not cancelled since.
ISSUED_STATES = frozenset(State) - {State.AWAITING, State.CANCELLED}


# What a decision about a fine covers: all columns of its row.
FINE = RecordKind(
    "fine",
    (
        *("number", "violation_id", "report_id", "region", "story", "offence_code", "occurred_at"),
        *("confirmed_at", "state", "version", "hold_reason", "conflicts", "article"),
        *("amount_minor", "discounted_minor", "base_value_minor", "base_values", "tariff_version"),
        *("issued_at", "owner_key_id", "owner_index", "plate_index", "particulars"),
        *("delivered_at", "delivered_on", "discount_until", "considered_on", "appeal_until"),
        *("in_force_on", "voluntary_until", "enforcement_by", "day_count", "calendar_version"),
        *("cancel_key_id", "cancel_reason"),
    ),
)


@dataclass(frozen=True)
class SealedText:
    """A text, encrypted with a key of its own."""

    key_id: UUID
    sealed: bytes


@dataclass(frozen=True)
class SealedParticulars:
    """The personal data of a letter, encrypted with the owner's key. Keyed hashes (blind indexes)
    of owner and plate allow the fine to be found without decryption."""

    key_id: UUID
    sealed: bytes
    owner_index: bytes
    plate_index: bytes


@dataclass(frozen=True)
class Fine:
    """A fine for a violation, from the violation's confirmation on.

    An issued fine has an article, an amount and encrypted personal particulars. Once it is
    delivered, it has legal dates.
    """

    number: str
    violation_id: str
    report_id: str
    region: str
    story: str
    offence_code: str
    occurred_at: datetime
    # When the violation was confirmed; set from the beginning, except in a fine that is made up.
    confirmed_at: datetime | None = None
    state: State = State.AWAITING
    # Events published so far; each carries the version that it makes.
    version: int = 0
    # The name of a Hold, "" where nothing holds it; and the issued fines that it conflicts with.
    hold_reason: str = ""
    conflicts: tuple[str, ...] = ()
    article: str = ""
    amount: Amount | None = None
    issued_at: datetime | None = None
    particulars: SealedParticulars | None = None
    delivered_at: datetime | None = None
    dates: LegalDates | None = None
    # Why an operator cancelled it.
    cancel_reason: SealedText | None = None

    @property
    def object_ref(self) -> str:
        """The name of the fine in the audit log."""
        return f"fine:{self.number}"

    @property
    def assumed_years(self) -> tuple[int, ...]:
        """Years whose base value or calendar was assumed because the law has none yet; only in
        trial runs."""
        amount = self.amount.assumed_years if self.amount else ()
        dates = self.dates.assumed_years if self.dates else ()
        return tuple(sorted({*amount, *dates}))

    def issue(
        self, article: Article, amount: Amount, particulars: SealedParticulars, now: datetime
    ) -> "Fine":
        """Return the fine with the state ISSUED, issued at `now`, and without a hold (a reason why
        it was not issued). Raises MoveNotAllowed."""
        assert amount.full_minor > 0
        assert 0 < amount.discounted_minor <= amount.full_minor
        return replace(
            self._moved(Move.ISSUE),
            article=article.article,
            amount=amount,
            particulars=particulars,
            issued_at=now,
            hold_reason="",
            conflicts=(),
        )

    def deliver(self, delivered_at: datetime, dates: LegalDates) -> "Fine":
        """Return the fine with the state DELIVERED. `dates` must be counted from the day of
        `delivered_at` in Almaty. Raises MoveNotAllowed."""
        assert dates.delivered_on == almaty_day(delivered_at)
        return replace(self._moved(Move.DELIVER), delivered_at=delivered_at, dates=dates)

    def come_into_force(self) -> "Fine":
        """Return the fine with the state IN_FORCE. To be called once the time limit for an appeal
        is over. Raises MoveNotAllowed."""
        return self._moved(Move.COME_INTO_FORCE)

    def fall_overdue(self) -> "Fine":
        """Return the fine with the state OVERDUE. To be called once the time limit for voluntary
        payment (KoAP Art. 893) is over. Raises MoveNotAllowed."""
        return self._moved(Move.FALL_OVERDUE)

    def pay(self) -> "Fine":
        """Return the fine with the state PAID. Raises FineAlreadyPaid, FineCancelled or
        FineNotPayable."""
        if self.state is State.PAID:
            raise FineAlreadyPaid
        if self.state is State.CANCELLED:
            raise FineCancelled
        if self.state not in PAYABLE:
            raise FineNotPayable
        return self._moved(Move.PAY)

    def cancel(self) -> "Fine":
        """Return the fine with the state CANCELLED. Raises FineAlreadyCancelled."""
        if self.state is State.CANCELLED:
            raise FineAlreadyCancelled
        moved = self._moved(Move.CANCEL)
        # What was never issued was never published.
        return moved if self.amount else replace(moved, version=self.version)

    def next_version(self) -> "Fine":
        """Return the fine with its version raised by one, for a second event that is published in
        the same transaction."""
        return replace(self, version=self.version + 1)

    def held(self, reason: str, conflicts: tuple[str, ...] = ()) -> "Fine":
        """Return the fine with a reason why it is not issued. The fine's state must be AWAITING.
        `reason` is the name of a Hold, and `conflicts` are the numbers of conflicting fines."""
        assert self.state is State.AWAITING
        return replace(self, hold_reason=reason, conflicts=conflicts)

    def due_on(self, day: date) -> int:
        """Return the amount in tiyn that is due on `day`: the discounted amount until the last day
        of the discount (KoAP Art. 811(1)), then the full amount."""
        assert self.amount and self.dates
        if day <= self.dates.discount_until:
            return self.amount.discounted_minor
        return self.amount.full_minor

    def _moved(self, move: Move) -> "Fine":
        target = TRANSITIONS.get((self.state, move))
        if target is None:
            raise MoveNotAllowed(f"{move.value} from {self.state.value}")
        return replace(self, state=target, version=self.version + 1)


def new_number() -> str:
    """Return a random fine number: 14 digits and a Luhn check digit, so that a number with one
    mistyped digit is invalid."""
    body = "".join(secrets.choice("0123456789") for _ in range(NUMBER_DIGITS - 1))
    return body + _luhn(body)


def is_number(text: str) -> bool:
    """Whether `text` is 15 digits of which the last is the Luhn check digit of the others."""
    return re.fullmatch(r"[0-9]{15}", text) is not None and _luhn(text[:-1]) == text[-1]


def known_number(text: str) -> str:
    """Check that `text` has the form of a fine number, and return it unchanged. Raises FineNotFound
    if it does not."""
    if not is_number(text):
        raise FineNotFound
    return text


def _luhn(body: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (1 if place % 2 else 2)
        total += value - 9 if value > 9 else value
    return str(-total % 10)
