"""The transition table row by row, and what is due when."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from chassis.refusals import Refusal
from fines.model.fine import OWED, PAYABLE, TRANSITIONS, Fine, Move, State
from fines.model.refusals import (
    FineAlreadyCancelled,
    FineAlreadyPaid,
    FineCancelled,
    FineNotPayable,
    MoveNotAllowed,
)

from .samples import AMOUNT, ARTICLES, DATES, NOW, SEALED, fine_in

ARTICLE = ARTICLES["RED_LIGHT"]
MOVES: dict[Move, Callable[[Fine], Fine]] = {
    Move.ISSUE: lambda fine: fine.issue(ARTICLE, AMOUNT, SEALED, NOW),
    Move.DELIVER: lambda fine: fine.deliver(NOW, DATES),
    Move.PAY: Fine.pay,
    Move.COME_INTO_FORCE: Fine.come_into_force,
    Move.FALL_OVERDUE: Fine.fall_overdue,
    Move.CANCEL: Fine.cancel,
}
# Written out by hand, so that a slip in the table shows.
EXPECTED = {
    "awaiting": "issue→issued cancel→cancelled",
    "issued": "deliver→delivered cancel→cancelled",
    "delivered": "pay→paid come_into_force→in_force cancel→cancelled",
    "in_force": "pay→paid fall_overdue→overdue reopen_appeal→delivered cancel→cancelled",
    "overdue": "pay→paid reopen_payment→in_force reopen_appeal→delivered cancel→cancelled",
    "paid": "cancel→cancelled",
    "cancelled": "",
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("move", Move)
def test_every_move_from_every_state(state: State, move: Move) -> None:
    allowed = dict(row.split("→") for row in EXPECTED[state.value].split())
    target = TRANSITIONS.get((state, move))
    assert (target.value if target else None) == allowed.get(move.value)
    make = MOVES.get(move)
    if make is None:  # `redating` reopens
        return
    fine = fine_in(state)
    if target is None:
        with pytest.raises((Refusal, MoveNotAllowed)):
            make(fine)
    else:
        moved = make(fine)
        assert moved.state is target
        told = fine.amount is not None or move is Move.ISSUE
        assert moved.version == fine.version + told


@pytest.mark.parametrize(
    ("state", "refusal"),
    [
        (State.PAID, FineAlreadyPaid),
        (State.CANCELLED, FineCancelled),
        (State.AWAITING, FineNotPayable),
        (State.ISSUED, FineNotPayable),
    ],
)
def test_what_cannot_be_paid_says_why(state: State, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        fine_in(state).pay()


def test_a_cancelled_fine_is_not_cancelled_again() -> None:
    with pytest.raises(FineAlreadyCancelled):
        fine_in(State.CANCELLED).cancel()


def test_a_fine_is_not_issued_twice() -> None:
    with pytest.raises(MoveNotAllowed):
        fine_in(State.ISSUED).issue(ARTICLE, AMOUNT, SEALED, NOW)


def test_payable_and_owed_follow_from_the_table() -> None:
    assert {State.DELIVERED, State.IN_FORCE, State.OVERDUE} == PAYABLE
    assert PAYABLE | {State.ISSUED} == OWED


def test_half_is_due_through_the_last_day_of_the_discount_and_all_of_it_after() -> None:
    fine = fine_in(State.DELIVERED)
    assert fine.due_on(DATES.discount_until) == AMOUNT.discounted_minor
    assert fine.due_on(DATES.discount_until + timedelta(days=1)) == AMOUNT.full_minor


def test_what_was_due_on_a_day_does_not_depend_on_what_came_later() -> None:
    fine = fine_in(State.OVERDUE)
    assert fine.due_on(DATES.discount_until) == AMOUNT.discounted_minor
