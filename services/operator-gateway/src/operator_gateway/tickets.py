"""Tickets for the live feed: a ticket in the URL opens one stream, once, within 30 seconds.

A ticket replaces the bearer token, because a browser's EventSource cannot send headers and a token
in a URL would remain in browser histories and logs.
"""

import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated

from chassis.refusals import Kind, NotAuthenticated, Overloaded, Refusal, ShareExceeded
from fastapi import Depends, Query, Request

from operator_gateway.operator_context import Bearer, OperatorContext, signed_in
from operator_gateway.shares import place_of

TICKET_SECONDS = 30.0
TICKETS_MAX = 1000
TICKETS_OF_ONE_MAX = 16


class TicketSpent(Refusal):
    kind = Kind.UNAUTHENTICATED
    code = "TICKET_SPENT"


@dataclass(frozen=True)
class _Ticket:
    holder: OperatorContext
    good_until: float


class Tickets:
    """Issued tickets, stored in this process: a ticket is valid only at the gateway that issued
    it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tickets: dict[str, _Ticket] = {}

    def give(self, holder: OperatorContext) -> str:
        """Issue a ticket for this operator's request and return its text. Raises ShareExceeded if
        the operator has too many unused tickets, Overloaded if all operators together have too
        many."""
        now = self._clock()
        self._tickets = {k: t for k, t in self._tickets.items() if t.good_until > now}
        mine = [t for t in self._tickets.values() if t.holder.operator == holder.operator]
        if len(mine) >= TICKETS_OF_ONE_MAX:
            raise ShareExceeded("tickets", TICKETS_OF_ONE_MAX, mine[0].good_until - now)
        if len(self._tickets) >= TICKETS_MAX:
            raise Overloaded
        ticket = secrets.token_urlsafe(32)
        self._tickets[ticket] = _Ticket(holder, now + TICKET_SECONDS)
        return ticket

    def take(self, ticket: str) -> OperatorContext:
        """Invalidate a ticket, and return the context of the operator to whom it was issued.

        Raises NotAuthenticated if `ticket` is empty, TicketSpent if it is unknown, used or expired.
        """
        if not ticket:
            raise NotAuthenticated
        found = self._tickets.pop(ticket, None)
        if found is None or found.good_until <= self._clock():
            raise TicketSpent
        return found.holder


async def listening_operator(
    request: Request,
    credentials: Bearer,
    ticket: Annotated[str, Query(max_length=64)] = "",
) -> AsyncIterator[OperatorContext]:
    """FastAPI dependency: yields the context of the operator who opens a live stream with a bearer
    token or a ticket. The stream counts against the limits of streams. Raises ShareExceeded if the
    operator's limit is reached, Overloaded if the limit of this process is reached.

    Also raises NotAuthenticated, TokenExpired or TicketSpent.
    """
    tickets: Tickets = request.app.state.tickets
    holder = await signed_in(request, credentials) if credentials else tickets.take(ticket)
    with place_of(request, holder.operator, stream=True):
        yield holder


AsListener = Annotated[OperatorContext, Depends(listening_operator)]
