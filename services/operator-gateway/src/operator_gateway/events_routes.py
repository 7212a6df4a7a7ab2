"""Live events as server-sent events, for a bearer token or a single-use ticket."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from chassis.clock import real_clock
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import Field

from operator_gateway.live import FeedMessage, Listener, LiveFeed, messages_for, read_position
from operator_gateway.operator_context import AsOperator, OperatorContext
from operator_gateway.schemas import Answer
from operator_gateway.tickets import TICKET_SECONDS, AsListener, Tickets

router = APIRouter(prefix="/v1/events", tags=["events"])

HEARTBEAT_SECONDS = 15.0
RETRY_MS = 2000
# An event, not a comment, so that a page can notice a dead connection.
HEARTBEAT = "event: heartbeat\ndata: {}\n\n"


class TicketAnswer(Answer):
    ticket: str = Field(description="For `GET /v1/events?ticket=…`, once.")
    good_for_seconds: float


@router.post("/tickets", status_code=201)
async def give_ticket(request: Request, context: AsOperator) -> TicketAnswer:
    """Issues a ticket that opens one live stream, for clients that cannot send headers."""
    tickets: Tickets = request.app.state.tickets
    return TicketAnswer(ticket=tickets.give(context), good_for_seconds=TICKET_SECONDS)


@router.get(
    "",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def live_events(
    request: Request,
    holder: AsListener,
    last_event_id: Annotated[str, Header(max_length=200)] = "",
    resume_after: Annotated[str, Query(max_length=200, description="As Last-Event-ID.")] = "",
) -> StreamingResponse:
    """Streams what happens in the operator's regions, as server-sent events of these types:

    `ready` comes first; its id is the position at which the stream begins. `fact` tells what has
    happened to a record, with the record's id but not its content. `dropped` tells how many facts
    were lost because the client was too slow. `gap` tells that facts may be missing. `expired`
    comes last, if the token has expired. `heartbeat` comes after 15 s without another event.
    """
    feed: LiveFeed = request.app.state.feed
    position = last_event_id or resume_after
    after = read_position(position) if position else None
    listener = feed.listen(holder.operator, after)
    if position and after is None:
        listener.mark_gap()
    return StreamingResponse(
        _frames(feed, listener, holder), 200, {"Cache-Control": "no-store"}, "text/event-stream"
    )


async def _frames(
    feed: LiveFeed, listener: Listener, holder: OperatorContext
) -> AsyncIterator[str]:
    try:
        yield f"retry: {RETRY_MS}\n: live\n\n"
        yield frame(FeedMessage("ready", listener.position))
        async for message in messages_for(listener, heartbeat_seconds=HEARTBEAT_SECONDS):
            if real_clock().timestamp() >= holder.token_expires_at:
                yield "event: expired\ndata: {}\n\n"
                return
            yield frame(message) if message else HEARTBEAT
    finally:
        feed.leave(listener)


def frame(message: FeedMessage) -> str:
    values: dict[str, Any] = {}
    if message.event is not None:
        values = {
            "subject": message.event.subject,
            "id": message.event.aggregate.rpartition(":")[2],
            "region": message.event.region,
            "at": message.event.at.isoformat(),
            "story": message.event.story,
            "version": message.event.version,
        }
    elif message.missed:
        values = {"missed": message.missed}
    return f"id: {message.position}\nevent: {message.kind}\ndata: {json.dumps(values)}\n\n"
