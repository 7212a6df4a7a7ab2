"""A ticket opens one stream, once, within half a minute."""

from typing import Any

import pytest
from chassis.identity import Operator
from chassis.refusals import BadRequest, NotAuthenticated, Overloaded, ShareExceeded
from operator_gateway.operator_context import OperatorContext, Peers
from operator_gateway.schemas import client_made_id
from operator_gateway.tickets import (
    TICKET_SECONDS,
    TICKETS_MAX,
    TICKETS_OF_ONE_MAX,
    Tickets,
    TicketSpent,
)

NOBODY: Any = None  # who is not asked here
PEERS = Peers(NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, audits={})
HOLDER = OperatorContext(Operator("x", frozenset(), ()), "X", 0.0, "", "t", PEERS)


class Watch:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_ticket_is_good_once() -> None:
    tickets = Tickets()
    ticket = tickets.give(HOLDER)
    assert tickets.take(ticket) is HOLDER
    with pytest.raises(TicketSpent):
        tickets.take(ticket)


def test_an_old_ticket_is_spent() -> None:
    watch = Watch()
    tickets = Tickets(watch)
    ticket = tickets.give(HOLDER)
    watch.now = TICKET_SECONDS
    with pytest.raises(TicketSpent):
        tickets.take(ticket)


def holder(name: str) -> OperatorContext:
    return OperatorContext(Operator(name, frozenset(), ()), "X", 0.0, "", "t", PEERS)


def test_tickets_are_bounded_and_old_ones_make_room() -> None:
    watch = Watch()
    tickets = Tickets(watch)
    for number in range(TICKETS_MAX):
        tickets.give(holder(f"operator-{number}"))
    with pytest.raises(Overloaded):
        tickets.give(HOLDER)
    watch.now = TICKET_SECONDS
    assert tickets.give(HOLDER)


def test_one_operators_tickets_leave_room_for_others() -> None:
    watch = Watch()
    tickets = Tickets(watch)
    for _ in range(TICKETS_OF_ONE_MAX):
        tickets.give(HOLDER)
    watch.now = TICKET_SECONDS / 3
    with pytest.raises(ShareExceeded) as refused:
        tickets.give(HOLDER)
    assert refused.value.retry_seconds == pytest.approx(TICKET_SECONDS * 2 / 3)
    assert tickets.give(holder("other"))


def test_no_ticket_is_nobody() -> None:
    with pytest.raises(NotAuthenticated):
        Tickets().take("")


def test_a_client_made_id_comes_from_body_or_header_and_they_agree() -> None:
    assert client_made_id("a", None, "decision_id") == "a"
    assert client_made_id(None, "b", "decision_id") == "b"
    assert client_made_id("c", "c", "decision_id") == "c"
    for in_body, in_header in ((None, None), ("", ""), ("a", "b")):
        with pytest.raises(BadRequest):
            client_made_id(in_body, in_header, "decision_id")
